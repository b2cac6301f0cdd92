#include "client/cli/commands.h"

#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/help.h"

namespace varve {
namespace {

constexpr char kLongForms[] = "Commands";

// The group of that name, which the first of its files makes.
CLI::App& GroupOf(CLI::App& app, const CommandGroup& group) {
  if (group.name.empty()) return app;
  if (group.help.empty()) return *app.get_subcommand(group.name);
  CLI::App* const added = app.add_subcommand(group.name, group.help)->group(kLongForms);
  return *added->require_subcommand(0, 1);
}

CLI::App& Add(CLI::App& group, const Command& command) {
  CLI::App* const added = group.add_subcommand(command.name, command.help);
  // The names that Docker has for these.
  if (command.name == "ls") added->alias("list");
  if (command.name == "rm") added->alias("remove");
  return *added->group(command.hidden ? "" : kLongForms);
}

CLI::App& AddShortForm(CLI::App& app, const std::string& path, const std::string& help) {
  const size_t space = path.find(' ');
  if (space == std::string::npos) return *app.add_subcommand(path, help)->group(kShortForms);
  CLI::App* const group = app.get_subcommand(path.substr(0, space));
  return *group->add_subcommand(path.substr(space + 1), help)->group(kLongForms);
}

}  // namespace

const std::vector<CommandGroup>& AllCommands() {
  static const auto& all = *new std::vector<CommandGroup>{
      ImageCommands(),      InspectCommands(), RemovalCommands(), TreeCommand(),
      WhyCommand(),         HoldCommands(),    LeaseCommands(),   ImportCommand(),
      LoadCommand(),        SaveCommand(),     BlobCommands(),    UploadCommands(),
      RepositoryCommands(), SystemCommands(),  UsageCommand(),    EventsCommand(),
      PruneCommand(),       FsckCommand(),     VersionCommand(),  HelpCommand(),
      CompletionCommand(),  ManCommand()};
  return all;
}

void AddCommands(CLI::App& app, Session& session) {
  SetHelpForm(app);
  for (const CommandGroup& group : AllCommands()) {
    CLI::App& place = GroupOf(app, group);
    for (const Command& command : group.commands) {
      command.set_up(Add(place, command), session);
      for (const std::string& path : command.short_forms) {
        command.set_up(AddShortForm(app, path, command.help), session);
      }
    }
  }
}

}  // namespace varve
