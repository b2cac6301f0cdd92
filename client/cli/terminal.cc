#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "storage/base/utf8.h"

namespace varve {
namespace {

bool IsHarmless(const DecodedCharacter& character) {
  const uint32_t code = character.code;
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool direction = code == 0x61c || code == 0x200e || code == 0x200f ||
                         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return character.valid && !control && !direction;
}

std::string Cleaned(std::string_view text, std::string_view kept) {
  std::string clean;
  while (!text.empty()) {
    const DecodedCharacter character = DecodeFirst(text);
    if (IsHarmless(character) || kept.find(text[0]) != std::string_view::npos) {
      clean.append(text.substr(0, character.bytes));
    } else {
      clean.push_back('?');
    }
    text.remove_prefix(character.bytes);
  }
  return clean;
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

std::string Printable(std::string_view text) { return Cleaned(text, ""); }

std::string PrintableLines(std::string_view text) { return Cleaned(text, "\n\t"); }

size_t ColumnsOf(std::string_view printable) {
  size_t columns = 0;
  while (!printable.empty()) {
    const DecodedCharacter character = DecodeFirst(printable);
    columns += character.bytes == 1 ? 1 : 2;
    printable.remove_prefix(character.bytes);
  }
  return columns;
}

std::string FitColumns(std::string_view printable, size_t columns, bool pad) {
  std::string fitted;
  size_t left = columns;
  while (!printable.empty()) {
    const size_t bytes = DecodeFirst(printable).bytes;
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
