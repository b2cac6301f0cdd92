// Holds: "a container uses this image". A hold is a row, an edge to its manifest, and a row in the
// order of expiry when it has an end. Thread-safe; each call is one transaction.
//
// Whoever makes a hold guards the manifest's blob row shared, and finds it listed; a deletion
// guards that row exclusively and finds the edge. So no image goes that a hold was granted on.
#ifndef VARVE_STORAGE_CLAIMS_HOLDS_H_
#define VARVE_STORAGE_CLAIMS_HOLDS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/claims.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/repositories.h"
#include "storage/index/counted_changes.h"
#include "storage/index/due_queue.h"
#include "storage/index/index.h"

namespace varve {

class Holds {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Repositories& repositories;
    Clock& clock;
  };

  explicit Holds(Parts parts);

  // The calls of Claims, with the same contracts.
  absl::StatusOr<HoldInfo> Create(const HoldRequest& request);
  absl::Status Release(std::string_view name);
  absl::StatusOr<Page<HoldInfo>> List(const PageRequest& page);

  // Ends those whose time has come. Not after a jump of the clock: the caller sees to that.
  absl::Status Expire();

  // Around every transaction that may change how many holds there are.
  const CountedChanges& changes() const { return changes_; }

 private:
  absl::StatusOr<HoldInfo> Describe(std::string_view name, const HoldRow& row);
  // Ends the hold that an expiry row is about, if it is still that row's.
  absl::Status ExpireOne(Transaction& txn, const KeyValue& row, int64_t now);

  const Parts parts_;
  DueQueue expiries_;
  CountedChanges changes_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CLAIMS_HOLDS_H_
