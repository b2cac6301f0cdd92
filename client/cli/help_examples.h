// Example command lines for the help of every command. Pure.
#ifndef VARVE_CLIENT_CLI_HELP_EXAMPLES_H_
#define VARVE_CLIENT_CLI_HELP_EXAMPLES_H_

#include <string>
#include <vector>

#include "client/cli/help.h"

namespace varve {

// Of the command "image ls" or its short form "images"; empty when there are none.
std::vector<HelpEntry> ExamplesOf(const std::string& command);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_HELP_EXAMPLES_H_
