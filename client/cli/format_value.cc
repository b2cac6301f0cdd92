#include "client/cli/format_value.h"

#include <algorithm>

#include "storage/base/json_text.h"
#include "storage/base/str_cat.h"

namespace varve {

FormatValue FormatValue::ListOf(List list) {
  return FormatValue(Content(std::make_shared<const List>(std::move(list))));
}

FormatValue FormatValue::Object(Members members, std::vector<std::string> optional) {
  FormatValue object(Content(std::make_shared<const Members>(std::move(members))));
  if (!optional.empty()) {
    object.optional_ = std::make_shared<const std::vector<std::string>>(std::move(optional));
  }
  return object;
}

FormatValue FormatValue::Map(Members members) {
  FormatValue map = Object(std::move(members));
  map.is_map_ = true;
  return map;
}

const FormatValue* FormatValue::Find(std::string_view name) const {
  if (members() == nullptr) return nullptr;
  const auto found = std::find_if(members()->begin(), members()->end(),
                                  [name](const auto& member) { return member.first == name; });
  return found == members()->end() ? nullptr : &found->second;
}

bool FormatValue::MayLack(std::string_view name) const {
  return is_map_ || (optional_ != nullptr &&
                     std::find(optional_->begin(), optional_->end(), name) != optional_->end());
}

bool FormatValue::IsTrue() const {
  if (boolean() != nullptr) return *boolean();
  if (number() != nullptr) return *number() != 0;
  if (text() != nullptr) return !text()->empty();
  if (list() != nullptr) return !list()->empty();
  return members() != nullptr && (!is_map_ || !members()->empty());
}

void FormatValue::AppendText(std::string* out) const {
  if (is_null()) out->append("<no value>");
  if (boolean() != nullptr) out->append(*boolean() ? "true" : "false");
  if (number() != nullptr) out->append(StrCat(*number()));
  if (text() != nullptr) out->append(*text());
  const char* gap = "";
  if (list() != nullptr) {
    out->push_back('[');
    for (const FormatValue& value : *list()) {
      out->append(gap);
      value.AppendText(out);
      gap = " ";
    }
    out->push_back(']');
  }
  if (members() != nullptr) {
    out->append(is_map_ ? "map[" : "{");
    for (const auto& [name, value] : *members()) {
      out->append(gap);
      if (is_map_) out->append(name).push_back(':');
      value.AppendText(out);
      gap = " ";
    }
    out->push_back(is_map_ ? ']' : '}');
  }
}

void FormatValue::AppendJson(std::string* out) const {
  if (is_null()) out->append("null");
  if (boolean() != nullptr) out->append(*boolean() ? "true" : "false");
  if (number() != nullptr) out->append(StrCat(*number()));
  if (text() != nullptr) AppendJsonString(out, *text());
  const char* gap = "";
  if (list() != nullptr) {
    out->push_back('[');
    for (const FormatValue& value : *list()) {
      out->append(gap);
      value.AppendJson(out);
      gap = ",";
    }
    out->push_back(']');
  }
  if (members() != nullptr) {
    out->push_back('{');
    for (const auto& [name, value] : *members()) {
      out->append(gap);
      AppendJsonString(out, name);
      out->push_back(':');
      value.AppendJson(out);
      gap = ",";
    }
    out->push_back('}');
  }
}

}  // namespace varve
