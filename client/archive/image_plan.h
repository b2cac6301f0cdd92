// Finds out what the images of an archive are made of before anything of them is uploaded. Not
// thread-safe.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_PLAN_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_PLAN_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "client/archive/archive_contents.h"
#include "client/archive/image_layout.h"

namespace varve {

// Manifests, configs and layers of all images of an archive, each counted in every image that has
// it. A plan keeps ~200 bytes of each: 100 MB, for 10,000 images of 48 layers.
inline constexpr size_t kMaxPlannedContents = 500'000;
// How many a manifest adds to them.
inline size_t PlannedContents(const ParsedManifest& manifest) {
  return 2 + manifest.layers.size() + manifest.children.size();
}

struct PlannedManifest {
  Digest digest;
  std::string media_type;
  // Of an index: not all that it lists is there, so the store may refuse it.
  bool has_gaps = false;
  // What it names beside manifests and is there: config and layers, or the entries of a cache.
  std::vector<Digest> blobs;
  // Of anything but an index.
  std::optional<Digest> config;
  std::vector<Descriptor> layers;
  // Of an image that runs: what for. Attestations and other artifacts have none.
  std::optional<Platform> platform;
};

// What an index lists and neither the archive nor the store has whole.
struct MissingChild {
  ListedManifest listed;
  absl::Status why;  // NotFound
};

struct ImagePlan {
  std::vector<PlannedManifest> manifests;  // whole ones, children first; the last is the image
  std::vector<MissingChild> missing;
  std::optional<Digest> top_config;  // of an image without an index, whole or not
  std::optional<Digest> subject;     // what the image or index refers to, whole or not
  // Why the image cannot be loaded; NotFound: it is not whole. `manifests` are right all the same,
  // but for the last one.
  absl::Status problem;
};

// Plans the images of an OCI layout.
class LayoutPlanner {
 public:
  explicit LayoutPlanner(ArchiveContents& contents) : contents_(contents) {}

  // What `top` is made of. Of an index all is looked at, also past what is missing.
  ImagePlan Plan(const ListedManifest& top);

 private:
  struct Planned {
    absl::Status status;
    bool whole = false;
  };

  // Adds what `listed` names, children first. Whether it is without gaps.
  absl::StatusOr<bool> PlanManifest(const ListedManifest& listed, size_t depth);
  absl::StatusOr<bool> PlanNew(const ListedManifest& listed, size_t depth);
  absl::StatusOr<bool> PlanIndex(const std::vector<ListedManifest>& children, size_t depth,
                                 PlannedManifest* index);
  absl::StatusOr<bool> PlanEntry(const ListedManifest& entry, PlannedManifest* index);
  absl::Status PlanImage(const ListedManifest& listed, const ParsedManifest& manifest,
                         PlannedManifest* image);
  absl::Status PlanBlob(const Descriptor& blob, PlannedManifest* manifest);
  absl::Status CheckConfig(const ListedManifest& listed, const ParsedManifest& manifest,
                           PlannedManifest* image);

  ArchiveContents& contents_;
  ImagePlan plan_;
  absl::flat_hash_map<Digest, Planned> planned_;
  size_t planned_in_all_ = 0;
};

// The image of `plan` that is for `wanted`, alone.
ImagePlan OnlyFor(const Platform& wanted, ImagePlan plan);

// The place in `plan` of the image that stands in for an index with gaps: the one whose config is
// among `preferred`, else the one for this machine, else the first; nullopt when there is none.
std::optional<size_t> StandIn(const ImagePlan& plan, const absl::flat_hash_set<Digest>& preferred);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_PLAN_H_
