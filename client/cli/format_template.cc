#include "client/cli/format_template.h"

#include <algorithm>
#include <utility>

#include "client/cli/format_nodes.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using format::Command;
using format::ErrorAt;
using format::Node;
using format::Operand;
using format::Pipeline;

// Values looked at for one row; texts cost more the longer they are.
constexpr size_t kMaxSteps = 1'000'000;
constexpr size_t kBytesPerStep = 64;

class Evaluator {
 public:
  Evaluator(const FormatValue& row, bool heads) : row_(row), heads_(heads) {
    variables_.emplace_back("$", row);
  }

  absl::StatusOr<std::string> Run(const std::vector<Node>& nodes) {
    RETURN_IF_ERROR(Render(nodes, row_));
    return std::move(out_);
  }

 private:
  // What comes next in the ranges around.
  enum class Flow { kOn, kBreak, kContinue };

  absl::Status Render(const std::vector<Node>& nodes, const FormatValue& dot) {
    const size_t variables_before = variables_.size();
    for (const Node& node : nodes) {
      RETURN_IF_ERROR(Render(node, dot));
      if (out_.size() > format::kMaxResultBytes) {
        return ErrorAt(node.position, "the output for one row is too long");
      }
      if (flow_ != Flow::kOn) break;
    }
    variables_.resize(variables_before);
    return absl::OkStatus();
  }

  absl::Status Render(const Node& node, const FormatValue& dot) {
    RETURN_IF_ERROR(Spend(1, node.position));
    if (node.kind == Node::Kind::kText) {
      out_.append(node.text);
      return absl::OkStatus();
    }
    if (node.kind == Node::Kind::kBreak || node.kind == Node::Kind::kContinue) {
      flow_ = node.kind == Node::Kind::kBreak ? Flow::kBreak : Flow::kContinue;
      return absl::OkStatus();
    }
    const size_t variables_before = variables_.size();
    ASSIGN_OR_RETURN(const FormatValue value, Evaluate(node.pipeline, dot));
    // Those of a plain action live on to the end of the block around it.
    if (node.kind == Node::Kind::kOutput) {
      if (node.pipeline.variables.empty()) value.AppendText(&out_);
      Set(node.pipeline, value);
      return absl::OkStatus();
    }
    absl::Status rendered;
    if (node.kind == Node::Kind::kRange) {
      rendered = RenderRange(node, value, dot);
    } else {
      Set(node.pipeline, value);
      const bool with = node.kind == Node::Kind::kWith;
      rendered =
          value.IsTrue() ? Render(node.body, with ? value : dot) : Render(node.otherwise, dot);
    }
    variables_.resize(variables_before);
    return rendered;
  }

  // Gives the variables of a pipeline their value; of two, the second one. The caller ends their
  // life.
  void Set(const Pipeline& pipeline, const FormatValue& value, const FormatValue& key = {}) {
    for (const std::string& name : pipeline.variables) {
      const bool is_value = &name == &pipeline.variables.back();
      if (pipeline.declares) variables_.emplace_back(name, FormatValue());
      *Variable(name) = is_value ? value : key;
    }
  }

  // The innermost of that name, which the parser has seen.
  FormatValue* Variable(const std::string& name) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&](const auto& variable) { return variable.first == name; });
    return &found->second;
  }

  // False when the range is over.
  absl::StatusOr<bool> RenderElement(const Node& node, const FormatValue& key,
                                     const FormatValue& element) {
    RETURN_IF_ERROR(Spend(1, node.position));
    const size_t variables_before = variables_.size();
    Set(node.pipeline, element, key);
    RETURN_IF_ERROR(Render(node.body, element));
    variables_.resize(variables_before);
    return std::exchange(flow_, Flow::kOn) != Flow::kBreak;
  }

  absl::Status RenderRange(const Node& node, const FormatValue& value, const FormatValue& dot) {
    if (heads_) return RenderElement(node, value, value).status();
    if (value.list() != nullptr && !value.list()->empty()) {
      int64_t index = 0;
      for (const FormatValue& element : *value.list()) {
        ASSIGN_OR_RETURN(const bool goes_on,
                         RenderElement(node, FormatValue::Number(index++), element));
        if (!goes_on) break;
      }
      return absl::OkStatus();
    }
    if (value.members() != nullptr && !value.members()->empty()) {
      for (const auto& [name, member] : *value.members()) {
        ASSIGN_OR_RETURN(const bool goes_on, RenderElement(node, name, member));
        if (!goes_on) break;
      }
      return absl::OkStatus();
    }
    if (value.text() != nullptr || value.number() != nullptr || value.boolean() != nullptr) {
      return ErrorAt(node.position, "range needs a list or a map");
    }
    return Render(node.otherwise, dot);
  }

  absl::StatusOr<FormatValue> Evaluate(const Pipeline& pipeline, const FormatValue& dot) {
    absl::StatusOr<FormatValue> value = FormatValue();
    for (const Command& command : pipeline.commands) {
      std::vector<FormatValue> values;
      for (const Operand& operand : command.operands) {
        ASSIGN_OR_RETURN(FormatValue argument, Evaluate(operand, dot));
        values.push_back(std::move(argument));
      }
      if (&command != pipeline.commands.data()) values.push_back(*std::move(value));
      value = command.function == nullptr ? std::move(values[0]) : Call(command, values);
      RETURN_IF_ERROR(value.status());
    }
    return value;
  }

  absl::StatusOr<FormatValue> Call(const Command& command,
                                   const std::vector<FormatValue>& arguments) {
    const format::Function& function = *command.function;
    if (arguments.size() < function.min_arguments || arguments.size() > function.max_arguments) {
      return ErrorAt(command.position,
                     StrCat(function.name, " does not take ", arguments.size(), " values"));
    }
    if (heads_ && !function.on_heads) return arguments.empty() ? FormatValue("") : arguments[0];
    absl::StatusOr<FormatValue> result = function.call(arguments);
    // A head is no number, whatever printf makes of its column.
    if (heads_ && !result.ok()) return arguments.back();
    if (result.ok()) {
      RETURN_IF_ERROR(SpendOn(*result, command.position));
      return result;
    }
    return ErrorAt(command.position, StrCat(function.name, " ", ToStd(result.status().message())));
  }

  absl::StatusOr<FormatValue> Evaluate(const Operand& operand, const FormatValue& dot) {
    RETURN_IF_ERROR(Spend(1, operand.position));
    if (operand.nested != nullptr) return Evaluate(*operand.nested, dot);
    if (!operand.is_path) return operand.literal;
    const FormatValue* value = operand.variable.empty() ? &dot : Variable(operand.variable);
    for (const std::string& name : operand.path) {
      if (value->is_null() || (heads_ && value->text() != nullptr)) break;
      if (value->members() == nullptr) {
        return ErrorAt(operand.position, StrCat(".", name, " is asked of what has no fields"));
      }
      const FormatValue* const member = value->Find(name);
      if (member == nullptr && value->MayLack(name)) return FormatValue();
      if (member == nullptr) {
        std::vector<std::string> fields;
        for (const auto& [field, ignored] : *value->members()) fields.push_back(field);
        return ErrorAt(operand.position, format::UnknownField(name, fields));
      }
      value = member;
    }
    RETURN_IF_ERROR(SpendOn(*value, operand.position));
    return *value;
  }

  absl::Status SpendOn(const FormatValue& value, size_t position) {
    return Spend(value.text() == nullptr ? 1 : value.text()->size() / kBytesPerStep + 1, position);
  }

  absl::Status Spend(size_t steps, size_t position) {
    steps_ += steps;
    if (steps_ <= kMaxSteps) return absl::OkStatus();
    return ErrorAt(position, "the template takes too long for one row");
  }

  const FormatValue& row_;
  const bool heads_;
  std::vector<std::pair<std::string, FormatValue>> variables_;  // the innermost last
  Flow flow_ = Flow::kOn;
  std::string out_;
  size_t steps_ = 0;
};

