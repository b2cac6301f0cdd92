#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/image_description.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct ListArguments {
  std::string name;  // REPOSITORY[:TAG], or empty
  bool digests = false;
  bool no_trunc = false;
  bool quiet = false;
  bool json = false;
};

struct TagArguments {
  std::string source;
  std::string target;
  bool json = false;
};

struct UntagArguments {
  std::vector<std::string> names;
  bool json = false;
};

std::string JsonRow(const ImageInfo& image) {
  const ManifestInfo& manifest = image.manifest;
  return JsonObject()
      .Add("repository", image.repository)
      .Add("tag", image.tag)
      .Add("digest", manifest.digest.ToString())
      .Add("image_id", ImageId(manifest).ToString())
      .Add("media_type", manifest.media_type)
      .Add("size_bytes", manifest.content_bytes)
      .Add("pushed", TimeText(manifest.pushed_nanos))
      .Add("tagged", TimeText(image.tagged_nanos))
      .Line();
}

class ImageListing {
 public:
  explicit ImageListing(const ListArguments& arguments)
      : arguments_(arguments), table_(Header(arguments)) {}

  // The text for the next images of the listing.
  std::string Format(const std::vector<ImageInfo>& images, int64_t now_nanos) {
    std::string text;
    std::vector<std::vector<std::string>> rows;
    for (const ImageInfo& image : images) {
      if (arguments_.json) {
        text.append(JsonRow(image));
      } else if (arguments_.quiet) {
        text.append(Id(image)).push_back('\n');
      } else {
        rows.push_back(Row(image, now_nanos));
      }
    }
    if (!arguments_.json && !arguments_.quiet) text = table_.Format(rows);
    return text;
  }

 private:
  static std::vector<std::string> Header(const ListArguments& arguments) {
    std::vector<std::string> header = {"REPOSITORY", "TAG"};
    if (arguments.digests) header.push_back("DIGEST");
    header.insert(header.end(), {"IMAGE ID", "PUSHED", "SIZE"});
    return header;
  }

  std::string Id(const ImageInfo& image) const {
    const Digest& id = ImageId(image.manifest);
    return arguments_.no_trunc ? id.ToString() : ShortId(id);
  }

  std::vector<std::string> Row(const ImageInfo& image, int64_t now_nanos) const {
    std::vector<std::string> row = {image.repository, image.tag.empty() ? "<none>" : image.tag};
    if (arguments_.digests) row.push_back(image.manifest.digest.ToString());
    row.push_back(Id(image));
    row.push_back(HumanDuration(now_nanos - image.manifest.pushed_nanos) + " ago");
    row.push_back(HumanSize(image.manifest.content_bytes));
    return row;
  }

  const ListArguments& arguments_;
  Table table_;
};

// REPOSITORY[:TAG]; unlike a reference, no tag means all of them.
std::pair<std::string, std::string> SplitName(const std::string& name) {
  const size_t colon = name.find(':');
  if (colon == std::string::npos) return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string CheckListName(const std::string& name) {
  const auto [repository, tag] = SplitName(name);
  absl::Status status = ValidateRepositoryName(repository);
  if (status.ok() && name.find(':') != std::string::npos) status = ValidateTag(tag);
  return std::string(status.message());
}

absl::Status List(Session& session, const ListArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const auto [repository, tag] = SplitName(arguments.name);
  ImageListing listing(arguments);
  std::string page_token;
  do {
    absl::StatusOr<ImagePage> page =
        client->ListImages({repository, {}, false}, page_token, kMaxPageRows);
    // As with Docker, a name that matches nothing gives an empty list.
    if (absl::IsNotFound(page.status())) page = ImagePage{};
    RETURN_IF_ERROR(page.status());
    if (!tag.empty()) {
      std::vector<ImageInfo>& images = page->images;
      images.erase(
          std::remove_if(images.begin(), images.end(),
                         [&wanted = tag](const auto& image) { return image.tag != wanted; }),
          images.end());
    }
    if (!Print(listing.Format(page->images, SystemClock().WallNanos()))) break;
    page_token = page->next_page_token;
  } while (!page_token.empty());
  return absl::OkStatus();
}

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
              .Add("repository", target.repository)
              .Add("tag", target.tag)
              .Add("digest", source.manifest.ToString())
              .Line());
  }
  return absl::OkStatus();
}

absl::Status Untag(Session& session, const UntagArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  for (const std::string& name : arguments.names) {
    ASSIGN_OR_RETURN(const ImageReference reference, ParseImageReference(name));
    if (reference.digest) {
      return absl::InvalidArgumentError(StrCat(name, " names a digest; only tags can be removed"));
    }
    const absl::Status status = client->Untag(reference.repository, reference.tag);
    if (!status.ok()) return Annotate(status, name);
    Print(arguments.json ? JsonObject()
                               .Add("repository", reference.repository)
                               .Add("untagged", reference.tag)
                               .Line()
                         : StrCat("Untagged: ", reference.repository, ":", reference.tag, "\n"));
  }
  return absl::OkStatus();
}

void AddList(CLI::App& group, const std::string& name, Session& session) {
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* const command = group.add_subcommand(name, "List tagged images");
  command->add_option("NAME", arguments->name, "Only this REPOSITORY[:TAG]")->check(CheckListName);
  command->add_flag("--digests", arguments->digests, "Show the digest of each manifest");
  command->add_flag("--no-trunc", arguments->no_trunc, "Show image ids in full");
  command->add_flag("-q,--quiet", arguments->quiet, "Show image ids only");
  command->add_flag("--json", arguments->json, "One JSON object a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return List(session, *arguments); };
  });
}

void AddTag(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<TagArguments>();
  CLI::App* const command = group.add_subcommand("tag", "Give an image one more tag");
  command
      ->add_option("SOURCE", arguments->source, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command->add_option("TARGET", arguments->target, "REPOSITORY[:TAG], of any repository")
      ->required()
      ->check(CheckReference);
  command->add_flag("--json", arguments->json, "Print what was tagged as a JSON object");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Tag(session, *arguments); };
  });
}

void AddUntag(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<UntagArguments>();
  CLI::App* const command =
      group.add_subcommand("untag", "Remove tags; the images stay until they are pruned");
  command->add_option("NAME", arguments->names, "REPOSITORY[:TAG]")
      ->required()
      ->check(CheckReference);
  command->add_flag("--json", arguments->json, "One JSON object a tag, one a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Untag(session, *arguments); };
  });
}

}  // namespace

void AddImageCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("image", "List and tag images");
  group->require_subcommand(1);
  AddList(*group, "ls", session);
  AddTag(*group, session);
  AddUntag(*group, session);
  // The short forms that people know from docker.
  AddList(app, "images", session);
  AddTag(app, session);
  AddUntag(app, session);
}

}  // namespace varve
