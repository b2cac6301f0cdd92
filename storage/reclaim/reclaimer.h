// Takes due rows of the condemned queue and removes what nothing keeps: time in proportion to the
// rows that are due, beside everything else. One pass at a time; thread-safe.
//
// A condemned row is a hint to look, not a verdict: it is written when a blob is committed and when
// an edge goes, and a row whose blob has an edge again is dropped. So whoever adds an edge writes
// nothing but the edge.
//
// A prune condemns a base layer once for every image that had it. Rows are looked at in pages, each
// digest of a page once, and where an edge was seen is remembered for the pass: one point read then
// does instead of a scan over the edges that went. Rows of what is kept go without a guard of the
// blob's row, for which pushes would wait: see DropKept.
#ifndef VARVE_STORAGE_RECLAIM_RECLAIMER_H_
#define VARVE_STORAGE_RECLAIM_RECLAIMER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/removals.h"
#include "storage/index/due_queue.h"
#include "storage/index/index.h"
#include "storage/promises/promises.h"

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
  // Promises have ended early: the next pass looks also at what was put off because of them.
  void LookAtEverything() { look_at_everything_ = true; }
  // Handles everything that is due now.
  absl::StatusOr<ReclaimReport> Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `look` while no pass runs: meanwhile no condemned row goes or moves. Passes wait.
  absl::Status BetweenPasses(const std::function<absl::Status()>& look) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Candidate;
  struct Pass;

  // Handles what is not due yet: what nothing keeps and nobody was promised goes now.
  absl::Status ExaminePutOff(Pass& pass);
  // Handles a page of rows; false when some of them stay in the queue.
  absl::StatusOr<bool> ExaminePage(absl::Span<const KeyValue> rows, Pass& pass);
  // Calls `handle` with all candidates, and if that fails with each alone.
  absl::Status TogetherOrEach(absl::Span<Candidate> candidates, Pass& pass,
                              const std::function<absl::Status(absl::Span<Candidate>)>& handle);
  // Puts off a candidate of which something is damaged, and tells it; passes other errors on.
  absl::Status KeepAside(Candidate& candidate, const absl::Status& why, Pass& pass);
  // Drops the rows of those candidates that some edge keeps or that have no blob; notes of the
  // others what there is to remove.
  absl::Status DropKept(absl::Span<Candidate> candidates, Pass& pass);
  absl::Status LookForEdges(Transaction& txn, absl::Span<Candidate> candidates, Pass& pass);
  // Removes those that nobody was promised, and puts the others off.
  absl::Status RemoveOrPostpone(absl::Span<Candidate> candidates, Pass& pass);
  absl::Status Postpone(absl::Span<const std::pair<Candidate*, int64_t>> later);
  // Removes the records of announced candidates unless something keeps them; their rows go either
  // way. Nobody waits for a removal, so its commit is not synced: the files go after it is.
  absl::Status Remove(absl::Span<Candidate* const> candidates, Pass& pass);
  absl::Status RemoveIn(Transaction& txn, absl::Span<Candidate* const> candidates);

  const Parts parts_;
  std::atomic<bool> look_at_everything_ = false;
  Mutex mutex_;  // one pass at a time
  DueQueue queue_;
  Mutex clock_mutex_;
  int64_t last_wall_nanos_ ABSL_GUARDED_BY(clock_mutex_);
  int64_t last_monotonic_nanos_ ABSL_GUARDED_BY(clock_mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_RECLAIMER_H_
