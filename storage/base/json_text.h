// JSON as text, on one line: strings with their escapes, arrays, objects. Pure; not thread-safe.
#ifndef VARVE_STORAGE_BASE_JSON_TEXT_H_
#define VARVE_STORAGE_BASE_JSON_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// What is escaped. A program that parses it sees no difference, but the bytes of a stored document
// must stay the same, and what a terminal may show is not what a log may. Always escaped are
// quotes and backslashes, with a backslash, and characters below U+0020.
struct JsonEscapes {
  enum class BadBytes { kKept, kReplaced, kHex };

  std::string_view by_letter = "";          // of "\b\f\n\r\t": written as \b, and not as \u0008
  bool (*hidden)(uint32_t code) = nullptr;  // others up to U+FFFF that are written as \uXXXX
  // Bytes that are no UTF-8: as they are; as U+FFFD; or as \xNN, which is no JSON.
  BadBytes bad_bytes = BadBytes::kKept;
};
inline constexpr std::string_view kJsonLetters = "\b\f\n\r\t";

// Appends `text` as the inside of a JSON string.
void AppendJsonEscaped(std::string* out, std::string_view text, const JsonEscapes& escapes = {});
// The same with quotes around it.
void AppendJsonString(std::string* out, std::string_view text, const JsonEscapes& escapes = {});

// Builds one JSON array.
class JsonArray {
 public:
  explicit JsonArray(const JsonEscapes& escapes = {}) : escapes_(escapes) {}
  JsonArray& Add(std::string_view text);
  // An element that is JSON text already.
  JsonArray& AddJson(std::string_view json);
  // "[…]".
  std::string Text() const;

 private:
  JsonEscapes escapes_;
  std::string elements_;
};

// Builds one JSON object.
class JsonObject {
 public:
  explicit JsonObject(const JsonEscapes& escapes = {}) : escapes_(escapes) {}
  JsonObject& Add(std::string_view key, const char* value) {
    return Add(key, std::string_view(value));
  }
  JsonObject& Add(std::string_view key, std::string_view value);
  JsonObject& Add(std::string_view key, uint64_t value);
  JsonObject& Add(std::string_view key, bool value);
  JsonObject& Add(std::string_view key, const std::vector<std::string>& values);
  // A value that is JSON text already.
  JsonObject& AddJson(std::string_view key, std::string_view json);
  // "{…}".
  std::string Text() const;
  // "{…}" and a newline.
  std::string Line() const;

 private:
  void AddKey(std::string_view key);

  JsonEscapes escapes_;
  std::string members_;
};

// `json` on several lines, four spaces deeper with each level, as Docker's inspect prints it.
std::string IndentJson(std::string_view json);

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_JSON_TEXT_H_
