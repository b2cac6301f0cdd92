#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/action.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/image_listing.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"

namespace varve {
namespace {

struct TagArguments {
  std::string source;
  std::string target;
  bool json = false;
};

struct UntagArguments {
  std::vector<std::string> names;
  bool force = false;
  bool json = false;
};

absl::Status Tag(Session& session, const TagArguments& arguments) {
  ASSIGN_OR_RETURN(const ImageReference target, ParseImageReference(arguments.target));
  if (target.digest) {
    return absl::InvalidArgumentError("the new name must be a tag, not a digest");
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const ImageMatch source, client->FindImage(arguments.source));
  // An id can be in several repositories; of its own one, a tag needs nothing but the name.
  std::string from = source.places[0].repository;
  for (const ImageMatch::Place& place : source.places) {
    if (place.repository == target.repository) from = place.repository;
  }
  RETURN_IF_ERROR(client->TagFrom(from, source.manifest, target.repository, target.tag));
  if (arguments.json) {
    Print(JsonObject()
              .Add("repository", ShownName(target.repository))
              .Add("tag", target.tag)
              .Add("digest", source.manifest.ToString())
              .Line());
  }
  return absl::OkStatus();
}

absl::Status Untag(Session& session, const UntagArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return ForEachName(session, arguments.names, [&](const std::string& name) -> absl::Status {
    ASSIGN_OR_RETURN(const ImageReference reference, ParseImageReference(name));
    if (reference.digest) {
      return absl::InvalidArgumentError(StrCat(name, " names a digest; only tags can be removed"));
    }
    const absl::Status status = client->Untag(reference.repository, reference.tag, arguments.force);
    if (!status.ok()) return Annotate(status, name);
    Print(arguments.json
              ? JsonObject()
                    .Add("repository", ShownName(reference.repository))
                    .Add("untagged", reference.tag)
                    .Line()
              : StrCat("Untagged: ", ShownName(reference.repository), ":", reference.tag, "\n"));
    return absl::OkStatus();
  });
}

void SetUpTag(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<TagArguments>();
  command
      .add_option("SOURCE", arguments->source, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command.add_option("TARGET", arguments->target, "REPOSITORY[:TAG], of any repository")
      ->required()
      ->check(CheckReference);
  command.add_flag("--json", arguments->json, "Print what was tagged as a JSON object");
  SetAction(command, session, arguments, Tag);
}

void SetUpUntag(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<UntagArguments>();
  command.add_option("NAME", arguments->names, "REPOSITORY[:TAG]")
      ->required()
      ->check(CheckReference);
  command.add_flag("-f,--force", arguments->force, "Also the last tag of an image with a hold");
  command.add_flag("--json", arguments->json, "One JSON object a tag, one a line");
  SetAction(command, session, arguments, Untag);
}

}  // namespace

CommandGroup ImageCommands() {
  return {
      .name = "image",
      .help = "List, inspect, tag, load, save and remove images",
      .commands = {{.name = "ls",
                    .help = "List images, the newest first",
                    .examples = {{"varve images team/app", "All tags of one repository"},
                                 {"varve images 'reg:5000/*/*'", "What came from another registry"},
                                 {"varve images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
                                  "For a script"}},
                    .set_up = SetUpImageListing,
                    .short_forms = {"images"}},
                   {.name = "tag",
                    .help = "Give an image one more tag",
                    .examples = {{"varve tag app:v1 app:stable", "One more tag"},
                                 {"varve tag app:v1 team/app:v1", "A tag in another repository"}},
                    .set_up = SetUpTag,
                    .short_forms = {"tag"}},
                   {.name = "untag",
                    .help = "Remove tags; the images stay until they are pruned",
                    .examples = {{"varve untag app:v1", "Remove a tag and keep the image"}},
                    .set_up = SetUpUntag,
                    .short_forms = {"untag"}}}};
}

}  // namespace varve
