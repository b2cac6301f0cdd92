// `upload ls`, `upload rm`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/action.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/time_text.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct RemoveArguments {
  std::vector<std::string> ids;
  bool json = false;
};

std::string JsonRow(const UploadInfo& upload) {
  return JsonObject()
      .Add("id", upload.id)
      .Add("repository", ShownName(upload.repository))
      .Add("client", upload.client)
      .Add("received_bytes", upload.received_bytes)
      .Add("started", TimeText(upload.started_nanos))
      .Add("updated", TimeText(upload.updated_nanos))
      .Add("expires", TimeText(upload.expires_nanos))
      .Add("in_request", upload.in_request)
      .Line();
}

std::vector<std::string> TableRow(const UploadInfo& upload, const TimeWords& times) {
  return {upload.id,
          ShownName(upload.repository),
          upload.client.empty() ? "-" : upload.client,
          HumanSize(upload.received_bytes),
          times.Past(upload.started_nanos),
          upload.in_request ? "now" : times.Past(upload.updated_nanos),
          times.Future(upload.expires_nanos)};
}

RowForms<UploadInfo> Forms() {
  return {{{"ID", "UPLOAD"},
           {"Repository", "REPOSITORY"},
           {"Client", "CLIENT"},
           {"Received", "RECEIVED"},
           {"StartedSince", "STARTED"},
           {"UpdatedSince", "UPDATED"},
           {"Expires", "EXPIRES"}},
          TableRow,
          [](const UploadInfo& upload) { return upload.id; },
          JsonRow};
}

absl::Status Remove(Session& session, const RemoveArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return PrintEachName(session, arguments.ids, arguments.json ? "removed" : "",
                       [&](const std::string& id) { return client->AbortUpload(id); });
}

void SetUpRemove(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<RemoveArguments>();
  command.add_option("UPLOAD", arguments->ids, "Ids of uploads")->required();
  command.add_flag("--json", arguments->json, "One JSON object an upload, one a line");
  SetAction(command, session, arguments, Remove);
}

}  // namespace

CommandGroup UploadCommands() {
  return {.name = "upload",
          .help = "Unfinished uploads of all clients",
          .commands = {
              ListingCommand({"List the unfinished uploads", "Show ids only",
                              "One JSON object an upload, one a line"},
                             {{"varve upload ls", "What was begun, by whom, and how far it came"}},
                             Forms(), &Client::ListUploads, &UploadPage::uploads),
              {.name = "rm",
               .help = "Drop unfinished uploads; their clients have to begin again",
               .examples = {{"varve upload rm 5f1c…", "Give back the room of one"}},
               .set_up = SetUpRemove}}};
}

}  // namespace varve
