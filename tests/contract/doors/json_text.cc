#include "tests/contract/doors/json_text.h"

#include <cstddef>
#include <cstdlib>

namespace varve {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view TrimFront(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// Takes the value at the front of `*text`, which begins without space.
std::string_view TakeValue(std::string_view* text) {
  size_t end = 0;
  size_t depth = 0;
  bool in_string = false;
  for (; end < text->size(); ++end) {
    const char c = (*text)[end];
    if (in_string) {
      if (c == '\\') ++end;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']' || c == ',' || c == ':') {
      if (depth == 0) break;
      if (c == '}' || c == ']') --depth;
    }
  }
  std::string_view value = text->substr(0, end);
  text->remove_prefix(value.size());
  while (!value.empty() && kSpace.find(value.back()) != std::string_view::npos) {
    value.remove_suffix(1);
  }
  return value;
}

// Takes `mark` off the front, with the space around it.
bool Take(std::string_view* text, char mark) {
  *text = TrimFront(*text);
  if (text->empty() || text->front() != mark) return false;
  *text = TrimFront(text->substr(1));
  return true;
}

}  // namespace

std::string_view JsonMember(std::string_view object, std::string_view key) {
  if (!Take(&object, '{')) return {};
  do {
    const std::string_view name = TakeValue(&object);
    if (!Take(&object, ':')) return {};
    const std::string_view value = TakeValue(&object);
    if (JsonString(name) == key) return value;
  } while (Take(&object, ','));
  return {};
}

std::vector<std::string_view> JsonElements(std::string_view array) {
  std::vector<std::string_view> values;
  if (!Take(&array, '[') || array.substr(0, 1) == "]") return values;
  do {
    values.push_back(TakeValue(&array));
  } while (Take(&array, ','));
  return values;
}

std::string JsonString(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return {};
  std::string text;
  for (size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] != '\\') {
      text.push_back(value[i]);
    } else if (value[i + 1] == 'u' && i + 5 < value.size()) {  // the door escapes controls only
      text.push_back(static_cast<char>(
          std::strtoul(std::string(value.substr(i + 2, 4)).c_str(), nullptr, 16)));
      i += 5;
    } else {
      text.push_back(value[++i]);
    }
  }
  return text;
}

}  // namespace varve
