// What may be shown on a terminal and how much of it fits there. Pure, but for the questions to the
// system; any thread.
#ifndef VARVE_CLIENT_CLI_TERMINAL_H_
#define VARVE_CLIENT_CLI_TERMINAL_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace varve {

struct TerminalSize {
  size_t columns = 80;
  size_t lines = 24;
};

// Whether descriptor `fd` is a terminal that understands cursor movement: TERM names one.
bool IsTerminal(int fd);

// 80x24 when the terminal does not tell.
TerminalSize SizeOfTerminal(int fd);

// `text` with '?' in place of what could command a terminal or deceive the eye: control characters
// (C0, DEL, C1), marks that change the direction of writing, and bytes that are not UTF-8.
std::string Printable(std::string_view text);

// The same for a text of several lines: line feeds and tabs stay.
std::string PrintableLines(std::string_view text);

// How many columns `printable` fills at most: characters beyond ASCII count as two.
size_t ColumnsOf(std::string_view printable);

// `printable` cut to at most `columns` and, when `pad`, filled up with spaces to exactly as many.
std::string FitColumns(std::string_view printable, size_t columns, bool pad);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_TERMINAL_H_
