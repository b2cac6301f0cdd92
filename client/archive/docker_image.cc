// Images of Docker archives, which have a config and layers but no manifest.
#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_json.h"
#include "client/archive/image_plan.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/digest/hasher.h"

namespace varve {
namespace {

absl::StatusOr<const char*> LayerTypeSuffix(LayerCompression compression, std::string_view name) {
  switch (compression) {
    case LayerCompression::kNone:
      return "";
    case LayerCompression::kGzip:
      return "+gzip";
    case LayerCompression::kZstd:
      return "+zstd";
    case LayerCompression::kOther:
      break;
  }
  return absl::InvalidArgumentError(
      StrCat("its layer ", Quoted(name),
             " is compressed in a way that OCI images cannot have; only gzip "
             "and zstd are possible"));
}

// The config says the digest of the uncompressed layer.
absl::StatusOr<LayoutDescriptor> StoreLayer(ArchiveContents& contents, const std::string& name,
                                            const Digest& diff_id) {
  LayoutDescriptor layer;
  ASSIGN_OR_RETURN(layer.size_bytes, contents.SizeOf(name));
  ASSIGN_OR_RETURN(const LayerCompression compression, contents.CompressionOfFile(name));
  ASSIGN_OR_RETURN(const char* const suffix, LayerTypeSuffix(compression, name));
  layer.media_type = StrCat(kOciLayerType, suffix);
  std::optional<Digest> expected = DigestOfBlobEntry(name);
  if (compression == LayerCompression::kNone) expected = diff_id;
  ASSIGN_OR_RETURN(layer.digest, contents.Store(name, expected));
  return layer;
}

absl::Status CheckConfig(const DockerArchiveImage& image, const ArchiveImageConfig& config,
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
  if (platform && !MatchesPlatform(*platform, config.platform)) {
    return absl::FailedPreconditionError(StrCat("it is for ",
                                                Quoted(FormatPlatform(config.platform)),
                                                ", not for ", Quoted(FormatPlatform(*platform))));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReadyImage> MakeDockerImageReady(ArchiveContents& contents,
                                                const DockerArchiveImage& image,
                                                const std::optional<Platform>& platform) {
  ASSIGN_OR_RETURN(const std::string bytes, contents.ReadDocument(image.config));
  const absl::StatusOr<ArchiveImageConfig> parsed = ParseArchiveImageConfig(bytes);
  if (!parsed.ok()) return Annotate(parsed.status(), StrCat("the config ", Quoted(image.config)));
  LayoutDescriptor config;
  config.media_type = kOciConfigType;
  config.digest = HashBytes(DigestAlgorithm::kSha256, bytes);
  config.size_bytes = bytes.size();
  RETURN_IF_ERROR(CheckConfig(image, *parsed, config.digest, platform));
  // What is missing shows before anything large is uploaded.
  for (const std::string& name : image.layers) RETURN_IF_ERROR(contents.SizeOf(name).status());
  RETURN_IF_ERROR(contents.Store(image.config, config.digest).status());
  std::vector<LayoutDescriptor> layers;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    ASSIGN_OR_RETURN(LayoutDescriptor layer,
                     StoreLayer(contents, image.layers[i], parsed->diff_ids[i]));
    layers.push_back(std::move(layer));
  }
  ReadyManifest manifest;
  manifest.bytes = BuildImageManifest(config, layers);
  manifest.media_type = kOciManifestType;
  manifest.digest = HashBytes(DigestAlgorithm::kSha256, manifest.bytes);
  ReadyImage ready;
  ready.id = config.digest;
  ready.manifests.push_back(std::move(manifest));
  return ready;
}

}  // namespace varve
