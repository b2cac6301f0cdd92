// `image rm`, and its short form `rmi`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct RemoveArguments {
  std::vector<std::string> names;
  bool force = false;
  bool json = false;
};

void PrintRemoved(const RemovedImage& removed, bool json) {
  std::string text;
  for (const std::string& name : removed.untagged) {
    text += json ? JsonObject().Add("untagged", name).Line() : StrCat("Untagged: ", name, "\n");
  }
  for (const std::string& name : removed.deleted) {
    text += json ? JsonObject().Add("deleted", name).Line() : StrCat("Deleted: ", name, "\n");
  }
  Print(text);
}

absl::Status Remove(Session& session, const RemoveArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  absl::Status first_error;
  // Every name is tried, as Docker does, and the first failure decides about the exit code.
  for (const std::string& name : arguments.names) {
    const absl::StatusOr<RemovedImage> removed = client->RemoveImage(name, arguments.force);
    if (removed.ok()) {
      PrintRemoved(*removed, arguments.json);
      continue;
    }
    if (absl::IsNotFound(removed.status()) && arguments.force) {
      PrintError(session.Explain(removed.status()));
    } else if (first_error.ok()) {
      first_error = removed.status();
    } else {
      PrintError(session.Explain(removed.status()));
    }
  }
  return first_error;
}

void AddRemove(CLI::App& group, const std::string& name, Session& session) {
  auto arguments = std::make_shared<RemoveArguments>();
  CLI::App* const command = group.add_subcommand(name, "Remove images");
  command->add_option("IMAGE", arguments->names, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command->add_flag("-f,--force", arguments->force, "Also when other tags name the image");
  command->add_flag("--json", arguments->json, "One JSON object a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Remove(session, *arguments); };
  });
}

}  // namespace

void AddRemovalCommands(CLI::App& app, Session& session) {
  CLI::App& image_group = *app.get_subcommand("image");
  AddRemove(image_group, "rm", session);
  AddRemove(app, "rmi", session);
}

}  // namespace varve
