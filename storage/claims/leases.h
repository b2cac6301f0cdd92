// Leases: a client's claim on content while it works. A lease is a row, an edge and a content row
// for each digest attached, and a row in the order of its deadline. Thread-safe.
//
// Whoever attaches content guards its blob row shared, also when there is none yet; the reclaimer
// and a deletion guard it exclusively and find the edge. A lease ends in pages: its row says so
// first, so that nothing is attached any more, and goes last. A crash in between leaves its row in
// the order of deadlines, and Expire goes on.
#ifndef VARVE_STORAGE_CLAIMS_LEASES_H_
#define VARVE_STORAGE_CLAIMS_LEASES_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/claims.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/index/counted_changes.h"
#include "storage/index/due_queue.h"
#include "storage/index/index.h"

namespace varve {

class Leases {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Clock& clock;
    RandomSource& random;
  };

  explicit Leases(Parts parts);

  // The calls of Claims, with the same contracts.
  absl::StatusOr<LeaseInfo> Create(const LeaseRequest& request);
  absl::StatusOr<std::vector<Digest>> Attach(std::string_view id,
                                             absl::Span<const Digest> contents);
  absl::StatusOr<LeaseInfo> Renew(std::string_view id, int64_t ttl_nanos);
  absl::Status Delete(std::string_view id);
  absl::StatusOr<Page<LeaseInfo>> List(const PageRequest& page);

  // Ends those whose deadline has passed. Not after a jump of the clock: the caller sees to that.
  absl::Status Expire();

  // Around every transaction that may change how many leases there are.
  const CountedChanges& changes() const { return changes_; }

 private:
  absl::Status AttachPage(std::string_view id, absl::Span<const Digest> contents);
  // Ends the lease, which is known to be ending or, with `due`, has had exactly that deadline.
  absl::Status End(std::string_view id, std::optional<int64_t> due);
  // For a deadline that was set while the clock was ahead: lets the lease's time begin now.
  absl::Status BeginAnew(std::string_view id, int64_t deadline, int64_t now);

  const Parts parts_;
  DueQueue expiries_;
  CountedChanges changes_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CLAIMS_LEASES_H_
