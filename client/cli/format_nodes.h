// What a parsed --format template consists of. Private to the template's files.
#ifndef VARVE_CLIENT_CLI_FORMAT_NODES_H_
#define VARVE_CLIENT_CLI_FORMAT_NODES_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cli/format_value.h"

namespace varve::format {

// How deep blocks and parentheses may nest, how long templates and results may become.
inline constexpr size_t kMaxDepth = 32;
inline constexpr size_t kMaxVariables = 32;
inline constexpr size_t kMaxTemplateBytes = size_t{64} << 10;
inline constexpr size_t kMaxResultBytes = size_t{16} << 20;

struct Function {
  std::string_view name;
  size_t min_arguments;
  size_t max_arguments;
  absl::StatusOr<FormatValue> (*call)(absl::Span<const FormatValue> arguments);
  // Called for the heads of a table too; the others leave a head as it is.
  bool on_heads = false;
};

// nullptr when there is none of that name.
const Function* FindFunction(std::string_view name);
// "and, eq, …" for messages.
std::string FunctionNames();

struct Pipeline;

// ".Labels.team", "$.Name", "$x.Name", "text", 7 or (pipeline).
struct Operand {
  size_t position = 0;
  bool is_path = false;
  std::string variable;  // that it begins with: "$" is the row, also inside a range; or empty
  std::vector<std::string> path;
  FormatValue literal;
  std::shared_ptr<const Pipeline> nested;
};

// One operand, or a function with its arguments; the result of the command before comes last.
struct Command {
  size_t position = 0;
  const Function* function = nullptr;
  std::vector<Operand> operands;
};

struct Pipeline {
  std::vector<Command> commands;
  // "$x :=" or "$x =" before it; of a range, also "$i, $x :=".
  std::vector<std::string> variables;
  bool declares = false;
};

struct Node {
  enum class Kind { kText, kOutput, kIf, kWith, kRange, kBreak, kContinue };

  Kind kind = Kind::kText;
  size_t position = 0;
  std::string text;
  Pipeline pipeline;
  std::vector<Node> body;
  std::vector<Node> otherwise;
};

// Go's fmt.Sprintf for what a template has: the verbs v, s, q, d, t, x, X, o, b, c, f and %%,
// with flags, width and precision. InvalidArgument for others and for values that do not fit.
absl::StatusOr<FormatValue> Printf(absl::Span<const FormatValue> arguments);

// `fields` are those of a row; a path that begins with another one is refused.
absl::StatusOr<std::vector<Node>> ParseTemplate(std::string_view text,
                                                absl::Span<const std::string> fields);

// InvalidArgument: "--format, character 12: …".
absl::Status ErrorAt(size_t position, std::string_view sentence);
// "there is no field .Foo; the fields are .ID, .Tag".
std::string UnknownField(std::string_view name, absl::Span<const std::string> fields);

}  // namespace varve::format

#endif  // VARVE_CLIENT_CLI_FORMAT_NODES_H_
