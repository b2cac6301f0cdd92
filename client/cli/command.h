// What a command file tells of its commands, once: the command line, --help, the man page,
// completion and the examples are made from it.
#ifndef VARVE_CLIENT_CLI_COMMAND_H_
#define VARVE_CLIENT_CLI_COMMAND_H_

#include <functional>
#include <string>
#include <vector>

#include "client/cli/session.h"

namespace CLI {
class App;
}

namespace varve {

struct HelpEntry {
  std::string name;
  std::string text;
};

struct Command {
  std::string name = {};                 // "ls"
  std::string help = {};                 // what it does
  std::vector<HelpEntry> examples = {};  // command lines to try, each with what it does
  // Gives it options and operands, and what it leaves in Session::action. Once for each name.
  std::function<void(CLI::App& command, Session& session)> set_up = {};
  // What it is also called: "images" at the root, "system prune" in another group.
  std::vector<std::string> short_forms = {};
  bool hidden = false;  // for programs
};

struct CommandGroup {
  std::string name = {};  // "image"; empty: the root
  std::string help = {};  // empty when a file before has told it
  std::vector<Command> commands = {};
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_COMMAND_H_
