// What --format asks for, in the language that Docker's users know from there: a subset of Go's
// templates. {{.Field.Inner}}, {{json .}}, functions (client/cli/format_functions.cc), pipes, ( ),
// {{if}}, {{with}} and {{range}} with {{else}}, {{else if}} and {{end}}, {{break}}, {{continue}},
// variables ({{$x := .Name}}), $ for the row, {{/* */}}, {{- -}}. There are no templates inside a
// template. Nesting, time and output are bounded. Immutable once made; any thread.
#ifndef VARVE_CLIENT_CLI_FORMAT_TEMPLATE_H_
#define VARVE_CLIENT_CLI_FORMAT_TEMPLATE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cli/format_value.h"
#include "client/cli/text.h"

namespace varve {

namespace format {
struct Node;
}

class FormatTemplate {
 public:
  // `fields` are what a row has; a template that asks for another one is refused, and with none
  // given that is found out when a row is rendered. InvalidArgument names the character, counted
  // from 1, and what is possible there.
  static absl::StatusOr<FormatTemplate> Parse(std::string_view text,
                                              absl::Span<const std::string> fields = {});

  // A --format of single rows, without a table: "json" stands for "{{json .}}".
  static absl::StatusOr<FormatTemplate> ParseRow(std::string_view format,
                                                 absl::Span<const std::string> fields = {});

  // The text of one row. InvalidArgument when the row does not have what the template asks for.
  absl::StatusOr<std::string> Render(const FormatValue& row) const;
  // The heads of a table: as Render, but functions leave what they are given as it is.
  absl::StatusOr<std::string> RenderHeads(const FormatValue& heads) const;

 private:
  explicit FormatTemplate(std::vector<format::Node> nodes);

  std::shared_ptr<const std::vector<format::Node>> nodes_;
};

struct FormatColumn {
  std::string field;  // "CreatedSince"
  std::string head;   // "CREATED"
};

// The rows of a listing as --format wants them: "table" or nothing (the table of the command),
// "table TEMPLATE", "json" (each row an object on a line) or "TEMPLATE" (each row followed by a
// newline). Not thread-safe.
class FormattedListing {
 public:
  // Columns: all that a row may show. Errors as FormatTemplate::Parse: before the daemon is asked.
  static absl::StatusOr<FormattedListing> Create(std::string_view format,
                                                 absl::Span<const FormatColumn> columns,
                                                 std::string_view default_table);

  // The text of the next rows; a table's heads come with the first, so ask at least once.
  absl::StatusOr<std::string> Format(absl::Span<const FormatValue> rows);

 private:
  FormattedListing(FormatTemplate row_template, std::optional<Table> table)
      : template_(std::move(row_template)), table_(std::move(table)) {}

  FormatTemplate template_;
  std::optional<Table> table_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_FORMAT_TEMPLATE_H_
