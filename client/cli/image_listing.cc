#include "client/cli/image_listing.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "client/cli/format_template.h"
#include "client/cli/image_type.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/image/platform.h"
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

std::string TypeOf(const ImageInfo& image) {
  return ImageType(image.manifest, image.tag, image.platform);
}

std::string JsonRow(const ImageInfo& image) {
  const ManifestInfo& manifest = image.manifest;
  return JsonObject()
      .Add("repository", ShownName(image.repository))
      .Add("tag", image.tag)
      .Add("digest", manifest.digest.ToString())
      .Add("image_id", manifest.digest.ToString())
      .Add("config_digest", manifest.config ? manifest.config->ToString() : "")
      .Add("type", TypeOf(image))
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

// What --format can show: Docker's names and Type, in the order of its JSON.
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
      {"Type", "TYPE"},
      {"UniqueSize", "UNIQUE SIZE"},
      {"VirtualSize", "SIZE"},
  };
  return columns;
}

FormatValue FormatRow(const ImageInfo& image, bool no_trunc, int64_t now_nanos) {
  constexpr char kUnknown[] = "N/A";
  const Digest& id = image.manifest.digest;
  const std::optional<int64_t> created = image.created_nanos;
  const std::string size = HumanSize(image.total_bytes);
  return FormatValue::Object({{"Containers", kUnknown},
                              {"CreatedAt", created ? DockerTimeText(*created) : kUnknown},
                              {"CreatedSince", created ? HumanAge(*created, now_nanos) : kUnknown},
                              {"Digest", id.ToString()},
                              {"ID", no_trunc ? id.ToString() : ShortId(id)},
                              {"Repository", ShownName(image.repository)},
                              {"SharedSize", kUnknown},
                              {"Size", size},
                              {"Tag", image.tag.empty() ? "<none>" : image.tag},
                              {"Type", TypeOf(image)},
                              {"UniqueSize", kUnknown},
                              {"VirtualSize", size}});
}

absl::StatusOr<FormattedListing> MakeListing(const ListArguments& arguments, bool with_types) {
  const std::string table =
      StrCat("{{.Repository}}\t{{.Tag}}\t", arguments.digests ? "{{.Digest}}\t" : "",
             "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}", with_types ? "\t{{.Type}}" : "");
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

// What is listed. Unlike with a reference, no tag means all of them.
struct ListName {
  std::string repository;
  std::string tag;
  std::optional<Digest> digest;
  std::string pattern;

  bool Takes(const ImageInfo& image) const {
    return (tag.empty() || image.tag == tag) && (!digest || image.manifest.digest == *digest);
  }
};

bool IsPattern(std::string_view name) {
  // "[::1]:5000/app" begins with an address: no class of characters has a use for a colon.
  const bool address = name.substr(0, 1) == "[" && name.find(':') < name.find(']');
  return !address && name.find_first_of("*?[\\") != std::string_view::npos;
}

// Of REPOSITORY[:TAG][@DIGEST] or a pattern. InvalidArgument for a name that nothing can have.
absl::StatusOr<ListName> ParseListName(std::string_view name) {
  ListName parsed;
  if (name.empty()) return parsed;
  if (IsPattern(name)) {
    parsed.pattern = std::string(name);
    return parsed;
  }
  if (const size_t at = name.find('@'); at != std::string_view::npos) {
    ASSIGN_OR_RETURN(parsed.digest, Digest::Parse(name.substr(at + 1)));
    name = name.substr(0, at);
  }
  const size_t slash = name.rfind('/');
  const size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    parsed.tag = std::string(name.substr(colon + 1));
    RETURN_IF_ERROR(ValidateTag(parsed.tag));
  }
  ASSIGN_OR_RETURN(parsed.repository, StoredName(name.substr(0, colon)));
  return parsed;
}

// Prints the pages as they come, or, while they are few, holds them back to sort them.
class ImagePrinter {
 public:
  explicit ImagePrinter(const ListArguments& arguments) : arguments_(arguments) {}

