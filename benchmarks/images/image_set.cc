#include "benchmarks/images/image_set.h"

#include <array>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr size_t kConfigBytes = 1500;
constexpr size_t kBaseBytes = 128 * 1024;
constexpr std::array<size_t, kOwnBlobs - 1> kLayerBytes = {kLooseLayerBytes, 4 * 1024, 4 * 1024,
                                                           16 * 1024};
// Seeds of blobs: each image has a block of its own, after those of the bases.
constexpr uint64_t kSeedsPerImage = 8;
constexpr uint64_t kSeedsPerSet = uint64_t{1} << 32;
constexpr uint64_t kFirstNew = uint64_t{1} << 24;  // more images than a set has

absl::Status Compare(const std::string& found, const Blob& expected) {
  if (found == expected.bytes) return absl::OkStatus();
  return absl::DataLossError(StrCat(expected.digest, " came back with other bytes"));
}

absl::Status CheckBlob(Registry& registry, const Blob& blob) {
  ASSIGN_OR_RETURN(const std::string found, registry.ReadBlob(blob.digest));
  return Compare(found, blob);
}

}  // namespace

uint64_t Image::bytes() const {
  uint64_t sum = config.bytes.size() + manifest.bytes.size();
  for (const Blob& layer : layers) sum += layer.bytes.size();
  return sum;
}

ImageSet::ImageSet(uint64_t seed, size_t images) : seed_(seed), images_(images) {
  for (size_t base = 0; base < kBases; ++base) {
    bases_.push_back(MakeBlob(seed_ * kSeedsPerSet + base, kBaseBytes));
  }
}

std::string ImageSet::RepositoryName(size_t repository) {
  return StrCat("bench/images-", repository);
}

Image ImageSet::Describe(size_t number) const {
  Image image = Make(number, number / kImagesPerRepository);
  image.tag = StrCat("v", number / 2);
  return image;
}

Image ImageSet::DescribeNew(size_t number) const {
  Image image = Make(kFirstNew + number, number % repositories());
  image.tag = StrCat("new-", number);
  return image;
}

Image ImageSet::Make(uint64_t content, size_t repository) const {
  const uint64_t first = seed_ * kSeedsPerSet + kBases + content * kSeedsPerImage;
  Image image;
  image.repository = RepositoryName(repository);
  image.base = content % kBases;
  image.config = MakeBlob(first, kConfigBytes);
  for (size_t i = 0; i < kLayerBytes.size(); ++i) {
    image.layers.push_back(MakeBlob(first + 1 + i, kLayerBytes[i]));
  }
  std::vector<const Blob*> layers = {&bases_[image.base]};
  for (const Blob& layer : image.layers) layers.push_back(&layer);
  image.manifest = MakeManifest(image.config, layers, StrCat(content));
  return image;
}

absl::StatusOr<uint64_t> PushImage(Registry& registry, const ImageSet& set, const Image& image) {
  registry.Use(image.repository);
  RETURN_IF_ERROR(registry.ProvideBlob(set.Base(image.base)));
  for (const Blob& layer : image.layers) RETURN_IF_ERROR(registry.PushBlob(layer).status());
  RETURN_IF_ERROR(registry.PushBlob(image.config).status());
  RETURN_IF_ERROR(registry.PutManifest(image.tag, image.manifest).status());
  return image.bytes();
}

absl::StatusOr<uint64_t> PullImage(Registry& registry, const ImageSet& set, const Image& image) {
  registry.Use(image.repository);
  ASSIGN_OR_RETURN(uint64_t bytes, registry.PullManifest(image.tag));
  for (const Blob* blob : {&image.config, &set.Base(image.base)}) {
    ASSIGN_OR_RETURN(const uint64_t pulled, registry.PullBlob(blob->digest));
    bytes += pulled;
  }
  for (const Blob& layer : image.layers) {
    ASSIGN_OR_RETURN(const uint64_t pulled, registry.PullBlob(layer.digest));
    bytes += pulled;
  }
  return bytes;
}

absl::Status CheckImage(Registry& registry, const ImageSet& set, const Image& image) {
  registry.Use(image.repository);
  ASSIGN_OR_RETURN(const std::string manifest, registry.ReadManifest(image.tag));
  RETURN_IF_ERROR(Compare(manifest, image.manifest));
  RETURN_IF_ERROR(CheckBlob(registry, image.config));
  RETURN_IF_ERROR(CheckBlob(registry, set.Base(image.base)));
  for (const Blob& layer : image.layers) RETURN_IF_ERROR(CheckBlob(registry, layer));
  return absl::OkStatus();
}

}  // namespace varve::load
