// Puts the blobs of an image into the store, and checks them, so that nothing is left to do but to
// put the manifests. Not thread-safe.
//
// Images that a Docker archive names are judged by Docker's rules: an image has as many layers as
// its config has diff ids, and each layer is its diff id when it is uncompressed.
#ifndef VARVE_CLIENT_ARCHIVE_READY_IMAGE_H_
#define VARVE_CLIENT_ARCHIVE_READY_IMAGE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "client/archive/archive_contents.h"
#include "client/archive/blob_uploader.h"
#include "client/archive/image_layout.h"
#include "client/archive/image_plan.h"
#include "client/archive/stored_layers.h"

namespace varve {

struct ReadyManifest {
  Digest digest;
  std::string media_type;
  std::string bytes;  // of one that was built; else ArchiveContents has them
  bool has_gaps = false;
};

// Whether layers of OCI images can be compressed so; those of Docker archives can in other ways.
bool IsLayerCompression(Compression compression);

// An image whose blobs are all in the store.
struct ReadyImage {
  std::vector<ReadyManifest> manifests;  // children first; the last one is the image
  std::optional<size_t> stand_in;        // of them, for an index that the store may refuse
  std::optional<Digest> subject;         // what it refers to
};

class ImageMaker {
 public:
  // All must outlive it.
  ImageMaker(ArchiveContents& contents, BlobUploader& uploader, StoredLayers& layers)
      : contents_(contents), uploader_(uploader), layers_(layers) {}

  // Of a layout. `docker_configs` are the configs of the images that manifest.json names.
  absl::StatusOr<ReadyImage> MakeReady(const ImagePlan& plan,
                                       const absl::flat_hash_set<Digest>& docker_configs);

  // Of a Docker archive; its manifest is built. FailedPrecondition when it is for another platform
  // than the one wanted. Nothing is uploaded of an image that is not whole. Layers that are
  // compressed as no OCI layer is become their diff ids; those that the archive leaves out may be
  // in the store.
  absl::StatusOr<ReadyImage> MakeReady(const DockerArchiveImage& image,
                                       const std::optional<Platform>& platform);

 private:
  // A layer of a Docker archive.
  struct Layer {
    std::string name;
    Digest diff_id;
    Compression compression = Compression::kNone;
    std::optional<Descriptor> stored;  // when it is only in the store
  };

  absl::Status CheckLayers(const PlannedManifest& image);
  absl::StatusOr<Layer> FindLayer(const std::string& name, const Digest& diff_id);
  absl::StatusOr<std::optional<Layer>> FindStoredLayer(const std::string& name,
                                                       const Digest& diff_id);
  absl::StatusOr<Descriptor> StoreLayer(const Layer& layer);

  ArchiveContents& contents_;
  BlobUploader& uploader_;
  StoredLayers& layers_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_READY_IMAGE_H_
