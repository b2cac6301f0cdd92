#include "client/cli/image_listing.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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

std::string QuotedTime(int64_t nanos) { return StrCat("\"", TimeText(nanos), "\""); }

std::string JsonRow(const ImageInfo& image) {
  const ManifestInfo& manifest = image.manifest;
  return JsonObject()
      .Add("repository", image.repository)
      .Add("tag", image.tag)
      .Add("digest", manifest.digest.ToString())
      .Add("image_id", ImageId(manifest).ToString())
      .Add("media_type", manifest.media_type)
      .Add("artifact_type", manifest.artifact_type)
      .Add("platform", manifest.config ? PlatformText(image.platform) : "")
      .Add("size_bytes", image.total_bytes)
      .AddJson("created", image.created_nanos ? QuotedTime(*image.created_nanos) : "null")
      .Add("pushed", TimeText(manifest.pushed_nanos))
      .AddJson("tagged", image.tag.empty() ? "null" : QuotedTime(image.tagged_nanos))
      .AddJson("pulled", image.pulled_nanos == 0 ? "null" : QuotedTime(image.pulled_nanos))
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

// Docker's order: newest first; images that do not say when they were made come last.
void SortNewestFirst(std::vector<ImageInfo>* images) {
  std::stable_sort(images->begin(), images->end(),
                   [](const auto& a, const auto& b) { return a.created_nanos > b.created_nanos; });
}

// REPOSITORY[:TAG], or a pattern; unlike a reference, no tag means all of them.
struct ListName {
  std::string repository;
  std::string tag;
  std::string pattern;
};

ListName SplitName(const std::string& name) {
  if (name.find_first_of("*?[\\") != std::string::npos) return {"", "", name};
  const size_t colon = name.find(':');
  if (colon == std::string::npos) return {name, "", ""};
  return {name.substr(0, colon), name.substr(colon + 1), ""};
}

// As with Docker, a name that cannot exist matches nothing, and silently.
bool CanExist(const ListName& name) {
  return (name.repository.empty() || ValidateRepositoryName(name.repository).ok()) &&
         (name.tag.empty() || ValidateTag(name.tag).ok());
}

// Prints the pages as they come, or, while they are few, holds them back to sort them.
class ImagePrinter {
 public:
  ImagePrinter(const ListArguments& arguments, FormattedListing& listing)
      : arguments_(arguments), listing_(listing) {}

  // False when nobody reads any more.
  absl::StatusOr<bool> Take(std::vector<ImageInfo> images) {
    std::move(images.begin(), images.end(), std::back_inserter(held_));
    if (held_.size() <= kMaxSorted && !streaming_) return true;
    streaming_ = true;
    return PrintHeld();
  }

  absl::Status Finish() {
    if (!streaming_) SortNewestFirst(&held_);
    return PrintHeld().status();
  }

 private:
  // More images are listed by name, so that a list of any length needs little memory.
  static constexpr size_t kMaxSorted = 10'000;

  absl::StatusOr<bool> PrintHeld() {
    ASSIGN_OR_RETURN(const std::string text, FormatImages(arguments_, held_, listing_));
    held_.clear();
    return Print(text);
  }

  const ListArguments& arguments_;
  FormattedListing& listing_;
  std::vector<ImageInfo> held_;
  bool streaming_ = false;
};

absl::Status List(Session& session, const ListArguments& arguments) {
  ASSIGN_OR_RETURN(FormattedListing listing, MakeListing(arguments));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const ListName name = SplitName(arguments.name);
  ImageQuery query{name.repository, arguments.filters, arguments.all};
  if (!name.pattern.empty()) query.filters.push_back("reference=" + name.pattern);
  ImagePrinter printer(arguments, listing);
  std::string page_token;
  while (CanExist(name)) {
    absl::StatusOr<ImagePage> page = client->ListImages(query, page_token, kMaxPageRows);
    if (absl::IsNotFound(page.status())) break;
    RETURN_IF_ERROR(page.status());
    std::vector<ImageInfo>& images = page->images;
    if (!name.tag.empty()) {
      images.erase(std::remove_if(images.begin(), images.end(),
                                  [&name](const auto& image) { return image.tag != name.tag; }),
                   images.end());
    }
    ASSIGN_OR_RETURN(const bool wanted, printer.Take(std::move(images)));
    page_token = page->next_page_token;
    if (!wanted || page_token.empty()) break;
  }
  return printer.Finish();
}

}  // namespace

void AddImageListing(CLI::App& group, const std::string& name, Session& session) {
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* const command = group.add_subcommand(name, "List images, the newest first");
  command->add_option("NAME", arguments->name,
                      "Only this REPOSITORY[:TAG], or those that match a pattern: 'team/*:v1*'");
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

}  // namespace varve
