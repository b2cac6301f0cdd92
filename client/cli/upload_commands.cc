// `upload ls`, `upload rm`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/time_text.h"
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
      .Add("repository", upload.repository)
      .Add("client", upload.client)
      .Add("received_bytes", upload.received_bytes)
      .Add("started", TimeText(upload.started_nanos))
      .Add("updated", TimeText(upload.updated_nanos))
      .Add("expires", TimeText(upload.expires_nanos))
      .Add("in_request", upload.in_request)
      .Line();
}

std::vector<std::string> TableRow(const UploadInfo& upload) {
  const int64_t now = SystemClock().WallNanos();
  return {upload.id,
          upload.repository,
          upload.client.empty() ? "-" : upload.client,
          HumanSize(upload.received_bytes),
          HumanAge(upload.started_nanos, now),
          upload.in_request ? "now" : HumanAge(upload.updated_nanos, now)};
}

absl::Status List(Session& session, const ListingArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const RowForms<UploadInfo> forms = {
      {"UPLOAD", "REPOSITORY", "CLIENT", "RECEIVED", "STARTED", "UPDATED"},
      TableRow,
      [](const UploadInfo& upload) { return upload.id; },
      JsonRow,
  };
  return PrintListing(
      arguments, [&](const std::string& token) { return client->ListUploads(token, kMaxPageRows); },
      &UploadPage::uploads, forms);
}

absl::Status Remove(Session& session, const RemoveArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return ForEachName(session, arguments.ids, arguments.json ? "removed" : "",
                     [&](const std::string& id) { return client->AbortUpload(id); });
}

void AddList(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<ListingArguments>();
  CLI::App* const command = group.add_subcommand("ls", "List the unfinished uploads");
  command->add_flag("-q,--quiet", arguments->quiet, "Show ids only");
  command->add_flag("--json", arguments->json, "One JSON object an upload, one a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return List(session, *arguments); };
  });
}

void AddRemove(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<RemoveArguments>();
  CLI::App* const command =
      group.add_subcommand("rm", "Drop unfinished uploads; their clients have to begin again");
  command->add_option("UPLOAD", arguments->ids, "Ids of uploads")->required();
  command->add_flag("--json", arguments->json, "One JSON object an upload, one a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Remove(session, *arguments); };
  });
}

}  // namespace

void AddUploadCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("upload", "Unfinished uploads of all clients");
  group->require_subcommand(1);
  AddList(*group, session);
  AddRemove(*group, session);
}

}  // namespace varve
