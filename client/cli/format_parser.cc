// From the text of a --format template to its nodes: recursive descent, one character at a time.
#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "client/cli/format_nodes.h"
#include "client/cli/terminal.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::format {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsWordStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// What ended a block.
enum class BlockEnd { kText, kEnd, kElse, kElseIf, kElseWith };

std::optional<Node::Kind> ControlOf(std::string_view word) {
  if (word == "if") return Node::Kind::kIf;
  if (word == "with") return Node::Kind::kWith;
  if (word == "range") return Node::Kind::kRange;
  return std::nullopt;
}

class Parser {
 public:
  Parser(std::string_view text, absl::Span<const std::string> fields)
      : text_(text), fields_(fields) {}

  absl::StatusOr<std::vector<Node>> Parse() {
    if (text_.size() > kMaxTemplateBytes) return ErrorAt(0, "the template is too long");
    std::vector<Node> nodes;
    ASSIGN_OR_RETURN(const BlockEnd end, ParseBlock(&nodes));
    if (end != BlockEnd::kText) return Error("there is nothing open to end or to continue");
    return nodes;
  }

 private:
  absl::Status Error(std::string_view sentence) const { return ErrorAt(at_, sentence); }
  bool Done() const { return at_ >= text_.size(); }
  std::string_view Rest() const { return text_.substr(std::min(at_, text_.size())); }
  char Current() const { return Done() ? '\0' : text_[at_]; }
  bool StartsWith(std::string_view token) const { return Rest().substr(0, token.size()) == token; }

  bool Take(std::string_view token) {
    if (!StartsWith(token)) return false;
    at_ += token.size();
    return true;
  }

  void SkipSpace() {
    while (!Done() && IsSpace(text_[at_])) ++at_;
  }

