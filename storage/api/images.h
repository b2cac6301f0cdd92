// Images as people see them: found by what was typed, listed, inspected, removed, pruned. One of
// the roles of the store, whose general contract is in storage/api/store.h. Times are nanoseconds
// since 1970, UTC.
#ifndef VARVE_STORAGE_API_IMAGES_H_
#define VARVE_STORAGE_API_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/manifests.h"
#include "storage/image/digest.h"
#include "storage/image/image_config.h"
#include "storage/image/platform.h"

namespace varve {

// One row of a listing: a tag, or a manifest that no tag of its repository names.
struct ImageInfo {
  std::string repository;
  std::string tag;  // empty: no tag of this repository names it
  int64_t tagged_nanos = 0;
  int64_t pulled_nanos = 0;  // the last pull, a few seconds coarse; 0 = never
  ManifestInfo manifest;
  // Of the config; for an index, of its child for this machine's platform, else of its first image.
  // Absent when no such config is here or it does not say.
  std::optional<int64_t> created_nanos;
  Platform platform;
  // What the image is made of: config and layers; of an index, those of all children that are here.
  uint64_t total_bytes = 0;
};

struct ImageQuery {
  std::string repository;  // only this one; empty: all
  // "key=value" in Docker's grammar (storage/image/image_filter.h); images that match all.
  std::vector<std::string> filters;
  // Also what belongs to other images: manifests without a tag that an index lists or that refer to
  // another one, and those whose tag "sha256-<hex>[.suffix]" attaches them to an image that the
  // repository lists. Otherwise, of those without a tag, only the dangling ones.
  bool all = false;
};

struct ImagePage {
  std::vector<ImageInfo> images;  // may be fewer than wanted, also none, before the last page
  std::string next_page_token;    // empty after the last page
};

// What the name that a person typed stands for.
struct ImageMatch {
  Digest manifest;
  bool by_id = false;  // the name was an image id, the digest of a config, or a prefix of one
  // Where it is: the repository of the name; for an id, every repository that lists the manifest.
  struct Place {
    std::string repository;
    std::vector<std::string> tags;  // those of the repository that name it, in byte order
    uint64_t more_tags = 0;         // that a door left out of the list
  };
  std::vector<Place> places;  // at least one
  uint64_t more_places = 0;   // that a door left out of the list
  std::string tag;            // of the name, when it had one and no digest
};

struct LayerInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string diff_id;  // of the uncompressed layer, as the config states it; or empty
};

// One entry of an image index.
struct ChildInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;  // of its manifest
  Platform platform;
  bool present = false;      // in this repository
  uint64_t total_bytes = 0;  // as ImageInfo's, when present
};

struct ImageDetails {
  ImageInfo image;  // its tag is that of the request
  // "repository:tag" of all tags in the store that name it, the first kMaxImageNames.
  std::vector<std::string> references;
  uint64_t more_references = 0;     // how many more there are
  std::vector<ChildInfo> children;  // of an index, in its order
  std::string annotations_json;     // the manifest's own; "" when there are none
  // The manifest that the rest describes: the image itself, or the chosen child of an index. Absent
  // when that is not here: then the rest is empty. An artifact has no more than config and layers.
  std::optional<Digest> described;
  std::optional<Digest> config;
  std::string author;
  std::string docker_version;
  std::string runtime_json;  // the "config" object of the config: Env, Cmd, Labels, …; or ""
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<LayerInfo> layers;      // lowest first
  std::vector<HistoryEntry> history;  // oldest first
};

// What a removal did, in the order in which it did it.
struct RemovedImage {
  std::vector<std::string> untagged;  // "repository:tag"
  // Manifests that left a repository: "repository@sha256:…".
  std::vector<std::string> deleted;
  // That a door left out of the lists.
  uint64_t more_untagged = 0;
  uint64_t more_deleted = 0;
  // Clients were promised what only this image needed: manifests of its repository, which stay as
  // dangling images, and content of so much disk space, until then as it looks now; 0: none.
  uint64_t promised_images = 0;
  uint64_t promised_bytes = 0;
  int64_t promised_until_nanos = 0;
};

// What Prune and its kin take and give: storage/api/pruning.h.
struct PruneRequest;
struct PruneReport;
struct PruneStep;
struct PruneJob;

// Called for each image as it is removed, or why it is not; false ends the prune after it.
using PruneObserver = std::function<bool(const PruneStep& step)>;

class Images {
 public:
  virtual ~Images() = default;

  // Docker's rules: `name` is a reference, "REPOSITORY[:TAG][@DIGEST]", if there is such an image;
  // else an image id, which is the digest of the manifest or index, or so many of its leading
  // hexadecimal digits that it is the only one; where no id begins so, the digest of a config that
  // just one image has, likewise. NotFound; FailedPrecondition: ambiguous, with the images it may
  // be. A promise.
  virtual absl::StatusOr<ImageMatch> FindImage(std::string_view name) = 0;
  // By repository in byte order: first its tags, then its manifests without a tag. At most
  // kMaxPageRows an answer. NotFound when the repository of the query does not exist.
  virtual absl::StatusOr<ImagePage> ListImages(const ImageQuery& query,
                                               const std::string& page_token, size_t limit) = 0;
  // Of an index, describes the child for `platform` ("os/arch[/variant]"); without one, the child
  // for this machine's platform, else its first image. NotFound when there is no such child.
  virtual absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                                    const ManifestReference& reference,
                                                    std::string_view platform) = 0;
  // Gives an image of `from` a tag in `repository`, which then lists it, with all its children.
  virtual absl::Status TagFrom(std::string_view from, const Digest& digest,
                               std::string_view repository, std::string_view tag) = 0;
  // Docker's `rmi`: a tag loses its name, and the image goes with its last tag of the repository;
  // an id goes from every repository; untagged and without `force`, it is left to those where it
  // refers to an image, unless it does in all. FailedPrecondition, unless `force`, when an id or a
  // digest has tags that the name does not imply, and for a last tag as in Untag. What an index
  // lists stays, and what loses its last tag while the image it refers to is there.
  virtual absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force) = 0;

  // Removes the dangling images that match, or all that are not in use, and reclaims what only they
  // kept.
  virtual absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                            const PruneObserver& observer) = 0;
  // One prune runs at a time, others wait; one that is equal to another, filters in any order, is
  // that one: its caller attaches. A dry run removes nothing, so it never waits and has no id.
  // NotFound when no such prune runs or waits. A cancelled one, and one whose last caller left,
  // ends after the images it is at, 32 at most; those who follow it get Cancelled, and an equal
  // request that comes after that is another prune.
  virtual absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                                  const PruneObserver& observer) = 0;
  virtual absl::Status CancelPrune(std::string_view id) = 0;
  virtual absl::StatusOr<std::vector<PruneJob>> ListPrunes() = 0;  // the latest that ended too
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_IMAGES_H_
