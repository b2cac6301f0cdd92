// Which manifests are dangling. Reads rows only, so the answer holds for the moment; promises,
// which are no rows, are not looked at. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_KEEP_DANGLING_H_
#define VARVE_STORAGE_KEEP_DANGLING_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"
#include "storage/index/reads.h"

namespace varve {

// True when no tag of any repository names `manifest`, no manifest of any repository lists it (an
// index its child), and it is no referrer of a subject that `repository` lists. An index that is
// itself dangling keeps its children from being so, and a dangling subject its referrers: they
// become dangling when it goes. NotFound when `repository` does not list `manifest`. At most five
// reads.
absl::StatusOr<bool> IsDangling(Reads& reads, RepositoryId repository, const Digest& manifest);

// A hold or a lease on a manifest.
struct Claim {
  EdgeKind kind = EdgeKind::kHold;
  std::string name;

  std::string Text() const;  // "hold web-1", "lease 0123…"
};

// What claims the manifest, a hold before a lease; nullopt when nothing does. Two reads. With
// `repository`, holds that name it in another repository do not count. Whoever makes a claim guards
// the manifest's blob row shared, so with that row guarded exclusively in `txn` a nullopt holds
// until the commit.
absl::StatusOr<std::optional<Claim>> FindClaim(Reads& reads, const Digest& manifest);
absl::StatusOr<std::optional<Claim>> FindClaimIn(Reads& reads, RepositoryId repository,
                                                 const Digest& manifest);

// Whether a tag of this repository names `manifest`. One read.
absl::StatusOr<bool> IsTagged(Reads& reads, RepositoryId repository, const Digest& manifest);

}  // namespace varve

#endif  // VARVE_STORAGE_KEEP_DANGLING_H_
