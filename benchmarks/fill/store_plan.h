// What a filled store contains: a pure function of how many blobs it has, so that whoever measures
// such a store knows every name in it without a list.
//
// Images lie in repositories of kImagesPerRepository, one tag each. An image is a manifest, a
// config, kOwnLayers layers of its own, and two base layers that many images share. Some own layers
// are small files' worth and thus inline; the other layers, 64 KiB to 256 MiB, are loose.
#ifndef VARVE_BENCHMARKS_FILL_STORE_PLAN_H_
#define VARVE_BENCHMARKS_FILL_STORE_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/image/digest.h"

namespace varve {

inline constexpr uint64_t kMinPlannedBlobs = 100;
inline constexpr uint64_t kImagesPerRepository = 125;
inline constexpr uint64_t kInlineLayers = 2;  // of an image, its own
inline constexpr uint64_t kLooseLayers = 4;   // of an image, its own
inline constexpr uint64_t kOwnLayers = kInlineLayers + kLooseLayers;

class StorePlan {
 public:
  // `blobs` must be at least kMinPlannedBlobs.
  explicit StorePlan(uint64_t blobs);

  struct Layer {
    Digest digest;
    uint64_t size_bytes = 0;
    bool is_inline = false;
    std::string bytes;  // of an inline one
  };
  struct Image {
    uint64_t repository = 0;  // 0 … repositories() - 1
    std::string tag;
    std::string config;
    std::string manifest;
    Digest config_digest;
    Digest manifest_digest;
    std::vector<Layer> own_layers;
    std::vector<uint64_t> bases;  // which base layers it stands on, two
    uint64_t content_bytes = 0;   // of config and all layers
  };

  uint64_t blobs() const { return base_layers_ + images_ * (2 + kOwnLayers); }
  uint64_t images() const { return images_; }
  uint64_t base_layers() const { return base_layers_; }
  uint64_t repositories() const {
    return (images_ + kImagesPerRepository - 1) / kImagesPerRepository;
  }

  static std::string RepositoryName(uint64_t repository);
  static uint64_t RepositoryOf(uint64_t image) { return image / kImagesPerRepository; }
  static std::string TagOf(uint64_t image);
  // A loose layer holds zeros, so that it takes no disk; its digest is not theirs.
  Layer BaseLayer(uint64_t base) const;
  Layer OwnLayer(uint64_t image, uint64_t layer) const;  // the first kInlineLayers are inline
  Image Describe(uint64_t image) const;

 private:
  uint64_t images_;
  uint64_t base_layers_;
};

}  // namespace varve

#endif  // VARVE_BENCHMARKS_FILL_STORE_PLAN_H_
