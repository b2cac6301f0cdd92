#include "storage/images/image_describer.h"

#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/image/platform.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
int64_t CreatedOrPushed(const ImageInfo& image) {
  return image.created_nanos.value_or(image.manifest.pushed_nanos);
}

bool Matches(const ImageFilter& filter, const ImageDescription& image) {
  if (!filter.MatchesTime(CreatedOrPushed(image.info))) return false;
  if (!filter.NeedsLabels()) return true;
  return image.labels.has_value() && filter.MatchesLabels(*image.labels);
}

absl::StatusOr<ImageDescription> ImageDescriber::Describe(RepositoryId id,
                                                          std::string_view repository,
                                                          const Digest& manifest,
                                                          ReadBudget* budget) {
  ASSIGN_OR_RETURN(ManifestInfo member, parts_.members.Read(id, manifest));
  return DescribeMember(id, repository, std::move(member), budget);
}

absl::StatusOr<ImageDescription> ImageDescriber::DescribeMember(RepositoryId id,
                                                                std::string_view repository,
                                                                ManifestInfo member,
                                                                ReadBudget* budget) {
  ReadBudget image_budget(kMaxImageReads);
  ImageDescription image;
  image.info.repository = std::string(repository);
  image.info.manifest = std::move(member);
  ASSIGN_OR_RETURN(const std::optional<std::string> pulled,
                   parts_.index.Get(PulledKey(id, image.info.manifest.digest)));
  if (pulled.has_value()) {
    ASSIGN_OR_RETURN(const uint64_t nanos, DecodeNumber(*pulled));
    image.info.pulled_nanos = static_cast<int64_t>(nanos);
  }
  image_budget.Spend(2);
  if (IsIndexType(image.info.manifest.media_type)) {
    RETURN_IF_ERROR(DescribeIndex(id, &image_budget, &image));
  } else {
    image.info.total_bytes = image.info.manifest.content_bytes;
    ReadLabelsAndPlatform(image.info.manifest, &image_budget, &image);
  }
  if (budget != nullptr) budget->Spend(image_budget.spent());
  return image;
}

absl::Status ImageDescriber::DescribeIndex(RepositoryId id, ReadBudget* budget,
                                           ImageDescription* image) {
  IndexContent content;
  RETURN_IF_ERROR(WalkIndex(id, image->info.manifest, 1, Platform(), budget, &content));
  image->info.total_bytes = content.total_bytes;
  const Leaf* const leaf = ChooseLeaf(content.leaves, budget);
  if (leaf == nullptr) return absl::OkStatus();
  image->info.platform = leaf->platform;
  ReadLabelsAndPlatform(leaf->manifest, budget, image);
  return absl::OkStatus();
}

void ImageDescriber::ReadLabelsAndPlatform(const ManifestInfo& manifest, ReadBudget* budget,
                                           ImageDescription* image) {
  const std::optional<Digest> digest = ImageConfigOf(manifest, budget);
  if (!digest.has_value()) {
    image->labels.emplace();
    return;
  }
  std::optional<ParsedImageConfig> config = ReadConfig(*digest, budget);
  if (!config.has_value()) return;
  image->info.created_nanos = config->created_nanos;
  if (!config->platform.os.empty()) image->info.platform = std::move(config->platform);
  image->labels = std::move(config->labels);
}

std::optional<ImageDescriber::OpenManifest> ImageDescriber::OpenForDescription(
    const Digest& digest, std::string_view media_type, ReadBudget* budget) {
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(digest, kMaxManifestBytes);
  budget->SpendBytes(bytes.ok() ? bytes->size() : 0);
  if (!bytes.ok()) return std::nullopt;
  absl::StatusOr<ParsedManifest> parsed = ParseManifest(*bytes, media_type, ManifestRules::kStored);
  if (!parsed.ok()) return std::nullopt;
  OpenManifest manifest{*std::move(parsed), {}};
  if (manifest.parsed.is_index) {
    absl::StatusOr<std::vector<Platform>> platforms = ParseChildPlatforms(*bytes);
    if (platforms.ok()) manifest.platforms = *std::move(platforms);
    manifest.platforms.resize(manifest.parsed.children.size());
  }
  return manifest;
}

