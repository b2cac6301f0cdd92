// `image rm`, and its short form `rmi`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/action.h"
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

void SetUpRemove(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<RemoveArguments>();
  command.add_option("IMAGE", arguments->names, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command.add_flag("-f,--force", arguments->force,
                   "Also when other tags name the image, and the last tag of one with a hold");
  command.add_flag("--now", arguments->now,
                   "Also what clients were promised: end all promises first");
  command.add_flag("--json", arguments->json, "One JSON object a line");
  SetAction(command, session, arguments, Remove);
}

}  // namespace

CommandGroup RemovalCommands() {
  return {.name = "image",
          .commands = {
              {.name = "rm",
               .help = "Remove images",
               .examples = {{"varve rmi app:v1", "Remove a tag, and with the last one the image"},
                            {"varve rmi --force 8a3f12c0ffee", "Remove an image with all its tags"},
                            {"varve images -qf dangling=true | xargs -r varve rmi",
                             "Remove those that nothing names"}},
               .set_up = SetUpRemove,
               .short_forms = {"rmi"}}}};
}

}  // namespace varve
