#include "storage/base/json_text.h"

#include <array>

#include "storage/base/str_cat.h"
#include "storage/base/utf8.h"

namespace varve {
namespace {

// The characters of ASCII that are always copied as they stand: most of any text.
constexpr std::array<bool, 256> kOrdinary = [] {
  std::array<bool, 256> ordinary{};
  for (size_t c = 0x20; c < 0x7f; ++c) ordinary[c] = c != '"' && c != '\\';
  return ordinary;
}();

size_t CountOrdinary(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && kOrdinary[static_cast<unsigned char>(text[count])]) ++count;
  return count;
}

void AppendHex(std::string* out, std::string_view prefix, uint32_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out->append(prefix);
  while (digits-- > 0) out->push_back(kDigits[value >> (4 * digits) & 15]);
}

void AppendBadByte(std::string* out, char byte, JsonEscapes::BadBytes how) {
  switch (how) {
    case JsonEscapes::BadBytes::kKept:
      out->push_back(byte);
      break;
    case JsonEscapes::BadBytes::kReplaced:
      out->append("\\ufffd");
      break;
    case JsonEscapes::BadBytes::kHex:
      AppendHex(out, "\\x", static_cast<unsigned char>(byte), 2);
  }
}

void AppendCharacter(std::string* out, std::string_view bytes, uint32_t code,
                     const JsonEscapes& escapes) {
  constexpr std::string_view kLetters = "bfnrt";  // in the order of kJsonLetters
  if (code == '"' || code == '\\') {
    out->append("\\").append(bytes);
  } else if (code < 0x20 && escapes.by_letter.find(bytes[0]) != std::string_view::npos) {
    out->append("\\").push_back(kLetters[kJsonLetters.find(bytes[0])]);
  } else if (code < 0x20 || (escapes.hidden != nullptr && escapes.hidden(code))) {
    AppendHex(out, "\\u", code, 4);
  } else {
    out->append(bytes);
  }
}

}  // namespace

void AppendJsonEscaped(std::string* out, std::string_view text, const JsonEscapes& escapes) {
  while (true) {
    const size_t ordinary = CountOrdinary(text);
    out->append(text.substr(0, ordinary));
    text.remove_prefix(ordinary);
    if (text.empty()) return;
    const DecodedCharacter first = DecodeFirst(text);
    if (first.valid) {
      AppendCharacter(out, text.substr(0, first.bytes), first.code, escapes);
    } else {
      AppendBadByte(out, text[0], escapes.bad_bytes);
    }
    text.remove_prefix(first.bytes);
  }
}

void AppendJsonString(std::string* out, std::string_view text, const JsonEscapes& escapes) {
  out->push_back('"');
  AppendJsonEscaped(out, text, escapes);
  out->push_back('"');
}

JsonArray& JsonArray::Add(std::string_view text) {
  if (!elements_.empty()) elements_.push_back(',');
  AppendJsonString(&elements_, text, escapes_);
  return *this;
}

JsonArray& JsonArray::AddJson(std::string_view json) {
  if (!elements_.empty()) elements_.push_back(',');
  elements_.append(json);
  return *this;
}

std::string JsonArray::Text() const { return StrCat("[", elements_, "]"); }

JsonObject& JsonObject::Add(std::string_view key, std::string_view value) {
  AddKey(key);
  AppendJsonString(&members_, value, escapes_);
  return *this;
}

JsonObject& JsonObject::Add(std::string_view key, uint64_t value) {
  AddKey(key);
  members_.append(StrCat(value));
  return *this;
}

JsonObject& JsonObject::Add(std::string_view key, bool value) {
  return AddJson(key, value ? "true" : "false");
}

JsonObject& JsonObject::Add(std::string_view key, const std::vector<std::string>& values) {
  JsonArray array(escapes_);
  for (const std::string& text : values) array.Add(text);
  return AddJson(key, array.Text());
}

JsonObject& JsonObject::AddJson(std::string_view key, std::string_view json) {
  AddKey(key);
  members_.append(json);
  return *this;
}

std::string JsonObject::Text() const { return StrCat("{", members_, "}"); }

std::string JsonObject::Line() const { return StrCat("{", members_, "}\n"); }

void JsonObject::AddKey(std::string_view key) {
  if (!members_.empty()) members_.push_back(',');
  AppendJsonString(&members_, key, escapes_);
  members_.push_back(':');
}

std::string IndentJson(std::string_view json) {
  std::string text;
  size_t depth = 0;
  bool in_string = false;
  const auto new_line = [&] {
    text.push_back('\n');
    text.append(4 * depth, ' ');
  };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      text.push_back(c);
      if (c == '\\' && i + 1 < json.size()) text.push_back(json[++i]);
      in_string = c != '"';
    } else if (c == '{' || c == '[') {
      text.push_back(c);
      if (i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
        text.push_back(json[++i]);
        continue;
      }
      ++depth;
      new_line();
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
      new_line();
      text.push_back(c);
    } else if (c == ',') {
      text.push_back(c);
      new_line();
    } else if (c == ':') {
      text.append(": ");
    } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
      text.push_back(c);
      in_string = c == '"';
    }
  }
  return text;
}

}  // namespace varve
