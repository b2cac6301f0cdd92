// Tags: names for manifests of a repository, which may move. A tag is a row, and an edge that keeps
// its manifest. Thread-safe.
//
// Whoever sets a tag guards the manifest's blob row shared and finds it listed; a deletion guards
// that row exclusively and finds the edge. So no tag names what its repository does not list.
#ifndef VARVE_STORAGE_CATALOG_TAGS_H_
#define VARVE_STORAGE_CATALOG_TAGS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/manifests.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tag_versions.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/promises/promises.h"

namespace varve {

class Tags {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Promises& promises;
    Clock& clock;
    Repositories& repositories;
    ImageEvents& events;
  };

  explicit Tags(Parts parts) : parts_(parts) {}

  // The calls of Manifests, with the same contracts.
  absl::Status Tag(std::string_view repository, std::string_view tag, const Digest& digest);
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force);
  absl::StatusOr<Page<TagInfo>> List(std::string_view repository, const PageRequest& page);
  absl::StatusOr<uint64_t> Version(std::string_view repository);

  // The manifest that a tag names; NotFound when there is no such tag.
  absl::StatusOr<Digest> Find(RepositoryId repository, const std::string& tag);
  // Tags of the repository that name a manifest, in byte order.
  absl::StatusOr<std::vector<std::string>> Of(RepositoryId repository, const Digest& manifest);
  // Manifests that tags of the repository make referrers of `subject`.
  absl::StatusOr<std::vector<Digest>> ReferrersOf(RepositoryId repository, const Digest& subject);

  // For transactions that may change tags: each lives inside a TagVersions::Change.
  TagVersions& versions() { return versions_; }
  absl::Status Set(Transaction& txn, RepositoryId repository, std::string_view tag,
                   const TagRow& row);
  // Removes up to kPageRows of the manifest's tags in the repository, two rows each, and adds their
  // names to `*removed`; true when none is left.
  static constexpr size_t kPageRows = 300;
  absl::StatusOr<bool> RemovePage(Transaction& txn, const Member& manifest,
                                  std::vector<std::string>* removed);

  // Both hold until the commit for those who guard the manifest's blob row exclusively.
  // Whether no tag of the repository but these names the manifest.
  absl::StatusOr<bool> HasNoOther(Transaction& txn, const Member& manifest,
                                  const std::vector<std::string>& tags);
  // FailedPrecondition when the tag is the last one, of any repository, of an image with a hold.
  absl::Status CheckNotLast(Transaction& txn, RepositoryId repository, std::string_view tag,
                            const Digest& manifest);

 private:
  absl::Status TagIn(const NamedRepository& repository, std::string_view tag, const Digest& digest);

  const Parts parts_;
  TagVersions versions_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_TAGS_H_
