// Bash completion, generated from the commands and options as they are.
#ifndef VARVE_CLIENT_CLI_COMPLETION_H_
#define VARVE_CLIENT_CLI_COMPLETION_H_

#include <string>

namespace CLI {
class App;
}

namespace varve {

// A script for `source` in bash 4 or later. Commands and options come from `app`; names of images
// from the daemon, which is given two seconds, and nothing when it does not answer. What the daemon
// says is never expanded by the shell.
std::string BashCompletion(const CLI::App& app);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_COMPLETION_H_
