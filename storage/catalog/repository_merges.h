// One repository of two, in three steps: what the first has is copied to the second while both
// names work; one transaction takes its name from the first, so that from then on the name means
// what the rule of names says, as a rule the second; then what came meanwhile is copied too, and
// the first emptied and removed. Until the second step nothing is lost when it breaks off, and
// after it the rest of the first has a name of its own to go on with. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_REPOSITORY_MERGES_H_
#define VARVE_STORAGE_CATALOG_REPOSITORY_MERGES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/manifests.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/catalog/image_copies.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/links.h"
#include "storage/catalog/manifest_deletions.h"
#include "storage/catalog/members.h"
#include "storage/catalog/pull_times.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tags.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

class RepositoryMerges {
 public:
  struct Parts {
    Index& index;
    PullTimes& pull_times;
    Repositories& repositories;
    EmptyRepositories& empty_repositories;
    ImageEvents& events;
    Members& members;
    Tags& tags;
    Links& links;
    ManifestDeletions& deletions;
    ImageCopies& copies;
  };

  explicit RepositoryMerges(Parts parts) : parts_(parts) {}

  // Manifests::MergeRepositories.
  absl::StatusOr<RepositoryMerge> Merge(std::string_view from, std::string_view into, bool force);

 private:
  struct Merging {
    RepositoryId from = 0;
    std::string from_name;  // that it had
    RepositoryId into = 0;
    std::string into_name;
  };

  absl::Status FindCollisions(const Merging& merging, RepositoryMerge* report);
  absl::Status CopyRepository(const Merging& merging);
  absl::Status CopyManifest(const Merging& merging, const Digest& manifest);
  // Tags, holds and the time of the last pull; the tags that it had.
  absl::StatusOr<std::vector<std::string>> CopyTagsAndHolds(const Merging& merging,
                                                            const Digest& manifest);
  // A tag that the other repository has set later stays there.
  absl::Status CopyTags(const Merging& merging, const Digest& manifest,
                        absl::Span<const std::string> tags);
  absl::Status MoveHolds(const Merging& merging, const Digest& manifest);
  absl::Status CopyPullTime(const Merging& merging, const Digest& manifest);
  absl::Status MoveRest(const Merging& merging, const std::string& rest, uint64_t* manifests);
  absl::Status MoveMember(const Merging& merging, const Digest& manifest);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_REPOSITORY_MERGES_H_
