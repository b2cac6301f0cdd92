#include "client/archive/image_plan.h"

#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_json.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/platform.h"
#include "storage/limits.h"

namespace varve {
namespace {

absl::Status WrongSize(std::string_view name, uint64_t size_bytes, uint64_t stated_bytes) {
  return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(name), " has ", size_bytes,
                                    " bytes, not ", stated_bytes));
}

// The error of a lookup, with what is amiss for the person.
absl::Status Incomplete(const absl::Status& status, std::string_view what) {
  return absl::IsNotFound(status)
             ? Annotate(status, StrCat("it is incomplete: ", what, " is missing"))
             : status;
}

absl::StatusOr<ParsedManifest> ReadManifest(ArchiveContents& contents, const Descriptor& listed) {
  ASSIGN_OR_RETURN(const std::string bytes, contents.ReadBlobDocument(listed.digest));
  const std::string name = BlobEntryName(listed.digest);
  if (bytes.size() != listed.size_bytes) return WrongSize(name, bytes.size(), listed.size_bytes);
  const Digest digest = HashBytes(listed.digest.algorithm(), bytes);
  if (!(digest == listed.digest)) {
    return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(name), " has the digest ",
                                      digest.ToString(), ", not ", listed.digest.ToString()));
  }
  absl::StatusOr<ParsedManifest> manifest = ParseManifest(bytes, "", ManifestRules::kNoted);
  if (manifest.ok()) return manifest;
  return Annotate(manifest.status(), StrCat("the manifest ", digest.ToString()));
}

std::string NameOf(const ListedManifest& listed) {
  if (IsAttestation(listed.notes)) return "the manifest of an attestation";
  if (listed.notes.platform.os.empty()) return "the manifest";
  return StrCat("the manifest for ", Quoted(PlatformText(listed.notes.platform)));
}

}  // namespace

ImagePlan LayoutPlanner::Plan(const ListedManifest& top) {
  plan_ = ImagePlan();
  planned_.clear();
  const absl::StatusOr<bool> whole = PlanManifest(top, 0);
  if (!whole.ok()) plan_.problem = whole.status();
  return std::move(plan_);
}

absl::StatusOr<bool> LayoutPlanner::PlanManifest(const ListedManifest& listed, size_t depth) {
  if (depth > kMaxIndexDepth) {
    return absl::InvalidArgumentError(
        StrCat("its indexes lie within each other more than ", kMaxIndexDepth, " deep"));
  }
  const auto known = planned_.find(listed.content.digest);
  if (known != planned_.end()) {
    RETURN_IF_ERROR(known->second.status);
    return known->second.whole;
  }
  const absl::StatusOr<bool> whole = PlanNew(listed, depth);
  planned_[listed.content.digest] = {.status = whole.status(), .whole = whole.value_or(false)};
  if (depth > 0 && absl::IsNotFound(whole.status())) {
    plan_.missing.push_back({.listed = listed, .why = whole.status()});
  }
  return whole;
}

absl::StatusOr<bool> LayoutPlanner::PlanNew(const ListedManifest& listed, size_t depth) {
  absl::StatusOr<ParsedManifest> manifest = ReadManifest(contents_, listed.content);
  if (!manifest.ok()) return Incomplete(manifest.status(), NameOf(listed));
  planned_in_all_ += PlannedContents(*manifest);
  if (planned_in_all_ > kMaxPlannedContents) {
    return absl::InvalidArgumentError(StrCat("the images of the archive are made of more than ",
                                             kMaxPlannedContents, " pieces, the limit"));
  }
  if (depth == 0 && manifest->subject) plan_.subject = manifest->subject->digest;
  PlannedManifest planned;
  planned.digest = listed.content.digest;
  planned.media_type = manifest->media_type;
  if (manifest->is_index) {
    ASSIGN_OR_RETURN(const bool whole,
                     PlanIndex(ChildrenOf(*std::move(manifest)), depth, &planned));
    planned.has_gaps = !whole;
  } else {
    if (depth == 0) plan_.top_config = manifest->config->digest;
    RETURN_IF_ERROR(PlanImage(listed, *manifest, &planned));
  }
  const bool whole = !planned.has_gaps;
  plan_.manifests.push_back(std::move(planned));
  return whole;
}

absl::StatusOr<bool> LayoutPlanner::PlanIndex(const std::vector<ListedManifest>& children,
                                              size_t depth, PlannedManifest* index) {
  bool whole = true;
  bool has_image = false;
  absl::Status missing;  // an image rather than an attestation
  bool missing_image = false;
  absl::Status problem;
  for (const ListedManifest& child : children) {
    const bool is_manifest = IsManifestType(child.content.media_type);
    const bool is_image = is_manifest && !IsAttestation(child.notes);
    const absl::StatusOr<bool> planned =
        is_manifest ? PlanManifest(child, depth + 1) : PlanEntry(child, index);
    whole = whole && planned.ok() && *planned;
    has_image = has_image || (planned.ok() && is_image);
    if (absl::IsNotFound(planned.status())) {
      if (missing.ok() || (is_image && !missing_image)) missing = planned.status();
      missing_image = missing_image || is_image;
    } else {
      problem.Update(planned.status());
    }
  }
  RETURN_IF_ERROR(problem);
  if (!has_image) RETURN_IF_ERROR(missing);
  return whole;
}

