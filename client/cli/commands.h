// The command groups of `varve`. Each adds its commands to the command line and, when one of them
// is chosen, leaves what to do in Session::action.
#ifndef VARVE_CLIENT_CLI_COMMANDS_H_
#define VARVE_CLIENT_CLI_COMMANDS_H_

#include "client/cli/session.h"

namespace CLI {
class App;
}

namespace varve {

// `image ls`, `image tag`, `image untag`, and their short forms `images`, `tag`, `untag`.
void AddImageCommands(CLI::App& app, Session& session);

// `image inspect`, `image history`, and `inspect`, `history`; after AddImageCommands.
void AddInspectCommands(CLI::App& app, Session& session);

// `image rm` and `rmi`; after AddImageCommands.
void AddRemovalCommands(CLI::App& app, Session& session);

// `image prune`, `system prune` and `prune`; after AddImageCommands and AddSystemCommands.
void AddPruneCommand(CLI::App& app, Session& session);

// `image tree`; after AddImageCommands.
void AddTreeCommand(CLI::App& app, Session& session);

// `image why`; after AddImageCommands.
void AddWhyCommand(CLI::App& app, Session& session);

// `hold create`, `hold rm`, `hold ls`.
void AddHoldCommands(CLI::App& app, Session& session);

// `upload ls`, `upload rm`.
void AddUploadCommands(CLI::App& app, Session& session);

// `lease create`, `lease attach`, `lease renew`, `lease rm`, `lease ls`.
void AddLeaseCommands(CLI::App& app, Session& session);
// --lease of a command that uploads or reads content.
void AddLeaseOption(CLI::App& command, Session& session);

// `blob put`, `blob get`, `blob stat`, `blob ls`.
void AddBlobCommands(CLI::App& app, Session& session);

// `repo ls`, `repo merge`.
void AddRepositoryCommands(CLI::App& app, Session& session);

// `system info`, and its short form `info`.
void AddSystemCommands(CLI::App& app, Session& session);

// `system df` and `system events`, and their short forms `df`, `events`; after AddSystemCommands.
void AddUsageCommand(CLI::App& app, Session& session);
void AddEventsCommand(CLI::App& app, Session& session);

// `version`; after the version of `app` is set.
void AddVersionCommand(CLI::App& app, Session& session);

// `system fsck` and its short form `fsck`; after AddSystemCommands.
void AddFsckCommand(CLI::App& app, Session& session);

// `image import` and its short form `import`; after AddImageCommands.
void AddImportCommand(CLI::App& app, Session& session);

// `image load` and its short form `load`; after AddImageCommands.
void AddLoadCommand(CLI::App& app, Session& session);

// `image save` and its short form `save`; after AddImageCommands.
void AddSaveCommand(CLI::App& app, Session& session);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_COMMANDS_H_
