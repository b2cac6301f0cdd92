#include "client/cli/man_page.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/help.h"
#include "client/cli/terminal.h"
#include "storage/base/str_cat.h"
#include "storage/base/utf8.h"

namespace varve {
namespace {

// `text` as a line of text in roff: nothing in it is a request or an escape.
std::string Escaped(std::string_view text) {
  std::string escaped;
  if (!text.empty() && (text[0] == '.' || text[0] == '\'')) escaped.append("\\&");
  while (!text.empty()) {
    const DecodedCharacter character = DecodeFirst(text);
    if (character.code == 0x2026) {
      escaped.append("...");  // which not every device has in one character
    } else if (character.code >= 0x80) {
      escaped.append(absl::StrFormat("\\[u%04X]", character.code));
    } else if (text[0] == '\\') {
      escaped.append("\\e");
    } else if (text[0] == '-') {
      escaped.append("\\-");
    } else if (text[0] == '\'') {
      escaped.append("\\(aq");
    } else if (text[0] == '`') {
      escaped.append("\\(ga");
    } else if (text[0] == '^') {
      escaped.append("\\(ha");
    } else if (text[0] == '~') {
      escaped.append("\\(ti");
    } else {
      escaped.push_back(text[0]);
    }
    text.remove_prefix(character.bytes);
  }
  return escaped;
}

void AppendTagged(const std::vector<HelpEntry>& entries, std::string* page) {
  for (const HelpEntry& entry : entries) {
    page->append(StrCat(".TP\n\\fB", Escaped(entry.name), "\\fR\n", Escaped(entry.text), "\n"));
  }
}

void AppendExamples(const std::vector<HelpEntry>& examples, std::string* page) {
  for (const HelpEntry& example : examples) {
    page->append(StrCat(".PP\n", Escaped(example.text), ":\n.PP\n.RS 4\n.EX\n",
                        Escaped(example.name), "\n.EE\n.RE\n"));
  }
}

void AppendCommand(const CLI::App& command, std::string* page) {
  if (Subcommands(command).empty()) {
    page->append(StrCat(".SS ", Escaped(UsageLine(command)), "\n",
                        Escaped(command.get_description()), ".\n"));
    std::vector<HelpEntry> entries;
    for (const CLI::Option* operand : Operands(command)) entries.push_back(OptionEntry(*operand));
    for (const CLI::Option* option : Options(command)) {
      if (option != command.get_help_ptr()) entries.push_back(OptionEntry(*option));
    }
    AppendTagged(entries, page);
    AppendExamples(Examples(command), page);
  }
  for (const CLI::App* inner : Subcommands(command)) AppendCommand(*inner, page);
}

// The short forms say everything twice: one line each is enough.
void AppendCommands(const CLI::App& app, std::string* page) {
  std::vector<HelpEntry> short_forms;
  for (const CLI::App* command : Subcommands(app)) {
    if (command->get_group() == kShortForms) {
      short_forms.push_back({UsageLine(*command), command->get_description() + "."});
    } else {
      AppendCommand(*command, page);
    }
  }
  page->append(".SS Short forms\n");
  AppendTagged(short_forms, page);
}

}  // namespace

std::string ManPage(const CLI::App& app) {
  std::string page = StrCat(
      ".\\\" Generated from the help texts of varve.\n.TH VARVE 1 \"\" \"", Escaped(app.version()),
      "\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\nvarve \\- command line of the Varve image "
      "store\n",
      ".SH SYNOPSIS\n.B ", Escaped(UsageLine(app)), " [ARGUMENTS]\n.SH DESCRIPTION\n",
      Escaped(app.get_description()), "\n.SH OPTIONS\nThese are for every command.\n");
  std::vector<HelpEntry> options;
  for (const CLI::Option* option : Options(app)) options.push_back(OptionEntry(*option));
  AppendTagged(options, &page);
  page.append(".SH COMMANDS\n");
  AppendCommands(app, &page);
  page.append(".SH ENVIRONMENT\n");
  AppendTagged(EnvironmentEntries(), &page);
  page.append(".SH EXIT STATUS\n");
  AppendTagged(ExitCodeEntries(), &page);
  page.append(".SH EXAMPLES\n");
  AppendExamples(Examples(app), &page);
  return page.append(".SH SEE ALSO\n.BR docker (1),\n.BR podman (1),\n.BR skopeo (1)\n");
}

namespace {

void SetUpMan(CLI::App& command, Session& session) {
  command.callback([&command, &session] {
    session.action = [&command] {
      Print(ManPage(*command.get_parent()));
      return absl::OkStatus();
    };
  });
}

}  // namespace

CommandGroup ManCommand() {
  return {.commands = {{.name = "man",
                        .help = "Print varve(1)",
                        .set_up = SetUpMan,
                        .hidden = true}}};  // the build calls it
}

}  // namespace varve
