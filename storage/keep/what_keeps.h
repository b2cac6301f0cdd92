// THE rule of what keeps content: that of prune, deletions, disk usage, listings and `why`. A kind
// of edge has its one line in KeeperOf; storage/check/ has rules of its own, on purpose, as a
// second opinion.
//
// Bytes stay while any edge is on them. An image, which is a manifest as one repository lists it,
// is kept when a tag, a hold or a lease is on it, when a kept manifest lists it, and when its
// subject is kept: a referrer lives with its subject, and does not keep it. What only keeps each
// other is not kept (DanglingSearch). Promises are no rows: whoever removes something asks them.
//
// Read in passing, an answer is of the moment. In a transaction it holds until the commit for those
// who guard the blob row of the image exclusively, as whoever tags, lists, holds or leases it
// guards that row shared; the absence of a subject holds anyway. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_KEEP_WHAT_KEEPS_H_
#define VARVE_STORAGE_KEEP_WHAT_KEEPS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"
#include "storage/index/reads.h"
#include "storage/index/rows.h"

namespace varve {

struct ImageKeeper {
  enum class Kind {
    kHold,     // `name`, in the repository of `image` (0: the whole store)
    kLease,    // `name`
    kTag,      // `name` of the repository of `image`, which is any
    kLister,   // `image` lists or names it, in any repository
    kSubject,  // it refers to `image`, by its own field or by a tag "sha256-<hex>.<suffix>"
    kMember,   // the repository of `image` lists it: that keeps the bytes, and no image
  };
  Kind kind = Kind::kTag;
  Member image;
  std::string name;  // of a kSubject too: the tag, if it is one

  bool is_claim() const { return kind == Kind::kHold || kind == Kind::kLease; }
};

// What an edge on `target` means. That a tag attaches its image to a subject (kSubject) holds while
// the subject is here, which the visits below look at; else it is a tag like any other.
ImageKeeper KeeperOf(const Digest& target, EdgeSource edge);

// Whose images stay: tagged ones too, or only those with holds. Leases are for the caller to look
// at.
enum class DanglingScope { kDangling, kUnused };

// What a direct keeper of `image` means in a scope: nothing, that it stays, or that it stays with
// another image.
enum class KeeperWeight { kNone, kStays, kWithImage };
KeeperWeight Weigh(DanglingScope scope, const Member& image, const ImageKeeper& keeper);

// Calls `visit` for each direct keeper of an image, those first that are no images, until it says
// no. NotFound when nothing of that ended the visit and the repository does not list the image (any
// more). One read for an image with a tag, as a rule, else two to four.
using KeeperVisitor = absl::FunctionRef<absl::StatusOr<bool>(const ImageKeeper& keeper)>;
absl::Status VisitKeepers(Reads& reads, const Member& image, KeeperVisitor visit);
// The same of any content, in the order of its edges: kMember too, each before the subject there.
absl::Status VisitContentKeepers(Reads& reads, const Digest& content, KeeperVisitor visit);
// Each manifest of the repository that lists or names the image.
absl::Status VisitListers(Reads& reads, const Member& image, KeeperVisitor visit);

// Of each manifest the first edge that may keep it: any but that a repository lists it. Holds come
// first, leases next, tags last; nullopt: nothing keeps it but perhaps its subject. One round trip
// for up to kMaxBatchReads / 2 manifests.
absl::StatusOr<std::vector<std::optional<EdgeSource>>> FirstKeepingEdges(
    Reads& reads, absl::Span<const Digest> manifests);
// The edges by which images and repositories need content: all but those of claims.
KeyRange EdgesOfImages(const Digest& content);

// True when no tag of any repository names the image, no manifest of any repository lists it, and
// its repository has no subject of it. An index that is itself dangling keeps its children from
// being so, and a dangling subject its referrers: they become dangling when it goes. NotFound as
// VisitKeepers.
absl::StatusOr<bool> IsDangling(Reads& reads, const Member& image);

// A hold or a lease on a manifest.
struct Claim {
  EdgeKind kind = EdgeKind::kHold;
  std::string name;

  std::string Text() const;  // "hold web-1", "lease 0123…"
};
// What claims the manifest, a hold before a lease; nullopt when nothing does. One round trip. With
// a repository, holds that name it in another one do not count.
absl::StatusOr<std::optional<Claim>> FindClaim(Reads& reads, const Digest& manifest);
absl::StatusOr<std::optional<Claim>> FindClaimIn(Reads& reads, const Member& image);

// Whether a tag of the repository names the image.
absl::StatusOr<bool> IsTagged(Reads& reads, const Member& image);
// Whether a manifest of the repository lists or names it.
absl::StatusOr<bool> IsListed(Reads& reads, const Member& image);
// Whether the repository lists a subject. In a transaction none comes until the commit: a put of it
// guards its blob row exclusively.
absl::StatusOr<bool> IsHere(Reads& reads, const Member& subject);
// The subject to which the tag attaches its image, when the repository lists it.
absl::StatusOr<std::optional<Digest>> AttachedTo(Reads& reads, RepositoryId repository,
                                                 std::string_view tag);
// Whether anything but its tags keeps the image in its repository: a lister, a claim, its subject.
absl::StatusOr<bool> IsNeededUntagged(Reads& reads, const Member& image, const MemberRow& row);

}  // namespace varve

#endif  // VARVE_STORAGE_KEEP_WHAT_KEEPS_H_
