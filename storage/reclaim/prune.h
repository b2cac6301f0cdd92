// Removes dangling images, or all that are not in use, and reclaims what only they kept. One object
// is one prune; one thread.
//
// The plan is a walk over the rows of all members, a page at a time. For each image that nothing
// keeps (VisitKeepers) and that the filters select, the removal decides again in its transaction,
// with the manifest's blob row guarded exclusively: an image that was tagged, listed or held since
// is skipped. Most images have no edge but that a repository lists them: a page of those goes by
// one transaction (ManifestDeletions). Pages begin with one image and grow, so that who looks on
// is told at once, and can end it. What goes may leave others behind that belonged to it (children
// of an index, what refers to it): these follow at once, whatever the filters say, unless they have
// tags of their own. Images that only keep each other, in a circle, go when the filters select one
// that another refers to; that one is removed first, with all of them guarded. What a promise or a
// lease covers stays for now, and why is told. A dry run removes nothing: it asks a DanglingSearch
// what would go.
//
// Memory is bounded: what was removed is looked up in the index, not remembered, and the blobs of
// removed images are reclaimed and measured some ten thousand at a time.
#ifndef VARVE_STORAGE_RECLAIM_PRUNE_H_
#define VARVE_STORAGE_RECLAIM_PRUNE_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/pruning.h"
#include "storage/base/clock.h"
#include "storage/catalog/catalog.h"
#include "storage/image/image_filter.h"
#include "storage/images/image_describer.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/keep/dangling_search.h"
#include "storage/keep/newest_images.h"
#include "storage/keep/what_keeps.h"
#include "storage/promises/promises.h"
#include "storage/reclaim/image_content.h"
#include "storage/reclaim/image_removal.h"

namespace varve {

// The filters of a prune, and `all` as they and the request say it. InvalidArgument for a filter
// that is not one of prune's, and when the two contradict each other.
struct PruneSelection {
  ImageFilter filter;
  bool all = false;
  bool now = false;
};
absl::StatusOr<PruneSelection> ParsePruneRequest(const PruneRequest& request, Clock& clock,
                                                 const NameRule& names);

class Prune {
 public:
  struct Parts {
    ImageParts images;
    ImageDescriber& descriptions;
    Promises& promises;
    Clock& clock;
    DeletionRunner run;
    std::function<absl::Status()> reclaim;  // one pass of the reclaimer
  };

  Prune(Parts parts, PruneSelection selection, bool dry_run, const PruneObserver& observer);

  // Images::Prune; at most once.
  absl::StatusOr<PruneReport> Run();

 private:
  // An image that the filters select.
  struct Candidate {
    std::string repository;
    ImageInfo info;
    std::vector<std::string> tags;  // that go with it
  };

  // A member as it was read, with its row.
  struct Listed {
    Member image;
    std::string row;
  };
  // An image of a page that goes.
  struct Going {
    Candidate candidate;
    ImageContent content;
  };

  // prune_pages.cc
  absl::Status Walk();
  // Looks at a page of images: what nothing keeps goes with others, each other one by Offer.
  absl::Status OfferPage(const std::vector<Listed>& page);
  absl::Status AddToPage(const Member& image, MemberRow row);
  // Removes the images of the page, and what follows them.
  absl::Status TakePage();
  absl::StatusOr<std::vector<Deletion>> RemovePage(const std::vector<Going>& page);
  // Those of the page's blobs that are not noted yet.
  absl::StatusOr<absl::flat_hash_map<Digest, BlobCopy>> NewCopies(const std::vector<Going>& page);

  // Whether an image of a dry run goes that nothing keeps.
  absl::StatusOr<bool> MayGo(const Member& image, bool follows);
  // Looks at one image of a dry run.
  absl::Status Plan(const Member& image);
  // Looks at one image, and when it goes, at what follows it.
  absl::Status Offer(const Member& image);
  // Looks at what lost something that kept it.
  absl::Status TakeFollowers();
  // What keeps the image.
  struct Kept {
    bool stays = false;      // a tag or a hold
    bool by_images = false;  // others, which may go
  };
  // Calls `by`, if it is not null, for each image that keeps this one.
  absl::StatusOr<Kept> LookAt(const Member& image,
                              const std::function<void(const ImageKeeper& keeper)>& by);
  // Removes an image that nothing keeps but `together`; false when it stays.
  absl::StatusOr<bool> Take(const Member& image, bool follows, std::vector<Prunable> together);
  // The images that keep this one, when all of them go and one of them refers to it: none for an
  // image that refers to itself; nullopt when it is not so.
  absl::StatusOr<std::optional<std::vector<Prunable>>> FindCircle(const Member& image);

  // nullopt when it stays whatever keeps it.
  absl::StatusOr<std::optional<Candidate>> Select(const Member& image, bool follows);
  absl::StatusOr<bool> IsSelected(const Member& member, const ImageDescription& image,
                                  const std::vector<std::string>& tags);
  bool HasSelectedNames(const std::string& repository, const Digest& manifest,
                        const std::vector<std::string>& tags);
  absl::StatusOr<bool> WasUsedLately(const Member& member, const ImageInfo& image,
                                     const std::vector<std::string>& tags);
  // Why the image has to stay for now, as a step; nullopt when nothing is in the way.
  absl::StatusOr<std::optional<PruneStep>> Deferral(const Member& member, const ImageInfo& image);
  std::optional<PruneStep> PromiseDeferral(const ImageInfo& image);
  absl::StatusOr<Deletion> Remove(const std::vector<Prunable>& together);
  absl::Status AddFollowers(const ImageContent& gone);
  void TellDeferred(const Member& image, PruneStep step);
  void TellOutcome(const Candidate& candidate, Deletion outcome);
  void TellRemoved(const Candidate& candidate);
  void Tell(PruneStep step);
  absl::StatusOr<std::string> NameOf(RepositoryId repository);
  // prune_measure.cc. Reclaims what only the removed images kept, and measures what became of it.
  absl::Status Reclaim();
  absl::Status ForgetNamed(std::vector<std::pair<Digest, BlobCopy>>& blobs);
  absl::Status Measure(absl::Span<const std::pair<Digest, BlobCopy>> blobs);

  const Parts parts_;
  const PruneSelection selection_;
  const bool dry_run_;
  const PruneObserver& observer_;
  const DanglingScope scope_;
  NewestImages newest_;
  absl::flat_hash_set<Member> deferred_;  // each is told once, while there is room
  DanglingSearch search_;  // a dry run selects in it, a prune looks for what keeps images only
  // Of a dry run.
  Member planned_;  // what is looked at, and what came of it
  std::optional<Candidate> candidate_;
  std::optional<PruneStep> deferral_;
  // Of a prune.
  size_t page_size_ = 1;  // of the next page
  std::vector<Going> page_;
  size_t page_targets_ = 0;
  std::vector<Member> waiting_;                  // what lost something that kept it
  bool walk_again_ = false;                      // some of that found no room
  absl::flat_hash_set<Member> subjects_;         // that went, and to which tags may refer yet
  absl::flat_hash_map<Digest, BlobCopy> blobs_;  // of removed images, not yet reclaimed
  PruneReport report_;
  uint64_t looked_at_ = 0;  // members
  bool stopped_ = false;    // by the observer
  std::optional<std::pair<RepositoryId, std::string>> last_name_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_PRUNE_H_