absl::StatusOr<bool> LayoutPlanner::PlanEntry(const ListedManifest& entry, PlannedManifest* index) {
  const absl::Status status = PlanBlob(entry.content, index);
  if (status.ok()) return true;
  if (absl::IsNotFound(status)) plan_.missing.push_back({.listed = entry, .why = status});
  return status;
}

absl::Status LayoutPlanner::PlanImage(const ListedManifest& listed, const ParsedManifest& manifest,
                                      PlannedManifest* image) {
  RETURN_IF_ERROR(PlanBlob(*manifest.config, image));
  for (const Descriptor& layer : manifest.layers) {
    const absl::Status status = PlanBlob(layer, image);
    if (!(absl::IsNotFound(status) && layer.foreign)) RETURN_IF_ERROR(status);
  }
  image->config = manifest.config->digest;
  image->layers = manifest.layers;
  return HasImageConfig(manifest) ? CheckConfig(listed, manifest, image) : absl::OkStatus();
}

absl::Status LayoutPlanner::PlanBlob(const Descriptor& blob, PlannedManifest* manifest) {
  const absl::StatusOr<uint64_t> size_bytes = contents_.SizeOfBlob(blob.digest);
  if (!size_bytes.ok()) return Incomplete(size_bytes.status(), "a blob");
  if (*size_bytes != blob.size_bytes) {
    return WrongSize(BlobEntryName(blob.digest), *size_bytes, blob.size_bytes);
  }
  manifest->blobs.push_back(blob.digest);
  return absl::OkStatus();
}

// An image whose config tells of more layers would run without them. A config that says nothing of
// layers is that of an artifact.
absl::Status LayoutPlanner::CheckConfig(const ListedManifest& listed,
                                        const ParsedManifest& manifest, PlannedManifest* image) {
  Platform platform = listed.notes.platform;
  if (manifest.config->size_bytes <= kMaxDocumentBytes) {
    ASSIGN_OR_RETURN(const std::string bytes, contents_.ReadBlobDocument(manifest.config->digest));
    const ConfigLayers config = ParseConfigLayers(bytes).value_or(ConfigLayers());
    if (!config.diff_ids.empty() && config.diff_ids.size() != manifest.layers.size()) {
      return absl::NotFoundError(StrCat("it is incomplete: its manifest lists ",
                                        manifest.layers.size(), " layers, its config ",
                                        config.diff_ids.size()));
    }
    if (platform.os.empty()) platform = config.platform;
  }
  if (!IsAttestation(listed.notes) && !platform.os.empty()) image->platform = platform;
  return absl::OkStatus();
}

ImagePlan OnlyFor(const Platform& wanted, ImagePlan plan) {
  const bool is_index = !plan.top_config;
  if (!is_index && !plan.problem.ok()) return plan;
  ImagePlan only;
  std::string offers;
  for (PlannedManifest& manifest : plan.manifests) {
    if (!manifest.platform) continue;
    if (IsFor(*manifest.platform, wanted)) {
      only.manifests.push_back(std::move(manifest));
      return only;
    }
    offers.append(offers.empty() ? "" : ", ").append(PlatformText(*manifest.platform));
  }
  for (const MissingChild& child : plan.missing) {
    if (!IsFor(child.listed.notes.platform, wanted)) continue;
    only.problem = child.why;
    return only;
  }
  // What is wrong may be where the image is.
  if (!plan.problem.ok()) return plan;
  only.problem = absl::FailedPreconditionError(
      StrCat("it holds nothing for ", Quoted(PlatformText(wanted)),
             offers.empty() ? std::string() : StrCat(", only for ", Quoted(offers))));
  return only;
}

std::optional<size_t> StandIn(const ImagePlan& plan, const absl::flat_hash_set<Digest>& preferred) {
  std::optional<size_t> first;
  std::optional<size_t> for_machine;
  const Platform machine = MachinePlatform();
  for (size_t i = 0; i < plan.manifests.size(); ++i) {
    const PlannedManifest& manifest = plan.manifests[i];
    if (!manifest.platform) continue;
    if (preferred.contains(*manifest.config)) return i;
    if (!for_machine && IsFor(*manifest.platform, machine)) for_machine = i;
    if (!first) first = i;
  }
  return for_machine ? for_machine : first;
}

}  // namespace varve
