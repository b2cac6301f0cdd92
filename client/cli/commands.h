// All commands of `varve`. Each function tells those of one file.
#ifndef VARVE_CLIENT_CLI_COMMANDS_H_
#define VARVE_CLIENT_CLI_COMMANDS_H_

#include <vector>

#include "client/cli/command.h"

namespace varve {

CommandGroup BlobCommands();
CommandGroup CompletionCommand();
CommandGroup EventsCommand();
CommandGroup FsckCommand();
CommandGroup HelpCommand();
CommandGroup HoldCommands();
CommandGroup ImageCommands();
CommandGroup ImportCommand();
CommandGroup InspectCommands();
CommandGroup LeaseCommands();
CommandGroup LoadCommand();
CommandGroup ManCommand();
CommandGroup PruneCommand();
CommandGroup RemovalCommands();
CommandGroup RepositoryCommands();
CommandGroup SaveCommand();
CommandGroup SystemCommands();
CommandGroup TreeCommand();
CommandGroup UploadCommands();
CommandGroup UsageCommand();
CommandGroup VersionCommand();
CommandGroup WhyCommand();

// In the order in which help shows them.
const std::vector<CommandGroup>& AllCommands();

// Makes them the command line of `app`; the chosen one leaves what to do in `session`, which must
// outlive it.
void AddCommands(CLI::App& app, Session& session);

// --lease of a command that uploads or reads content.
void AddLeaseOption(CLI::App& command, Session& session);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_COMMANDS_H_
