// Everything that is known about one image.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/image/platform.h"
#include "storage/images/image_describer.h"
#include "storage/index/table_visits.h"
#include "storage/limits.h"

namespace varve {
namespace {

std::vector<LayerInfo> LayersOf(const ParsedManifest& manifest,
                                const std::vector<std::string>& diff_ids) {
  std::vector<LayerInfo> layers;
  const bool paired = diff_ids.size() == manifest.layers.size();
  for (const Descriptor& layer : manifest.layers) {
    layers.push_back({layer.digest, layer.media_type, layer.size_bytes,
                      paired ? diff_ids[layers.size()] : std::string()});
  }
  return layers;
}

// Gives each step that made a layer the size of that layer; when their numbers differ, nobody knows
// which is whose.
void SetSizes(const std::vector<LayerInfo>& layers, std::vector<HistoryEntry>* history) {
  const auto made_layer = [](const HistoryEntry& entry) { return !entry.empty_layer; };
  const auto steps = std::count_if(history->begin(), history->end(), made_layer);
  if (static_cast<size_t>(steps) != layers.size()) return;
  auto layer = layers.begin();
  for (HistoryEntry& entry : *history) {
    if (made_layer(entry)) entry.size_bytes = (layer++)->size_bytes;
  }
}

}  // namespace

absl::StatusOr<Digest> ImageDescriber::ResolveReference(RepositoryId id,
                                                        std::string_view repository,
                                                        const ManifestReference& reference,
                                                        ImageInfo* image) {
  if (const auto* digest = std::get_if<Digest>(&reference)) return *digest;
  const std::string& tag = std::get<std::string>(reference);
  RETURN_IF_ERROR(ValidateTag(tag));
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(TagKey(id, tag)));
  if (!value.has_value()) {
    return absl::NotFoundError(
        StrCat("tag ", tag, " does not exist in repository ", ShownName(repository)));
  }
  ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
  image->tag = tag;
  image->tagged_nanos = row.tagged_nanos;
  return row.digest;
}

absl::Status ImageDescriber::InspectNames(RepositoryId id, std::string_view repository,
                                          ImageDetails* details) {
  absl::flat_hash_map<RepositoryId, std::string> names = {{id, std::string(repository)}};
  std::vector<std::string>& references = details->references;
  size_t seen = 0;
  const auto add = [&](const EdgeSource& source) -> absl::StatusOr<bool> {
    if (++seen > kMaxImageNames) {  // the rest is only counted
      ++details->more_references;
      return true;
    }
    std::string& name = names[source.repository];
    if (name.empty()) {
      absl::StatusOr<std::string> found = parts_.repositories.NameOf(source.repository);
      // Repositories of a store that an older version wrote have no row for the way back.
      if (absl::IsNotFound(found.status())) return true;
      RETURN_IF_ERROR(found.status());
      name = *std::move(found);
    }
    references.push_back(StrCat(name, ":", source.name));
    return true;
  };
  RETURN_IF_ERROR(VisitEdges(parts_.index,
                             EdgePrefix(details->image.manifest.digest, EdgeKind::kTag), add,
                             kMaxImageNames));
  std::sort(references.begin(), references.end());
  return absl::OkStatus();
}

absl::Status ImageDescriber::InspectChildren(RepositoryId id, const OpenManifest& index,
                                             ReadBudget* budget, IndexContent* content,
                                             std::vector<ChildInfo>* children) {
  for (size_t i = 0; i < index.parsed.children.size(); ++i) {
    const Descriptor& descriptor = index.parsed.children[i];
    ChildInfo child{descriptor.digest,
                    descriptor.media_type,
                    descriptor.size_bytes,
                    index.platforms[i],
                    false,
                    0};
    const absl::StatusOr<ManifestInfo> member = parts_.members.Read(id, child.digest);
    if (!member.ok() && !absl::IsNotFound(member.status())) return member.status();
    child.present = member.ok();
    const uint64_t before = content->total_bytes;
    RETURN_IF_ERROR(WalkChild(id, child.digest, 1, child.platform, budget, content));
    child.total_bytes = content->total_bytes - before;
    if (child.present && !IsIndexType(member->media_type)) {
      child.total_bytes = member->content_bytes;  // also at its second appearance
    }
    children->push_back(std::move(child));
  }
  return absl::OkStatus();
}

