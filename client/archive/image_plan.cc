#include "client/archive/image_plan.h"

#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_json.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/digest/hasher.h"
#include "storage/limits.h"

namespace varve {
namespace {

absl::Status WrongSize(std::string_view name, uint64_t size_bytes, uint64_t stated_bytes) {
  return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(name), " has ", size_bytes,
                                    " bytes, not ", stated_bytes));
}

absl::StatusOr<LayoutManifest> Parse(const std::string& bytes, const Digest& digest) {
  absl::StatusOr<LayoutManifest> manifest = ParseLayoutManifest(bytes);
  if (manifest.ok()) return manifest;
  return Annotate(manifest.status(), StrCat("the manifest ", digest.ToString()));
}

// The error of a lookup, with what is amiss for the person.
absl::Status Incomplete(const absl::Status& status, std::string_view what) {
  return absl::IsNotFound(status)
             ? Annotate(status, StrCat("it is incomplete: ", what, " is missing"))
             : status;
}

absl::Status OtherPlatform(const Platform& wanted, std::string_view found) {
  return absl::FailedPreconditionError(
      StrCat("it holds nothing for ", Quoted(FormatPlatform(wanted)), ", only ", found));
}

}  // namespace

absl::StatusOr<std::string> ReadManifest(ArchiveContents& contents,
                                         const LayoutDescriptor& descriptor) {
  const std::string name = BlobEntryName(descriptor.digest);
  absl::StatusOr<std::string> bytes = contents.ReadDocument(name);
  if (!bytes.ok()) {
    std::string what = "the manifest";
    if (!descriptor.platform.os.empty()) {
      what += StrCat(" for ", Quoted(FormatPlatform(descriptor.platform)),
                     " (with --platform, one image of an index can be loaded alone)");
    }
    return Incomplete(bytes.status(), what);
  }
  if (bytes->size() != descriptor.size_bytes) {
    return WrongSize(name, bytes->size(), descriptor.size_bytes);
  }
  const Digest digest = HashBytes(descriptor.digest.algorithm(), *bytes);
  if (digest == descriptor.digest) return bytes;
  return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(name), " has the digest ",
                                    digest.ToString(), ", not ", descriptor.digest.ToString()));
}

absl::StatusOr<ReadyImage> LayoutImagePlanner::MakeReady(const LayoutDescriptor& top) {
  LayoutDescriptor chosen = top;
  if (platform_) {
    ASSIGN_OR_RETURN(chosen, Choose(top));
  }
  RETURN_IF_ERROR(Plan(chosen, 0));
  for (const Digest& digest : blobs_) {
    RETURN_IF_ERROR(contents_.Store(BlobEntryName(digest), digest).status());
  }
  return std::move(image_);
}

absl::Status LayoutImagePlanner::Plan(const LayoutDescriptor& descriptor, size_t depth) {
  if (depth > kMaxIndexDepth) {
    return absl::InvalidArgumentError(
        StrCat("its indexes lie within each other more than ", kMaxIndexDepth, " deep"));
  }
  if (!planned_manifests_.insert(descriptor.digest).second) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string bytes, ReadManifest(contents_, descriptor));
  ASSIGN_OR_RETURN(const LayoutManifest manifest, Parse(bytes, descriptor.digest));
  if (manifest.is_index) {
    for (const LayoutDescriptor& child : manifest.children) RETURN_IF_ERROR(Plan(child, depth + 1));
    image_.id = descriptor.digest;
  } else {
    RETURN_IF_ERROR(PlanImage(manifest));
    image_.id = manifest.config->digest;
  }
  image_.manifests.push_back(
      {.digest = descriptor.digest,
       .media_type = manifest.media_type.empty() ? descriptor.media_type : manifest.media_type,
       .bytes = ""});
  return absl::OkStatus();
}

absl::Status LayoutImagePlanner::PlanImage(const LayoutManifest& manifest) {
  RETURN_IF_ERROR(PlanBlob(*manifest.config));
  for (const LayoutDescriptor& layer : manifest.layers) {
    if (!layer.foreign || contents_.Holds(BlobEntryName(layer.digest))) {
      RETURN_IF_ERROR(PlanBlob(layer));
    }
  }
  return absl::OkStatus();
}

absl::Status LayoutImagePlanner::PlanBlob(const LayoutDescriptor& blob) {
  const std::string name = BlobEntryName(blob.digest);
  const absl::StatusOr<uint64_t> size_bytes = contents_.SizeOf(name);
  if (!size_bytes.ok()) return Incomplete(size_bytes.status(), "a blob");
  if (*size_bytes != blob.size_bytes) return WrongSize(name, *size_bytes, blob.size_bytes);
  if (planned_blobs_.insert(blob.digest).second) blobs_.push_back(blob.digest);
  return absl::OkStatus();
}

absl::StatusOr<LayoutDescriptor> LayoutImagePlanner::Choose(const LayoutDescriptor& top) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadManifest(contents_, top));
  ASSIGN_OR_RETURN(const LayoutManifest manifest, Parse(bytes, top.digest));
  if (manifest.is_index) {
    ASSIGN_OR_RETURN(const std::optional<LayoutDescriptor> found, FindPlatform(manifest, 1));
    if (found) return *found;
    return OtherPlatform(*platform_, "images for other platforms");
  }
  const absl::StatusOr<std::string> config =
      contents_.ReadDocument(BlobEntryName(manifest.config->digest));
  if (!config.ok()) return Incomplete(config.status(), "the config");
  const absl::StatusOr<ArchiveImageConfig> parsed = ParseArchiveImageConfig(*config);
  if (!parsed.ok()) return Annotate(parsed.status(), "the config");
  if (MatchesPlatform(*platform_, parsed->platform)) return top;
  return OtherPlatform(*platform_,
                       StrCat("an image for ", Quoted(FormatPlatform(parsed->platform))));
}

absl::StatusOr<std::optional<LayoutDescriptor>> LayoutImagePlanner::FindPlatform(
    const LayoutManifest& manifest, size_t depth) {
  for (const LayoutDescriptor& child : manifest.children) {
    if (MatchesPlatform(*platform_, child.platform)) return child;
  }
  if (depth > kMaxIndexDepth) return std::nullopt;
  for (const LayoutDescriptor& child : manifest.children) {
    if (!child.platform.os.empty() || !searched_.insert(child.digest).second) continue;
    const absl::StatusOr<std::string> bytes = ReadManifest(contents_, child);
    if (absl::IsNotFound(bytes.status())) continue;
    RETURN_IF_ERROR(bytes.status());
    ASSIGN_OR_RETURN(const LayoutManifest nested, Parse(*bytes, child.digest));
    if (!nested.is_index) continue;
    ASSIGN_OR_RETURN(std::optional<LayoutDescriptor> found, FindPlatform(nested, depth + 1));
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace varve
