// What `varve` says about itself, kept once for --help, the man page and completion: a view of the
// CLI11 tree that AddCommands makes, and what only people need (examples, environment, exit codes).
// One thread.
#ifndef VARVE_CLIENT_CLI_HELP_H_
#define VARVE_CLIENT_CLI_HELP_H_

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace varve {

// The group of commands at the root that stand for a longer one.
inline constexpr char kShortForms[] = "Short forms";

// Before `app` has commands, which take it over: what --help says of itself, and how it looks.
void SetHelpForm(CLI::App& app);

// The innermost command that the command line named; `app` itself when it named none.
const CLI::App& ChosenCommand(const CLI::App& app);

// What --help prints about `command`, whatever the command line named.
std::string HelpText(const CLI::App& command);

// "varve image ls".
std::string CommandPath(const CLI::App& command);
// "varve image ls [OPTIONS] [NAME]".
std::string UsageLine(const CLI::App& command);
// Those that help shows, in order.
std::vector<const CLI::App*> Subcommands(const CLI::App& command);
std::vector<const CLI::Option*> Operands(const CLI::App& command);
std::vector<const CLI::Option*> Options(const CLI::App& command);
// What the value of an option or operand is called: "FILE"; empty for a flag.
std::string ValueName(const CLI::Option& option);
// "-o, --output FILE" or "FILE..."; and what it does.
HelpEntry OptionEntry(const CLI::Option& option);

// Command lines to try, each with what it does.
std::vector<HelpEntry> Examples(const CLI::App& command);
const std::vector<HelpEntry>& EnvironmentEntries();
const std::vector<HelpEntry>& ExitCodeEntries();

// The candidate that `word` is most likely a slip of; empty when none is near.
std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates);
// "there is no command imagse; did you mean images?", for a command line that did not parse.
std::string ExplainUnknown(const CLI::App& app, const std::string& word);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_HELP_H_
