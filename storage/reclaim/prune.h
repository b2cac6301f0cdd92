// Removes dangling images and reclaims what only they kept. One object is one prune; one thread.
//
// Candidates come from the rows of all members, a page at a time; each removal decides again in its
// own transaction, with the manifest's blob row guarded exclusively. What goes may leave others
// dangling (children of an index, referrers of a subject): these follow at once, whatever the
// filters say, as they belong to it. What a promise covers stays for now and is counted. A dry run
// takes the same way and assumes each removal instead of making it.
#ifndef VARVE_STORAGE_RECLAIM_PRUNE_H_
#define VARVE_STORAGE_RECLAIM_PRUNE_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/catalog/image_filter.h"
#include "storage/catalog/images.h"
#include "storage/catalog/promises.h"
#include "storage/reclaim/dangling_set.h"
#include "storage/reclaim/image_removal.h"
#include "storage/store.h"

namespace varve {

class Prune {
 public:
  struct Parts {
    DanglingSet::Parts images;
    Images& descriptions;
    Promises& promises;
    Clock& clock;
    int64_t promise_nanos;  // so long after its last pull an image stays, too
    DeletionRunner run;
    std::function<absl::Status()> reclaim;  // one pass of the reclaimer
  };

  Prune(Parts parts, const PruneRequest& request, const PruneObserver& observer)
      : parts_(std::move(parts)), request_(request), observer_(observer), set_(parts_.images) {}

  // Store::Prune; at most once. InvalidArgument for a filter that is not one of prune's.
  absl::StatusOr<PruneReport> Run();

 private:
  // Whether the image goes; then it is gone, or assumed to be.
  absl::StatusOr<bool> Take(const DanglingSet::Content& content, bool follows);
  absl::StatusOr<bool> Remove(const Member& member);
  absl::StatusOr<std::string> NameOf(RepositoryId repository);
  // Reclaims what only the removed images kept, and measures what became of it.
  absl::Status Reclaim();

  const Parts parts_;
  const PruneRequest& request_;
  const PruneObserver& observer_;
  ImageFilter filter_;
  DanglingSet set_;
  PruneReport report_;
  bool stopped_ = false;  // by the observer
  std::optional<std::pair<RepositoryId, std::string>> last_name_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_PRUNE_H_
