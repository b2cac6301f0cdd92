#include "client/archive/ready_image.h"

#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_json.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/platform.h"

namespace varve {
namespace {

absl::Status CheckConfig(const DockerArchiveImage& image, const ConfigLayers& config,
                         const Digest& digest, const std::optional<Platform>& platform) {
  std::optional<Digest> named = DigestOfBlobEntry(image.config);
  if (!named) named = DigestInName(image.config);
  if (named && !(*named == digest)) {
    return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(image.config),
                                      " has the digest ", digest.ToString()));
  }
  if (config.diff_ids.size() != image.layers.size()) {
    return absl::InvalidArgumentError(StrCat("manifest.json lists ", image.layers.size(),
                                             " layers, the config ", config.diff_ids.size()));
  }
  if (platform && !IsFor(config.platform, *platform)) {
    return absl::FailedPreconditionError(StrCat("it is for ", Quoted(PlatformText(config.platform)),
                                                ", not for ", Quoted(PlatformText(*platform))));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsLayerCompression(Compression compression) {
  return compression == Compression::kNone || compression == Compression::kGzip ||
         compression == Compression::kZstd;
}

absl::StatusOr<ReadyImage> ImageMaker::MakeReady(
    const ImagePlan& plan, const absl::flat_hash_set<Digest>& docker_configs) {
  ReadyImage ready;
  for (const PlannedManifest& manifest : plan.manifests) {
    for (const Digest& digest : manifest.blobs) RETURN_IF_ERROR(contents_.StoreBlob(digest));
    if (manifest.config && docker_configs.contains(*manifest.config)) {
      RETURN_IF_ERROR(CheckLayers(manifest));
    }
    ready.manifests.push_back({.digest = manifest.digest,
                               .media_type = manifest.media_type,
                               .bytes = "",
                               .has_gaps = manifest.has_gaps});
  }
  ready.subject = plan.subject;
  if (ready.manifests.back().has_gaps) ready.stand_in = StandIn(plan, docker_configs);
  return ready;
}

absl::Status ImageMaker::CheckLayers(const PlannedManifest& image) {
  ASSIGN_OR_RETURN(const std::optional<uint64_t> known, uploader_.Find(image.digest));
  if (known) return absl::OkStatus();  // as it was accepted before
  ASSIGN_OR_RETURN(const std::string bytes, contents_.ReadBlobDocument(*image.config));
  const absl::StatusOr<ConfigLayers> config = ParseConfigLayers(bytes);
  if (!config.ok()) {
    return Annotate(config.status(), StrCat("the config ", image.config->ToString()));
  }
  if (config->diff_ids.size() != image.layers.size()) return absl::OkStatus();
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const Descriptor& layer = image.layers[i];
    const absl::Status there = contents_.SizeOfBlob(layer.digest).status();
    if (absl::IsNotFound(there) && layer.foreign) continue;
    RETURN_IF_ERROR(there);
    RETURN_IF_ERROR(layers_.Check({.name = BlobEntryName(layer.digest),
                                   .digest = layer.digest,
                                   .size_bytes = layer.size_bytes,
                                   .diff_id = config->diff_ids[i]}));
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadyImage> ImageMaker::MakeReady(const DockerArchiveImage& image,
                                                 const std::optional<Platform>& platform) {
  ASSIGN_OR_RETURN(const std::string bytes, contents_.ReadDocument(image.config));
  const absl::StatusOr<ConfigLayers> parsed = ParseConfigLayers(bytes);
  if (!parsed.ok()) return Annotate(parsed.status(), StrCat("the config ", Quoted(image.config)));
  Descriptor config;
  config.media_type = kMediaTypeOciConfig;
  config.digest = HashBytes(DigestAlgorithm::kSha256, bytes);
  config.size_bytes = bytes.size();
  RETURN_IF_ERROR(CheckConfig(image, *parsed, config.digest, platform));
  std::vector<Layer> layers;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    ASSIGN_OR_RETURN(Layer layer, FindLayer(image.layers[i], parsed->diff_ids[i]));
    layers.push_back(std::move(layer));
  }
  RETURN_IF_ERROR(contents_.Store(image.config, config.digest).status());
  std::vector<Descriptor> stored;
  for (const Layer& layer : layers) {
    ASSIGN_OR_RETURN(stored.emplace_back(), StoreLayer(layer));
  }
  ReadyManifest manifest;
  manifest.bytes = ImageManifestJson(config, stored);
  manifest.media_type = kMediaTypeOciManifest;
  manifest.digest = HashBytes(DigestAlgorithm::kSha256, manifest.bytes);
  ASSIGN_OR_RETURN(const std::optional<uint64_t> known, uploader_.Find(manifest.digest));
  for (size_t i = 0; i < layers.size() && !known; ++i) {
    RETURN_IF_ERROR(layers_.Check({.name = layers[i].name,
                                   .digest = stored[i].digest,
                                   .size_bytes = stored[i].size_bytes,
                                   .diff_id = layers[i].diff_id}));
  }
  ReadyImage ready;
  ready.manifests.push_back(std::move(manifest));
  return ready;
}

absl::StatusOr<ImageMaker::Layer> ImageMaker::FindLayer(const std::string& name,
                                                        const Digest& diff_id) {
  const absl::StatusOr<Compression> compression = contents_.CompressionOf(name);
  if (absl::IsNotFound(compression.status())) {
    ASSIGN_OR_RETURN(const std::optional<Layer> layer, FindStoredLayer(name, diff_id));
    if (layer) return *layer;
    return absl::NotFoundError(StrCat("it is incomplete: ", ToStd(compression.status().message()),
                                      ", and the store does not have it"));
  }
  RETURN_IF_ERROR(compression.status());
  return Layer{
      .name = name, .diff_id = diff_id, .compression = *compression, .stored = std::nullopt};
}

absl::StatusOr<std::optional<ImageMaker::Layer>> ImageMaker::FindStoredLayer(
    const std::string& name, const Digest& diff_id) {
  std::optional<Digest> named = DigestOfBlobEntry(name);
  if (!named) named = DigestInName(name);
  for (const std::optional<Digest>& digest : {std::optional<Digest>(diff_id), named}) {
    if (!digest) continue;
    ASSIGN_OR_RETURN(const std::optional<uint64_t> size_bytes, contents_.FindBlob(*digest));
    if (!size_bytes) continue;
    Layer layer{
        .name = name,
        .diff_id = diff_id,
        .compression = Compression::kNone,
        .stored = Descriptor{
            .media_type = "", .digest = *digest, .size_bytes = *size_bytes, .foreign = false}};
    if (!(*digest == diff_id)) {
      ASSIGN_OR_RETURN(layer.compression, layers_.CompressionOf(*digest));
    }
    return layer;
  }
  return std::nullopt;
}

absl::StatusOr<Descriptor> ImageMaker::StoreLayer(const Layer& layer) {
  Descriptor stored;
  stored.media_type = OciLayerType(layer.compression);
  const bool unpack = !IsLayerCompression(layer.compression);
  if (unpack) {
    ASSIGN_OR_RETURN(const std::optional<uint64_t> size_bytes, uploader_.Find(layer.diff_id));
    stored.digest = layer.diff_id;
    stored.size_bytes = size_bytes.value_or(0);
    if (size_bytes) return stored;
  }
  if (layer.stored) {
    stored.digest = layer.stored->digest;
    stored.size_bytes = layer.stored->size_bytes;
  } else {
    std::optional<Digest> expected;
    if (layer.compression == Compression::kNone) expected = layer.diff_id;
    ASSIGN_OR_RETURN(stored.size_bytes, contents_.SizeOf(layer.name));
    ASSIGN_OR_RETURN(stored.digest, contents_.Store(layer.name, expected));
  }
  if (!unpack) return stored;
  ASSIGN_OR_RETURN(stored.size_bytes, layers_.Unpack({.name = layer.name,
                                                      .digest = stored.digest,
                                                      .size_bytes = stored.size_bytes,
                                                      .diff_id = layer.diff_id}));
  stored.digest = layer.diff_id;
  return stored;
}

}  // namespace varve