std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == '\t') {
      cells.emplace_back();
    } else {
      cells.back().push_back(c);
    }
  }
  return cells;
}

// `text` has what follows the word "table", or nullopt for what is no table.
std::optional<std::string_view> TableTemplate(std::string_view text) {
  constexpr std::string_view kTable = "table";
  if (text.empty()) return text;
  if (text.substr(0, kTable.size()) != kTable) return std::nullopt;
  text.remove_prefix(kTable.size());
  const size_t start = text.find_first_not_of(" \t");
  if (start == 0) return std::nullopt;
  return start == std::string_view::npos ? "" : text.substr(start);
}

}  // namespace

FormatTemplate::FormatTemplate(std::vector<Node> nodes)
    : nodes_(std::make_shared<const std::vector<Node>>(std::move(nodes))) {}

absl::StatusOr<FormatTemplate> FormatTemplate::Parse(std::string_view text,
                                                     absl::Span<const std::string> fields) {
  ASSIGN_OR_RETURN(std::vector<Node> nodes, format::ParseTemplate(text, fields));
  return FormatTemplate(std::move(nodes));
}

absl::StatusOr<FormatTemplate> FormatTemplate::ParseRow(std::string_view format,
                                                        absl::Span<const std::string> fields) {
  return Parse(format == "json" ? "{{json .}}" : format, fields);
}

absl::StatusOr<std::string> FormatTemplate::Render(const FormatValue& row) const {
  return Evaluator(row, false).Run(*nodes_);
}

absl::StatusOr<std::string> FormatTemplate::RenderHeads(const FormatValue& heads) const {
  return Evaluator(heads, true).Run(*nodes_);
}

absl::StatusOr<FormattedListing> FormattedListing::Create(std::string_view format,
                                                          absl::Span<const FormatColumn> columns,
                                                          std::string_view default_table) {
  std::vector<std::string> fields;
  FormatValue::Members heads;
  for (const FormatColumn& column : columns) {
    fields.push_back(column.field);
    heads.emplace_back(column.field, column.head);
  }
  std::optional<std::string_view> table = TableTemplate(format);
  if (!table) {
    ASSIGN_OR_RETURN(FormatTemplate row, FormatTemplate::ParseRow(format, fields));
    return FormattedListing(std::move(row), std::nullopt);
  }
  if (table->empty()) table = default_table;
  ASSIGN_OR_RETURN(FormatTemplate row, FormatTemplate::Parse(*table, fields));
  ASSIGN_OR_RETURN(const std::string head, row.RenderHeads(FormatValue::Object(std::move(heads))));
  return FormattedListing(std::move(row), Table(Cells(head)));
}

absl::StatusOr<std::string> FormattedListing::Format(absl::Span<const FormatValue> rows) {
  std::string text;
  std::vector<std::vector<std::string>> cells;
  for (const FormatValue& row : rows) {
    ASSIGN_OR_RETURN(const std::string line, template_.Render(row));
    if (table_) {
      cells.push_back(Cells(line));
    } else {
      text.append(line).push_back('\n');
    }
  }
  return table_ ? table_->Format(cells) : text;
}

}  // namespace varve
