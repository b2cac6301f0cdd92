// Finds out what the images of an archive are made of, checks it, and puts the blobs into the
// store, so that nothing is left to do but to put the manifests. Not thread-safe.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_PLAN_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_PLAN_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "client/archive/archive_contents.h"
#include "client/archive/image_layout.h"
#include "client/archive/image_names.h"

namespace varve {

struct ReadyManifest {
  Digest digest;
  std::string media_type;
  std::string bytes;  // of one that was built; else they are in the archive, under the digest
};

// An image whose blobs are all in the store.
struct ReadyImage {
  std::vector<ReadyManifest> manifests;  // children first; the last one is the image
  Digest id;
};

// The bytes of a manifest of an OCI layout. NotFound, InvalidArgument; DataLoss when digest or size
// are not what `descriptor` says.
absl::StatusOr<std::string> ReadManifest(ArchiveContents& contents,
                                         const LayoutDescriptor& descriptor);

// Makes one image of an OCI layout ready.
class LayoutImagePlanner {
 public:
  LayoutImagePlanner(ArchiveContents& contents, const std::optional<Platform>& platform)
      : contents_(contents), platform_(platform) {}

  // `top` is an entry of index.json. To be called once.
  absl::StatusOr<ReadyImage> MakeReady(const LayoutDescriptor& top);

 private:
  // Adds what `descriptor` names, children first, and everything that it needs.
  absl::Status Plan(const LayoutDescriptor& descriptor, size_t depth);
  absl::Status PlanImage(const LayoutManifest& manifest);
  absl::Status PlanBlob(const LayoutDescriptor& blob);
  // The descriptor of the image for the platform, below the index `manifest`.
  absl::StatusOr<std::optional<LayoutDescriptor>> FindPlatform(const LayoutManifest& manifest,
                                                               size_t depth);
  absl::StatusOr<LayoutDescriptor> Choose(const LayoutDescriptor& top);

  ArchiveContents& contents_;
  const std::optional<Platform>& platform_;
  ReadyImage image_;
  std::vector<Digest> blobs_;
  absl::flat_hash_set<Digest> planned_manifests_;
  absl::flat_hash_set<Digest> planned_blobs_;
  absl::flat_hash_set<Digest> searched_;  // indexes, for the platform
};

// Makes an image of a Docker archive ready, and builds its manifest. FailedPrecondition when it is
// for another platform than the one wanted.
absl::StatusOr<ReadyImage> MakeDockerImageReady(ArchiveContents& contents,
                                                const DockerArchiveImage& image,
                                                const std::optional<Platform>& platform);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_PLAN_H_
