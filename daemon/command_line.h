// The command line of varved. One call, in main, before the first thread.
#ifndef VARVE_DAEMON_COMMAND_LINE_H_
#define VARVE_DAEMON_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/config.h"

namespace varve {

struct CommandLine {
  std::string answer;         // of --help or --version: print it and exit 0
  bool print_config = false;  // print the effective configuration and exit 0
  std::string config_file;
  std::string accept_loss;       // of --accept-loss; see EngineOptions
  std::vector<NameValue> flags;  // those that set a key, for ConfigSources
};

// `arguments` without the program's name. InvalidArgument names the flag that is wrong.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace varve

#endif  // VARVE_DAEMON_COMMAND_LINE_H_