absl::Status ImageDescriber::WalkIndex(RepositoryId id, const ManifestInfo& index, size_t depth,
                                       const Platform& inherited, ReadBudget* budget,
                                       IndexContent* content) {
  content->visited.insert(index.digest);
  if (depth > kMaxIndexDepth) return absl::OkStatus();
  const std::optional<OpenManifest> manifest =
      OpenForDescription(index.digest, index.media_type, budget);
  if (!manifest.has_value()) return absl::OkStatus();
  for (size_t i = 0; i < manifest->parsed.children.size(); ++i) {
    const Platform& stated = manifest->platforms[i];
    RETURN_IF_ERROR(WalkChild(id, manifest->parsed.children[i].digest, depth,
                              stated.os.empty() ? inherited : stated, budget, content));
  }
  return absl::OkStatus();
}

absl::Status ImageDescriber::WalkChild(RepositoryId id, const Digest& child, size_t depth,
                                       const Platform& platform, ReadBudget* budget,
                                       IndexContent* content) {
  if (budget->used_up() || !content->visited.insert(child).second) return absl::OkStatus();
  budget->Spend(1);
  absl::StatusOr<ManifestInfo> member = parts_.members.Read(id, child);
  if (absl::IsNotFound(member.status())) return absl::OkStatus();
  RETURN_IF_ERROR(member.status());
  if (IsIndexType(member->media_type)) {
    return WalkIndex(id, *member, depth + 1, platform, budget, content);
  }
  content->total_bytes += member->content_bytes;
  content->leaves.push_back({*std::move(member), platform});
  return absl::OkStatus();
}

std::optional<Digest> ImageDescriber::ImageConfigOf(const ManifestInfo& manifest,
                                                    ReadBudget* budget) {
  if (!manifest.config.has_value()) return std::nullopt;
  // Without an artifact type of its own, that of a manifest is the type of its config.
  if (IsImageConfigType(manifest.artifact_type)) return manifest.config;
  const std::optional<OpenManifest> open =
      OpenForDescription(manifest.digest, manifest.media_type, budget);
  if (!open.has_value() || !open->parsed.config.has_value()) return std::nullopt;
  if (!IsImageConfigType(open->parsed.config->media_type)) return std::nullopt;
  return manifest.config;
}

std::optional<ParsedImageConfig> ImageDescriber::ReadConfig(const Digest& config,
                                                            ReadBudget* budget) {
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(config, kMaxConfigBytes);
  // Two index reads at least: where it is, and it.
  budget->Spend(1);
  budget->SpendBytes(bytes.ok() ? bytes->size() : 0);
  if (!bytes.ok()) return std::nullopt;
  absl::StatusOr<ParsedImageConfig> parsed = ParseImageConfig(*bytes);
  if (!parsed.ok()) return std::nullopt;
  return *std::move(parsed);
}

const ImageDescriber::Leaf* ImageDescriber::LeafFor(const std::vector<Leaf>& leaves,
                                                    const Platform& wanted, ReadBudget* budget) {
  for (const Leaf& leaf : leaves) {
    if (IsFor(leaf.platform, wanted)) return &leaf;
  }
  for (const Leaf& leaf : leaves) {
    if (!leaf.platform.os.empty() || budget->used_up()) continue;
    const std::optional<Digest> digest = ImageConfigOf(leaf.manifest, budget);
    if (!digest.has_value()) continue;
    const std::optional<ParsedImageConfig> config = ReadConfig(*digest, budget);
    if (config.has_value() && IsFor(config->platform, wanted)) return &leaf;
  }
  return nullptr;
}

const ImageDescriber::Leaf* ImageDescriber::ChooseLeaf(const std::vector<Leaf>& leaves,
                                                       ReadBudget* budget) {
  const Leaf* const leaf = LeafFor(leaves, MachinePlatform(), budget);
  if (leaf != nullptr) return leaf;
  for (const Leaf& other : leaves) {
    if (IsUnknown(other.platform) || budget->used_up()) continue;
    if (ImageConfigOf(other.manifest, budget).has_value()) return &other;
  }
  return nullptr;
}

absl::StatusOr<RepositoryInfo> ImageDescriber::DescribeRepository(std::string_view repository) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const NamedRepository found, parts_.repositories.FindNamed(repository));
  const RepositoryId id = found.id;
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   parts_.index.Get(RepositoryKey(found.name)));
  RepositoryInfo info;
  info.name = std::string(found.name);
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*value));
    info.created_nanos = row.created_nanos;
  }
  ASSIGN_OR_RETURN(info.tags, CountRows(parts_.index, TagPrefix(id)));
  ASSIGN_OR_RETURN(info.manifests, CountRows(parts_.index, MemberPrefix(id)));
  return info;
}

}  // namespace varve
