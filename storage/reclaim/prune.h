// Removes dangling images, or all that are not in use, and reclaims what only they kept. One object
// is one prune; one thread.
//
// The plan is a walk over the rows of all members, a page at a time. For each image that nothing
// keeps (DanglingSet) and that the filters select, the removal decides again in its own
// transaction, with the manifest's blob row guarded exclusively: an image that was tagged, listed
// or held since is skipped. What goes may leave others behind that belonged to it (children of an
// index, what refers to it): these follow at once, whatever the filters say, unless they have tags
// of their own. What a promise or a lease covers stays for now, and why is told. A dry run takes
// the same way and assumes each removal instead of making it.
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
#include "storage/reclaim/newest_images.h"
#include "storage/store.h"

namespace varve {

// The filters of a prune, and `all` as they and the request say it. InvalidArgument for a filter
// that is not one of prune's, and when the two contradict each other.
struct PruneSelection {
  ImageFilter filter;
  bool all = false;
  bool now = false;
};
absl::StatusOr<PruneSelection> ParsePruneRequest(const PruneRequest& request, Clock& clock);

class Prune {
 public:
  struct Parts {
    DanglingSet::Parts images;
    Images& descriptions;
    Promises& promises;
    Clock& clock;
    DeletionRunner run;
    std::function<absl::Status()> reclaim;  // one pass of the reclaimer
  };

  Prune(Parts parts, PruneSelection selection, bool dry_run, const PruneObserver& observer);

  // Store::Prune; at most once.
  absl::StatusOr<PruneReport> Run();

 private:
  // Whether the image goes; then it is gone, or assumed to be.
  absl::StatusOr<bool> Take(const DanglingSet::Content& content, bool follows);
  absl::StatusOr<bool> IsSelected(const Member& member, const ImageDescription& image,
                                  const std::vector<std::string>& tags);
  bool HasSelectedNames(const std::string& repository, const Digest& manifest,
                        const std::vector<std::string>& tags);
  absl::StatusOr<bool> WasUsedLately(const Member& member, const ImageInfo& image,
                                     const std::vector<std::string>& tags);
  // Why the image has to stay for now, as a step; nullopt when nothing is in the way.
  absl::StatusOr<std::optional<PruneStep>> Deferral(const Member& member, const ImageInfo& image);
  absl::StatusOr<Catalog::Deletion> Remove(const Member& member,
                                           const std::vector<std::string>& tags);
  void Tell(PruneStep step);
  absl::StatusOr<std::string> NameOf(RepositoryId repository);
  // Reclaims what only the removed images kept, and measures what became of it.
  absl::Status Reclaim();
  absl::Status Measure(const Digest& digest, const DanglingSet::Copy& copy);

  const Parts parts_;
  const PruneSelection selection_;
  const bool dry_run_;
  const PruneObserver& observer_;
  DanglingSet set_;
  NewestImages newest_;
  absl::flat_hash_set<Member> deferred_;  // each is told once, also when it follows several
  PruneReport report_;
  uint64_t looked_at_ = 0;  // members
  bool stopped_ = false;    // by the observer
  std::optional<std::pair<RepositoryId, std::string>> last_name_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_PRUNE_H_
