#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace varve {
namespace {

struct Character {
  size_t bytes = 1;  // of the input that it takes
  uint32_t code = 0;
  bool valid = false;
};

unsigned char ByteAt(std::string_view text, size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// The first character of `text`, which is not empty. Overlong forms, surrogates and what is cut off
// are not valid and take one byte.
Character FirstCharacter(std::string_view text) {
  const unsigned char lead = ByteAt(text, 0);
  if (lead < 0x80) return {.bytes = 1, .code = lead, .valid = true};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  uint32_t code = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const unsigned char next = ByteAt(text, i);
    if ((next & 0xc0) != 0x80) return {};
    code = code << 6 | (next & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {.bytes = length, .code = code, .valid = true};
}

bool IsHarmless(const Character& character) {
  const uint32_t code = character.code;
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool direction = code == 0x61c || code == 0x200e || code == 0x200f ||
                         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return character.valid && !control && !direction;
}

}  // namespace

bool IsTerminal(int fd) {
  const char* const term = std::getenv("TERM");
  return isatty(fd) != 0 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

TerminalSize SizeOfTerminal(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.columns = size.ws_col, .lines = size.ws_row};
}

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (IsHarmless(character)) {
      printable.append(text.substr(0, character.bytes));
    } else {
      printable.push_back('?');
    }
    text.remove_prefix(character.bytes);
  }
  return printable;
}

size_t ColumnsOf(std::string_view printable) {
  size_t columns = 0;
  while (!printable.empty()) {
    const Character character = FirstCharacter(printable);
    columns += character.bytes == 1 ? 1 : 2;
    printable.remove_prefix(character.bytes);
  }
  return columns;
}

std::string FitColumns(std::string_view printable, size_t columns, bool pad) {
  std::string fitted;
  size_t left = columns;
  while (!printable.empty()) {
    const size_t bytes = FirstCharacter(printable).bytes;
    const size_t needed = bytes == 1 ? 1 : 2;
    if (needed > left) break;
    fitted.append(printable.substr(0, bytes));
    printable.remove_prefix(bytes);
    left -= needed;
  }
  if (pad) fitted.append(left, ' ');
  return fitted;
}

}  // namespace varve