void ImageDescriber::InspectLeaf(const ManifestInfo& manifest, ReadBudget* budget,
                                 ImageDetails* details) {
  details->described = manifest.digest;
  details->config = manifest.config;
  std::optional<ParsedImageConfig> config;
  if (const std::optional<Digest> digest = ImageConfigOf(manifest, budget)) {
    config = ReadConfig(*digest, budget);
  }
  if (!config.has_value()) config.emplace();  // lost, or of an artifact
  const std::optional<OpenManifest> open =
      OpenForDescription(manifest.digest, manifest.media_type, budget);
  if (open.has_value()) details->layers = LayersOf(open->parsed, config->diff_ids);
  details->history = std::move(config->history);
  SetSizes(details->layers, &details->history);
  details->author = std::move(config->author);
  details->docker_version = std::move(config->docker_version);
  details->runtime_json = std::move(config->runtime_json);
  details->labels = std::move(config->labels);
}

absl::StatusOr<ImageDetails> ImageDescriber::InspectImage(std::string_view name,
                                                          const ManifestReference& reference,
                                                          std::string_view platform) {
  RETURN_IF_ERROR(ValidateRepositoryName(name));
  ASSIGN_OR_RETURN(const NamedRepository found, parts_.repositories.FindNamed(name));
  const auto& [id, repository] = found;
  std::optional<Platform> wanted;
  if (!platform.empty()) {
    ASSIGN_OR_RETURN(wanted, ParsePlatform(platform));
  }
  ImageInfo tagged;
  ASSIGN_OR_RETURN(const Digest digest, ResolveReference(id, repository, reference, &tagged));
  absl::StatusOr<ImageDescription> image = Describe(id, repository, digest);
  if (absl::IsNotFound(image.status())) {
    return absl::NotFoundError(StrCat("manifest ", digest.ToString(),
                                      " is not known in repository ", ShownName(repository)));
  }
  RETURN_IF_ERROR(image.status());
  ImageDetails details;
  details.image = std::move(image->info);
  details.image.tag = std::move(tagged.tag);
  details.image.tagged_nanos = tagged.tagged_nanos;
  RETURN_IF_ERROR(InspectNames(id, repository, &details));

  ReadBudget budget(kMaxImageReads);
  const ManifestInfo& manifest = details.image.manifest;
  const std::optional<OpenManifest> open = OpenForDescription(digest, manifest.media_type, &budget);
  if (!open.has_value()) {
    return absl::NotFoundError(StrCat("the bytes of manifest ", digest.ToString(),
                                      " are lost or damaged; push the image again"));
  }
  details.annotations_json = open->parsed.annotations_json;
  if (!open->parsed.is_index) {
    InspectLeaf(manifest, &budget, &details);
    return details;
  }
  IndexContent content;
  content.visited.insert(digest);
  RETURN_IF_ERROR(InspectChildren(id, *open, &budget, &content, &details.children));
  const Leaf* const leaf = wanted.has_value() ? LeafFor(content.leaves, *wanted, &budget)
                                              : ChooseLeaf(content.leaves, &budget);
  if (leaf != nullptr) {
    InspectLeaf(leaf->manifest, &budget, &details);
    return details;
  }
  const auto is_wanted = [&](const ChildInfo& child) { return IsFor(child.platform, *wanted); };
  // One that is listed but not here has nothing to describe, but it is there.
  if (wanted.has_value() &&
      std::none_of(details.children.begin(), details.children.end(), is_wanted)) {
    return absl::NotFoundError(StrCat("image ", digest.ToString(), " in repository ",
                                      ShownName(repository),
                                      " has no child for the platform asked for"));
  }
  return details;
}

}  // namespace varve