  std::string TakeWord() {
    const size_t start = at_;
    while (!Done() && (IsWordStart(text_[at_]) || IsDigit(text_[at_]))) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  bool AtClose() const { return StartsWith("}}") || StartsWith("-}}"); }

  // The end of an action, "}}"; "-}}" also swallows the white space that follows.
  absl::Status Close() {
    SkipSpace();
    const bool trim = Take("-");
    if (!Take("}}")) return Error(Done() ? "the action is not closed with }}" : "}} is missing");
    if (trim) SkipSpace();
    return absl::OkStatus();
  }

  // Text up to the next action. "\t" and "\n" stand for the characters, as with Docker.
  void ParseText(std::vector<Node>* nodes) {
    std::string text;
    while (!Done() && !StartsWith("{{")) {
      if (Take("\\t")) {
        text.push_back('\t');
      } else if (Take("\\n")) {
        text.push_back('\n');
      } else {
        text.push_back(text_[at_++]);
      }
    }
    if (StartsWith("{{- ")) {
      while (!text.empty() && IsSpace(text.back())) text.pop_back();
    }
    if (!text.empty()) nodes->emplace_back().text = std::move(text);
  }

  absl::StatusOr<BlockEnd> ParseBlock(std::vector<Node>* nodes) {
    if (++depth_ > kMaxDepth) return Error("blocks are nested too deeply");
    for (;;) {
      ParseText(nodes);
      if (Done()) break;
      const size_t start = at_;
      Take("{{");
      if (StartsWith("- ")) ++at_;
      SkipSpace();
      if (StartsWith("/*")) {
        const size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return Error("the comment is not closed with */");
        at_ = end + 2;
        RETURN_IF_ERROR(Close());
        continue;
      }
      const size_t before_word = at_;
      const std::string word = TakeWord();
      if (word == "end" || word == "else") {
        --depth_;
        return ParseBlockEnd(word == "end");
      }
      Node node;
      node.position = start;
      if (const std::optional<Node::Kind> control = ControlOf(word)) {
        node.kind = *control;
        RETURN_IF_ERROR(ParseControl(&node));
      } else if (word == "break" || word == "continue") {
        if (ranges_ == 0) return ErrorAt(before_word, StrCat(word, " is for a range"));
        node.kind = word == "break" ? Node::Kind::kBreak : Node::Kind::kContinue;
        RETURN_IF_ERROR(Close());
      } else {
        at_ = before_word;
        node.kind = Node::Kind::kOutput;
        ASSIGN_OR_RETURN(node.pipeline, ParseActionPipeline(/*range=*/false));
        RETURN_IF_ERROR(Close());
      }
      nodes->push_back(std::move(node));
    }
    --depth_;
    return BlockEnd::kText;
  }

  absl::StatusOr<BlockEnd> ParseBlockEnd(bool end) {
    SkipSpace();
    if (!end && IsWordStart(Current())) {
      const std::string word = TakeWord();
      if (word == "if") return BlockEnd::kElseIf;
      if (word == "with") return BlockEnd::kElseWith;
      return Error("after else, only if or with may follow");
    }
    RETURN_IF_ERROR(Close());
    return end ? BlockEnd::kEnd : BlockEnd::kElse;
  }

  // The rest of an if, a with or a range, with its {{end}}, where its variables end too.
  absl::Status ParseControl(Node* node) {
    const size_t variables_before = variables_.size();
    const absl::Status parsed = ParseControlInScope(node);
    variables_.resize(variables_before);
    return parsed;
  }

  absl::Status ParseControlInScope(Node* node) {
    const bool range = node->kind == Node::Kind::kRange;
    ASSIGN_OR_RETURN(node->pipeline, ParseActionPipeline(range));
    RETURN_IF_ERROR(Close());
    const size_t variables_of_body = variables_.size();
    const size_t ranges_before = ranges_;
    const size_t other_dots_before = other_dots_;
    if (range) ++ranges_;
    if (node->kind != Node::Kind::kIf) ++other_dots_;
    absl::StatusOr<BlockEnd> end = ParseBlock(&node->body);
    ranges_ = ranges_before;
    other_dots_ = other_dots_before;
    variables_.resize(variables_of_body);
    RETURN_IF_ERROR(end.status());
    if (*end == BlockEnd::kElseIf || *end == BlockEnd::kElseWith) {
      // The condition and all that follows, up to the one {{end}}, as a block of its own.
      if (++depth_ > kMaxDepth) return Error("blocks are nested too deeply");
      Node inner;
      inner.kind = *end == BlockEnd::kElseIf ? Node::Kind::kIf : Node::Kind::kWith;
      inner.position = at_;
      RETURN_IF_ERROR(ParseControl(&inner));
      --depth_;
      node->otherwise.push_back(std::move(inner));
      return absl::OkStatus();
    }
    if (*end == BlockEnd::kElse) {
      end = ParseBlock(&node->otherwise);
      RETURN_IF_ERROR(end.status());
    }
    if (*end == BlockEnd::kEnd) return absl::OkStatus();
    return ErrorAt(node->position, "{{end}} is missing");
  }

  // A pipeline of an action, which may set a variable; that of a range may set two.
  absl::StatusOr<Pipeline> ParseActionPipeline(bool range) {
    SkipSpace();
    const size_t start = at_;
    std::vector<std::string> names;
    do {
      SkipSpace();
      if (!Take("$")) break;
      names.push_back("$" + TakeWord());
      SkipSpace();
    } while (names.size() < (range ? 2u : 1u) && Take(","));
    const bool declares = !names.empty() && Take(":=");
    if (!declares && (names.empty() || !Take("="))) {
      at_ = start;  // no variable is set
      return ParsePipeline();
    }
    for (const std::string& name : names) {
      if (name == "$") return ErrorAt(start, "the name of a variable is missing");
      if (!declares && !IsVariable(name)) return ErrorAt(start, NoSuchVariable(name));
    }
    ASSIGN_OR_RETURN(Pipeline pipeline, ParsePipeline());
    if (declares) {
      if (variables_.size() + names.size() > kMaxVariables) {
        return ErrorAt(start, "there are too many variables");
      }
      variables_.insert(variables_.end(), names.begin(), names.end());
    }
    pipeline.variables = std::move(names);
    pipeline.declares = declares;
    return pipeline;
  }

  bool IsVariable(const std::string& name) const {
    return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }

  static std::string NoSuchVariable(std::string_view name) {
    return StrCat("there is no variable ", name, "; {{", name, " := …}} makes one");
  }

  absl::StatusOr<Pipeline> ParsePipeline() {
    if (++depth_ > kMaxDepth) return Error("parentheses are nested too deeply");
    Pipeline pipeline;
    do {
      ASSIGN_OR_RETURN(Command command, ParseCommand());
      if (!pipeline.commands.empty() && command.function == nullptr) {
        return ErrorAt(command.position, "only a function can take what comes through |");
      }
      pipeline.commands.push_back(std::move(command));
      SkipSpace();
    } while (Take("|"));
    --depth_;
    return pipeline;
  }

  absl::StatusOr<Command> ParseCommand() {
    SkipSpace();
    Command command;
    command.position = at_;
    if (IsWordStart(Current())) {
      const std::string word = TakeWord();
      command.function = FindFunction(word);
      if (command.function == nullptr && word != "true" && word != "false") {
        return ErrorAt(command.position, StrCat("there is no function ", word,
                                                "; the functions are ", FunctionNames()));
      }
      if (command.function == nullptr) at_ = command.position;
    }
    for (SkipSpace(); !Done() && !AtClose() && Current() != '|' && Current() != ')'; SkipSpace()) {
      ASSIGN_OR_RETURN(Operand operand, ParseOperand());
      command.operands.push_back(std::move(operand));
      if (!Done() && !IsSpace(Current()) && !AtClose() && Current() != '|' && Current() != ')') {
        return Error("a space is missing");
      }
    }
    if (command.function != nullptr) return command;
    if (command.operands.empty()) return Error("a value is missing");
    if (command.operands.size() > 1) {
      return ErrorAt(command.operands[1].position, "only a function can be given a value");
    }
    return command;
  }

  absl::StatusOr<Operand> ParseOperand() {
    Operand operand;
    operand.position = at_;
    const char c = Current();
    if (c == '.' || c == '$') {
      RETURN_IF_ERROR(ParsePath(&operand));
    } else if (c == '"' || c == '`') {
      ASSIGN_OR_RETURN(operand.literal, ParseQuoted(c));
    } else if (IsDigit(c) || c == '-') {
      const size_t start = at_++;
      while (IsDigit(Current())) ++at_;
      int64_t number = 0;
      if (!absl::SimpleAtoi(ToAbsl(text_.substr(start, at_ - start)), &number)) {
        return ErrorAt(start, "this is not a whole number of 64 bits");
      }
      operand.literal = FormatValue::Number(number);
    } else if (c == '(') {
      ++at_;
      ASSIGN_OR_RETURN(Pipeline nested, ParsePipeline());
      SkipSpace();
      if (!Take(")")) return Error(") is missing");
      operand.nested = std::make_shared<const Pipeline>(std::move(nested));
    } else {
      const std::string word = TakeWord();
      if (word != "true" && word != "false") {
        return ErrorAt(operand.position, word.empty() ? "this is not a value"
                                                      : StrCat(word,
                                                               " is not a value; a function "
                                                               "stands first or in ( )"));
      }
      operand.literal = FormatValue::Boolean(word == "true");
    }
    return operand;
  }

  // ".", ".Name.Inner", "$", "$.Name" or "$x.Name".
  absl::Status ParsePath(Operand* operand) {
    operand->is_path = true;
    if (Take("$")) {
      operand->variable = "$" + TakeWord();
      if (!IsVariable(operand->variable)) {
        return ErrorAt(operand->position, NoSuchVariable(operand->variable));
      }
    }
    if (!Take(".")) return absl::OkStatus();
    if (!IsWordStart(Current())) {
      return operand->variable.empty() ? absl::OkStatus() : Error("the name of a field is missing");
    }
    do {
      operand->path.push_back(TakeWord());
      if (operand->path.back().empty()) return Error("the name of a field is missing");
    } while (Take("."));
    const bool of_row = operand->variable == "$" || (operand->variable.empty() && other_dots_ == 0);
    if (of_row && !fields_.empty() &&
        std::find(fields_.begin(), fields_.end(), operand->path[0]) == fields_.end()) {
      return ErrorAt(operand->position, UnknownField(operand->path[0], fields_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<FormatValue> ParseQuoted(char quote) {
    const size_t start = at_++;
    std::string text;
    while (!Done() && Current() != quote) {
      char c = text_[at_++];
      if (c == '\\' && quote == '"') {
        constexpr std::string_view kNames = "nt\\\"";
        constexpr std::string_view kCharacters = "\n\t\\\"";
        const size_t which = Done() ? std::string_view::npos : kNames.find(Current());
        if (which == std::string_view::npos) return Error("only \\n, \\t, \\\\ and \\\" are known");
        c = kCharacters[which];
        ++at_;
      }
      text.push_back(c);
    }
    if (Done()) return ErrorAt(start, "the quoted text is not closed");
    ++at_;
    return FormatValue(std::move(text));
  }

  const std::string_view text_;
  const absl::Span<const std::string> fields_;
  size_t at_ = 0;
  size_t depth_ = 0;
  size_t ranges_ = 0;                           // around the current position
  size_t other_dots_ = 0;                       // ranges and withs around it: dot is not the row
  std::vector<std::string> variables_ = {"$"};  // that are in scope
};

}  // namespace

absl::StatusOr<std::vector<Node>> ParseTemplate(std::string_view text,
                                                absl::Span<const std::string> fields) {
  return Parser(text, fields).Parse();
}

absl::Status ErrorAt(size_t position, std::string_view sentence) {
  return absl::InvalidArgumentError(StrCat("--format, character ", position + 1, ": ", sentence));
}

std::string UnknownField(std::string_view name, absl::Span<const std::string> fields) {
  std::string text = StrCat("there is no field .", Printable(name), "; the fields are ");
  for (const std::string& field : fields) {
    if (&field != fields.data()) text.append(", ");
    text.append(".").append(field);
  }
  return text;
}

}  // namespace varve::format
