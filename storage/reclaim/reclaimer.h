// Takes due rows of the condemned queue and removes what nothing keeps: time in proportion to the
// rows that are due, beside everything else. One pass at a time; thread-safe.
//
// A condemned row is a hint to look, not a verdict: it is written when a blob is committed and when
// an edge goes, and a row whose blob has an edge again is dropped. So whoever adds an edge writes
// nothing but the edge.
#ifndef VARVE_STORAGE_RECLAIM_RECLAIMER_H_
#define VARVE_STORAGE_RECLAIM_RECLAIMER_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/removals.h"
#include "storage/catalog/promises.h"
#include "storage/index/index.h"
#include "storage/store.h"

namespace varve {

class Reclaimer {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Removals& removals;
    Promises& promises;
    Space& space;
    Clock& clock;
  };

  explicit Reclaimer(Parts parts);

  // A wall clock that jumped forward makes everything due at once: then nothing is, for one promise
  // time. Whoever decides by the wall clock what has ended calls it before; Run does too.
  void NoticeClockJump() ABSL_LOCKS_EXCLUDED(clock_mutex_);
  // Handles everything that is due now.
  absl::StatusOr<ReclaimReport> Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `look` while no pass runs: meanwhile no condemned row goes or moves. Passes wait.
  absl::Status BetweenPasses(const std::function<absl::Status()>& look) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Examine(std::string_view condemned_key, ReclaimReport* report);
  // A look without guards: the blob's row, unless it is absent or some edge keeps it.
  absl::StatusOr<std::optional<BlobRow>> LooksUnkept(const Digest& digest);
  // Removes the blob's record unless something keeps it; the condemned row goes either way. Nobody
  // waits for the removal, so its commit is not synced: its file goes after the page.
  absl::Status RemoveUnlessKept(std::string_view condemned_key, const Digest& digest,
                                ReclaimReport* report);
  absl::Status Postpone(std::string_view condemned_key, const Digest& digest, int64_t wait_nanos);

  const Parts parts_;
  Mutex mutex_;  // one pass at a time
  Mutex clock_mutex_;
  int64_t last_wall_nanos_ ABSL_GUARDED_BY(clock_mutex_);
  int64_t last_monotonic_nanos_ ABSL_GUARDED_BY(clock_mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_RECLAIMER_H_