  // False when nobody reads any more.
  absl::StatusOr<bool> Take(std::vector<ImageInfo> images) {
    if (arguments_.quiet) RemoveSeen(&images);
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

  // An id stands for one image, whatever names it has.
  void RemoveSeen(std::vector<ImageInfo>* images) {
    const auto is_seen = [this](const ImageInfo& image) {
      return !seen_.insert(image.manifest.digest).second;
    };
    images->erase(std::remove_if(images->begin(), images->end(), is_seen), images->end());
  }

  absl::StatusOr<bool> PrintHeld() {
    if (!listing_.has_value()) {
      // While there are only images, the table is Docker's.
      const bool with_types = std::any_of(held_.begin(), held_.end(), [](const auto& image) {
        return TypeOf(image) != kPlainImage;
      });
      ASSIGN_OR_RETURN(listing_, MakeListing(arguments_, with_types));
    }
    ASSIGN_OR_RETURN(const std::string text, FormatImages(arguments_, held_, *listing_));
    held_.clear();
    return Print(text);
  }

  const ListArguments& arguments_;
  std::optional<FormattedListing> listing_;  // from the first images on
  std::vector<ImageInfo> held_;
  absl::flat_hash_set<Digest> seen_;  // ids, when only these are printed
  bool streaming_ = false;
};

absl::Status PrintImages(Client& client, const ListArguments& arguments, const ListName& name,
                         ImagePrinter& printer) {
  ImageQuery query{name.repository, arguments.filters, arguments.all};
  // Asked for by its name, a signature is shown.
  query.all = query.all || SubjectOfTag(name.tag).has_value();
  if (!name.pattern.empty()) query.filters.push_back("reference=" + name.pattern);
  std::string page_token;
  do {
    absl::StatusOr<ImagePage> page = client.ListImages(query, page_token, kMaxPageRows);
    if (absl::IsNotFound(page.status())) return absl::OkStatus();
    RETURN_IF_ERROR(page.status());
    std::vector<ImageInfo>& images = page->images;
    images.erase(std::remove_if(images.begin(), images.end(),
                                [&name](const auto& image) { return !name.Takes(image); }),
                 images.end());
    ASSIGN_OR_RETURN(const bool wanted, printer.Take(std::move(images)));
    page_token = wanted ? page->next_page_token : "";
  } while (!page_token.empty());
  return absl::OkStatus();
}

absl::Status List(Session& session, const ListArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ImagePrinter printer(arguments);
  const absl::StatusOr<ListName> name = ParseListName(arguments.name);
  if (name.ok()) {
    RETURN_IF_ERROR(PrintImages(*client, arguments, *name, printer));
  } else {
    // As with Docker no failure, but nobody shall wonder where the images are.
    PrintError(StrCat("no image can be called \"", arguments.name,
                      "\": ", ToStd(name.status().message())));
  }
  return printer.Finish();
}

}  // namespace

void SetUpImageListing(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<ListArguments>();
  command.add_option("NAME", arguments->name,
                     "Only this REPOSITORY[:TAG], or those that match a pattern: 'team/*:v1*'");
  command.add_flag("-a,--all", arguments->all,
                   "Also what belongs to other images: their platforms, signatures, attestations");
  command
      .add_option("-f,--filter", arguments->filters,
                  "Only images that match: dangling=BOOL, label=KEY[=VALUE], before=IMAGE, "
                  "since=IMAGE, until=TIME, reference=GLOB; several must all match")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--digests", arguments->digests, "Show the digest of each manifest");
  command.add_flag("--no-trunc", arguments->no_trunc, "Show image ids in full");
  CLI::Option* const quiet =
      command.add_flag("-q,--quiet", arguments->quiet, "Show image ids only, each once");
  CLI::Option* const json = command.add_flag("--json", arguments->json, "One JSON object a line");
  command
      .add_option("--format", arguments->format,
                  "table, json, 'table TEMPLATE' or 'TEMPLATE', e.g. '{{.Repository}}:{{.Tag}}'")
      ->type_name("TEMPLATE")
      ->excludes(quiet)
      ->excludes(json);
  command.callback([&session, arguments] {
    const absl::Status format = MakeListing(*arguments, true).status();
    if (!format.ok()) throw CLI::ValidationError(std::string(format.message()));
    session.action = [&session, arguments] { return List(session, *arguments); };
  });
}

}  // namespace varve
