// `hold create`, `hold rm`, `hold ls`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/action.h"
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

struct CreateArguments {
  std::string image;
  std::string name;
  std::string ttl;
  bool json = false;
};

struct ReleaseArguments {
  std::vector<std::string> names;
  bool json = false;
};

std::string CheckTtl(const std::string& text) {
  const absl::StatusOr<int64_t> nanos = ParseDuration(text);
  if (!nanos.ok()) return std::string(nanos.status().message());
  return *nanos > 0 ? "" : "a hold lasts longer than nothing";
}

std::string ImageName(const HoldInfo& hold) {
  const std::string digest = hold.manifest.ToString();
  return hold.repository.empty() ? digest : StrCat(ShownName(hold.repository), "@", digest);
}

std::string JsonRow(const HoldInfo& hold) {
  JsonObject object;
  object.Add("name", hold.name)
      .Add("repository", ShownName(hold.repository))
      .Add("digest", hold.manifest.ToString())
      .Add("created", TimeText(hold.created_nanos));
  if (hold.expires_nanos != 0) object.Add("expires", TimeText(hold.expires_nanos));
  return object.Line();
}

absl::Status Create(Session& session, const CreateArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const ImageMatch image, client->FindImage(arguments.image));
  HoldRequest request;
  request.name = arguments.name;
  // An id is held wherever it is.
  if (!image.by_id) request.repository = image.places[0].repository;
  request.manifest = image.manifest;
  if (!arguments.ttl.empty()) {
    ASSIGN_OR_RETURN(request.ttl_nanos, ParseDuration(arguments.ttl));
  }
  ASSIGN_OR_RETURN(const HoldInfo hold, client->CreateHold(request));
  Print(arguments.json ? JsonRow(hold) : hold.name + "\n");
  return absl::OkStatus();
}

absl::Status Release(Session& session, const ReleaseArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return PrintEachName(session, arguments.names, arguments.json ? "released" : "",
                       [&](const std::string& name) { return client->ReleaseHold(name); });
}

std::vector<std::string> TableRow(const HoldInfo& hold, const TimeWords& times) {
  return {hold.name, ImageName(hold), times.Past(hold.created_nanos),
          hold.expires_nanos == 0 ? "" : times.Future(hold.expires_nanos)};
}

RowForms<HoldInfo> Forms() {
  return {
      {{"Name", "NAME"}, {"Image", "IMAGE"}, {"CreatedSince", "CREATED"}, {"Expires", "EXPIRES"}},
      TableRow,
      [](const HoldInfo& hold) { return hold.name; },
      JsonRow};
}

void SetUpCreate(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<CreateArguments>();
  command.add_option("IMAGE", arguments->image, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command.add_option("--name", arguments->name, "What the hold is called, such as the container")
      ->required();
  command.add_option("--ttl", arguments->ttl, "How long it lasts: 90m, 24h; else until hold rm")
      ->check(CheckTtl);
  command.add_flag("--json", arguments->json, "Print the hold as a JSON object");
  SetAction(command, session, arguments, Create);
}

void SetUpRelease(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<ReleaseArguments>();
  command.add_option("NAME", arguments->names, "Names of holds")->required();
  command.add_flag("--json", arguments->json, "One JSON object a hold, one a line");
  SetAction(command, session, arguments, Release);
}

}  // namespace

CommandGroup HoldCommands() {
  return {
      .name = "hold",
      .help = "Say which images are in use",
      .commands = {
          {.name = "create",
           .help = "Say that an image is in use: it is neither pruned nor deleted",
           .examples = {{"varve hold create app:v1 --name web-1", "While a container uses it"}},
           .set_up = SetUpCreate},
          {.name = "rm",
           .help = "Release holds; the images stay",
           .examples = {{"varve hold rm web-1", "When the container is gone"}},
           .set_up = SetUpRelease},
          ListingCommand(
              {"List the holds", "Show names only", "One JSON object a hold, one a line"},
              {{"varve hold ls", "All holds"}}, Forms(), &Client::ListHolds, &HoldPage::holds)}};
}

}  // namespace varve
