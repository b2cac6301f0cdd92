// What keeps an image directly: the one rule of prune, disk usage and deletions. An image is kept
// when a tag, a hold or a lease is on it, when a kept manifest lists it, and when its subject is
// kept: a referrer lives with its subject, and does not keep it. What only keeps each other is not
// kept. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_KEEP_IMAGE_KEEPERS_H_
#define VARVE_STORAGE_KEEP_IMAGE_KEEPERS_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"
#include "storage/index/reads.h"

namespace varve {

struct ImageKeeper {
  enum class Kind {
    kHold,     // `name`, in any repository
    kLease,    // `name`
    kTag,      // `name` of the repository of `image`, which is any
    kLister,   // `image` lists or names it, in any repository
    kSubject,  // it refers to `image`, by its own field or by a tag "sha256-<hex>.<suffix>"
  };
  Kind kind = Kind::kTag;
  Member image;
  std::string name;  // of a kSubject too: the tag, if it is one
};

// Calls `visit` for each direct keeper, those first that are no images, until it says no. NotFound
// when nothing of that ended the walk and the repository does not list the image (any more). One
// read for an image with a tag, as a rule, else two to four. In a transaction the absence of a
// subject holds until the commit; the rest does for those who guard the image's blob row
// exclusively.
using KeeperVisitor = std::function<absl::StatusOr<bool>(const ImageKeeper& keeper)>;
absl::Status VisitKeepers(Reads& reads, const Member& image, const KeeperVisitor& visit);

// Of each manifest the first edge that may keep it: any but that a repository lists it. Holds come
// first, leases next, tags last; nullopt: nothing keeps it but perhaps its subject. One round trip
// for up to kMaxBatchReads / 2 manifests. In a transaction it holds until the commit as that of
// VisitKeepers does.
absl::StatusOr<std::vector<std::optional<EdgeSource>>> FirstKeepingEdges(
    Reads& reads, absl::Span<const Digest> manifests);

// Calls `visit` for each manifest of the repository that lists or names the image, until it says
// no.
absl::Status VisitListers(Reads& reads, const Member& image, const KeeperVisitor& visit);

}  // namespace varve

#endif  // VARVE_STORAGE_KEEP_IMAGE_KEEPERS_H_
