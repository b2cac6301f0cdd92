#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/format_template.h"
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
  bool all = false;
  std::vector<std::string> filters;
  std::string format;
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

// What --format can show: Docker's names, in the order of its JSON.
const std::vector<FormatColumn>& ListColumns() {
  static const auto& columns = *new std::vector<FormatColumn>{
      {"Containers", "CONTAINERS"},
      {"CreatedAt", "CREATED AT"},
      {"CreatedSince", "CREATED"},
      {"Digest", "DIGEST"},
      {"ID", "IMAGE ID"},
      {"Repository", "REPOSITORY"},
      {"SharedSize", "SHARED SIZE"},
      {"Size", "SIZE"},
      {"Tag", "TAG"},
      {"UniqueSize", "UNIQUE SIZE"},
      {"VirtualSize", "SIZE"},
  };
  return columns;
}

FormatValue FormatRow(const ImageInfo& image, bool no_trunc, int64_t now_nanos) {
  constexpr char kUnknown[] = "N/A";
  const Digest& id = ImageId(image.manifest);
  const std::optional<int64_t> created = image.created_nanos;
  const std::string size = HumanSize(image.total_bytes);
  return FormatValue::Object({{"Containers", kUnknown},
                              {"CreatedAt", created ? DockerTimeText(*created) : kUnknown},
                              {"CreatedSince", created ? HumanAge(*created, now_nanos) : kUnknown},
                              {"Digest", image.manifest.digest.ToString()},
                              {"ID", no_trunc ? id.ToString() : ShortId(id)},
                              {"Repository", image.repository},
                              {"SharedSize", kUnknown},
                              {"Size", size},
                              {"Tag", image.tag.empty() ? "<none>" : image.tag},
                              {"UniqueSize", kUnknown},
                              {"VirtualSize", size}});
}

absl::StatusOr<FormattedListing> MakeListing(const ListArguments& arguments) {
  const std::string_view table =
      arguments.digests
          ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
          : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
  const std::string format = arguments.quiet ? "{{.ID}}" : arguments.format;
  return FormattedListing::Create(format, ListColumns(), table);
}

// The text for the next images of the listing.
absl::StatusOr<std::string> FormatImages(const ListArguments& arguments,
                                         const std::vector<ImageInfo>& images,
                                         FormattedListing& listing) {
  const int64_t now_nanos = SystemClock().WallNanos();
  std::string json;
  std::vector<FormatValue> rows;
  for (const ImageInfo& image : images) {
    if (arguments.json) {
      json.append(JsonRow(image));
    } else {
      rows.push_back(FormatRow(image, arguments.no_trunc, now_nanos));
    }
  }
  if (arguments.json) return json;
  return listing.Format(rows);
}

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
  ASSIGN_OR_RETURN(FormattedListing listing, MakeListing(arguments));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const auto [repository, tag] = SplitName(arguments.name);
  std::string page_token;
  do {
    absl::StatusOr<ImagePage> page = client->ListImages(
        {repository, arguments.filters, arguments.all}, page_token, kMaxPageRows);
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
    ASSIGN_OR_RETURN(const std::string text, FormatImages(arguments, page->images, listing));
    if (!Print(text)) break;
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
  command->add_flag("-a,--all", arguments->all,
                    "Also untagged images that an index or a referrer belongs to");
  command
      ->add_option("-f,--filter", arguments->filters,
                   "Only images that match: dangling=BOOL, label=KEY[=VALUE], before=IMAGE, "
                   "since=IMAGE, until=TIME, reference=GLOB; several must all match")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--digests", arguments->digests, "Show the digest of each manifest");
  command->add_flag("--no-trunc", arguments->no_trunc, "Show image ids in full");
  CLI::Option* const quiet =
      command->add_flag("-q,--quiet", arguments->quiet, "Show image ids only");
  CLI::Option* const json = command->add_flag("--json", arguments->json, "One JSON object a line");
  command
      ->add_option("--format", arguments->format,
                   "table, json, 'table TEMPLATE' or 'TEMPLATE', e.g. '{{.Repository}}:{{.Tag}}'")
      ->type_name("TEMPLATE")
      ->excludes(quiet)
      ->excludes(json);
  command->callback([&session, arguments] {
    const absl::Status format = MakeListing(*arguments).status();
    if (!format.ok()) throw CLI::ValidationError(std::string(format.message()));
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
  CLI::App* const group =
      app.add_subcommand("image", "List, inspect, tag, load, save and remove images");
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
