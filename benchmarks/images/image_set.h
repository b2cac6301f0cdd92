// The images of a store of which half is garbage: a pure function of a seed, so that the program
// that pushes them, the one that pulls them and the one that checks them agree without a list.
//
// Image 2i and image 2i + 1 get the same tag, one after the other, as the builds of a moving tag
// do: the even ones end untagged. Each has a config and four layers of its own, three small enough
// to be inline and one that gets a file, and stands on one of kBases layers that all share.
#ifndef VARVE_BENCHMARKS_IMAGES_IMAGE_SET_H_
#define VARVE_BENCHMARKS_IMAGES_IMAGE_SET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmarks/load/registry.h"

namespace varve::load {

inline constexpr size_t kBases = 20;
inline constexpr size_t kImagesPerRepository = 2000;
inline constexpr size_t kOwnBlobs = 5;  // of an image: config and four layers
// What an image's own files take of the disk: its one layer above the inline size.
inline constexpr size_t kLooseLayerBytes = 72 * 1024;

struct Image {
  std::string repository;
  std::string tag;
  Blob config;
  std::vector<Blob> layers;  // its own
  size_t base = 0;
  Blob manifest;

  uint64_t bytes() const;  // of config, layers and manifest
};

class ImageSet {
 public:
  // `images` are there before anything is measured.
  ImageSet(uint64_t seed, size_t images);

  size_t images() const { return images_; }
  size_t repositories() const {
    return (images_ + kImagesPerRepository - 1) / kImagesPerRepository;
  }
  static std::string RepositoryName(size_t repository);
  const Blob& Base(size_t base) const { return bases_[base]; }

  // One of the first: number < images().
  Image Describe(size_t number) const;
  // One that is pushed meanwhile, under a tag of its own.
  Image DescribeNew(size_t number) const;

 private:
  Image Make(uint64_t content, size_t repository) const;

  const uint64_t seed_;
  const size_t images_;
  std::vector<Blob> bases_;
};

// The calls of one client; each leaves the registry at the image's repository. The results are
// payload bytes.
//
// Asks for the base, which must be there, and sends the rest.
absl::StatusOr<uint64_t> PushImage(Registry& registry, const ImageSet& set, const Image& image);
absl::StatusOr<uint64_t> PullImage(Registry& registry, const ImageSet& set, const Image& image);
// DataLoss when a byte differs.
absl::Status CheckImage(Registry& registry, const ImageSet& set, const Image& image);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_IMAGES_IMAGE_SET_H_
