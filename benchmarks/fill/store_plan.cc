#include "benchmarks/fill/store_plan.h"

#include "absl/strings/str_format.h"
#include "storage/base/bytes.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Base layers beside one a thousand blobs, so that a small store has some.
constexpr uint64_t kSpareBases = 4;
constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";
constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

// Eight bytes of a digest as a number: as good as random, and the same on every machine.
uint64_t NumberIn(const Digest& digest) { return ByteReader(digest.raw()).U64(); }

StorePlan::Layer LooseLayer(const std::string& name) {
  StorePlan::Layer layer;
  layer.digest = HashBytes(DigestAlgorithm::kSha256, name);
  // As many of each power of two from 64 KiB to 256 MiB.
  const uint64_t word = NumberIn(layer.digest);
  const uint64_t scale = 64 * kKiB << (word % 12);
  layer.size_bytes = scale + (word >> 8) % scale;
  return layer;
}

StorePlan::Layer InlineLayer(const std::string& name) {
  StorePlan::Layer layer;
  layer.is_inline = true;
  const size_t size_bytes = 200 + NumberIn(HashBytes(DigestAlgorithm::kSha256, name)) % 4000;
  while (layer.bytes.size() < size_bytes) {
    layer.bytes += HashBytes(DigestAlgorithm::kSha512, StrCat(name, layer.bytes.size())).raw();
  }
  layer.digest = HashBytes(DigestAlgorithm::kSha256, layer.bytes);
  layer.size_bytes = layer.bytes.size();
  return layer;
}

std::string DescriptorJson(std::string_view type, const Digest& digest, uint64_t size_bytes) {
  return StrCat("{\"mediaType\":\"", type, "\",\"digest\":\"", digest.ToString(),
                "\",\"size\":", size_bytes, "}");
}

std::string ConfigJson(uint64_t image, const std::vector<StorePlan::Layer>& layers) {
  std::string diff_ids, history;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Digest diff_id = HashBytes(DigestAlgorithm::kSha256, layers[i].digest.raw());
    diff_ids += StrCat(i == 0 ? "" : ",", "\"", diff_id.ToString(), "\"");
    history += StrCat(i == 0 ? "" : ",", "{\"created\":\"2026-05-01T10:00:0", i,
                      "Z\",\"created_by\":\"RUN /bin/sh -c ./build --step ", i, " --image ", image,
                      " # buildkit\",\"comment\":\"buildkit.dockerfile.v0\"}");
  }
  return StrCat("{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"PATH=/usr/local/sbin:/usr/",
                "local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"],\"Entrypoint\":[\"/srv/app\"],",
                "\"Labels\":{\"org.opencontainers.image.version\":\"", image,
                "\"}},\"created\":\"2026-05-01T10:00:09Z\",\"history\":[", history,
                "],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", diff_ids,
                "]}}");
}

}  // namespace

StorePlan::StorePlan(uint64_t blobs)
    : images_((blobs - blobs / 1000 - kSpareBases) / (2 + kOwnLayers)),
      base_layers_(blobs - images_ * (2 + kOwnLayers)) {}

std::string StorePlan::RepositoryName(uint64_t repository) {
  return absl::StrFormat("team-%02d/service-%05d", repository % 40, repository);
}

std::string StorePlan::TagOf(uint64_t image) {
  return StrCat("1.", image % kImagesPerRepository, ".0");
}

StorePlan::Layer StorePlan::BaseLayer(uint64_t base) const {
  return LooseLayer(StrCat("base layer ", base));
}

StorePlan::Layer StorePlan::OwnLayer(uint64_t image, uint64_t layer) const {
  const std::string name = StrCat("layer ", layer, " of image ", image);
  return layer < kInlineLayers ? InlineLayer(name) : LooseLayer(name);
}

StorePlan::Image StorePlan::Describe(uint64_t image) const {
  Image described;
  described.repository = RepositoryOf(image);
  described.tag = TagOf(image);
  // One that the repository's images have in common, and one that images of all repositories
  // share; every base layer is somebody's.
  const uint64_t common = described.repository % base_layers_;
  const uint64_t other = image % base_layers_;
  described.bases = {common, other == common ? (other + 1) % base_layers_ : other};
  std::vector<Layer> layers;
  for (const uint64_t base : described.bases) layers.push_back(BaseLayer(base));
  for (uint64_t i = 0; i < kOwnLayers; ++i) {
    layers.push_back(OwnLayer(image, i));
    described.own_layers.push_back(layers.back());
  }
  described.config = ConfigJson(image, layers);
  described.config_digest = HashBytes(DigestAlgorithm::kSha256, described.config);
  described.content_bytes = described.config.size();
  std::string descriptors;
  for (const Layer& layer : layers) {
    descriptors += StrCat(descriptors.empty() ? "" : ",",
                          DescriptorJson(kLayerType, layer.digest, layer.size_bytes));
    described.content_bytes += layer.size_bytes;
  }
  described.manifest =
      StrCat("{\"schemaVersion\":2,\"mediaType\":\"", kManifestType, "\",\"config\":",
             DescriptorJson(kConfigType, described.config_digest, described.config.size()),
             ",\"layers\":[", descriptors, "]}");
  described.manifest_digest = HashBytes(DigestAlgorithm::kSha256, described.manifest);
  return described;
}

}  // namespace varve
