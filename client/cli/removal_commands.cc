// `image rm`, and its short form `rmi`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/removal_text.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"

namespace varve {
namespace {

struct RemoveArguments {
  std::vector<std::string> names;
  bool force = false;
  bool now = false;
  bool json = false;
};

std::string RemovedJson(const RemovedImage& removed) {
  std::string text;
  for (const std::string& name : removed.untagged)
    text += JsonObject().Add("untagged", ShownName(name)).Line();
  for (const std::string& name : removed.deleted)
    text += JsonObject().Add("deleted", ShownName(name)).Line();
  // What the daemon counts and does not name.
  const uint64_t untagged = removed.more_untagged;
  const uint64_t deleted = removed.more_deleted;
  if (untagged > 0) text += JsonObject().Add("more_untagged", untagged).Line();
  if (deleted > 0) text += JsonObject().Add("more_deleted", deleted).Line();
  if (removed.promised_until_nanos == 0) return text;
  return text + JsonObject()
                    .Add("promised_images", removed.promised_images)
                    .Add("promised_bytes", removed.promised_bytes)
                    .Add("promised_until", TimeText(removed.promised_until_nanos))
                    .Line();
}

absl::Status Remove(Session& session, const RemoveArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  if (arguments.now) {
    ASSIGN_OR_RETURN(const RecentActivity activity, client->ListActivity());
    PrintWarning(EarlyEndText(activity, SystemClock().WallNanos()));
  }
  return ForEachName(session, arguments.names, [&](const std::string& name) -> absl::Status {
    const absl::StatusOr<RemovedImage> removed =
        client->RemoveImage(name, arguments.force, arguments.now);
    if (absl::IsNotFound(removed.status()) && arguments.force) {
      session.Tell(removed.status());
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(removed.status());
    Print(arguments.json ? RemovedJson(*removed)
                         : RemovedText(*removed, SystemClock().WallNanos()));
    return absl::OkStatus();
  });
}

void AddRemove(CLI::App& group, const std::string& name, Session& session) {
  auto arguments = std::make_shared<RemoveArguments>();
  CLI::App* const command = group.add_subcommand(name, "Remove images");
  command->add_option("IMAGE", arguments->names, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command->add_flag("-f,--force", arguments->force,
                    "Also when other tags name the image, and the last tag of one with a hold");
  command->add_flag("--now", arguments->now,
                    "Also what clients were promised: end all promises first");
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
