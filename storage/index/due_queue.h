// A queue of rows to look at when their time has come: keys of a prefix and a time, which wall
// clocks wrote. It knows where the next pass begins. Thread-safe; one pass at a time.
//
// A log-structured engine keeps a mark for each deleted row until some compaction, and a scan walks
// over these marks. A pass that began at the front of the queue would walk over all that the passes
// before it had taken away. So it begins where the last one ended, less kLatestCommitNanos for
// transactions that read the clock before that moment and commit after it. At the first pass, when
// the clock went back, and once an hour in case one took longer still, it begins at the front.
#ifndef VARVE_STORAGE_INDEX_DUE_QUEUE_H_
#define VARVE_STORAGE_INDEX_DUE_QUEUE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/index/index.h"

namespace varve {

class DueQueue {
 public:
  static constexpr int64_t kLatestCommitNanos = 120 * kNanosPerSecond;
  static constexpr int64_t kFrontAgainNanos = 3600 * kNanosPerSecond;

  // Rows further ahead than `horizon_nanos` are due too: they were written while the clock was
  // wrong, since nothing is ever put off for so long.
  DueQueue(std::string prefix, int64_t horizon_nanos)
      : prefix_(std::move(prefix)), horizon_nanos_(horizon_nanos) {}

  // Takes the rows of a page out of the queue, or moves them to a later time within the horizon.
  // False when some stay where they are: the next pass meets these again. An error ends the pass;
  // the next one begins with this page.
  using Handle = std::function<absl::StatusOr<bool>(absl::Span<const KeyValue> rows)>;

  // Calls `handle` with all rows that are due at `now_nanos` (wall), up to `page_rows` at a time,
  // each page read after the page before it was handled.
  absl::Status Visit(Index& index, int64_t now_nanos, size_t page_rows, const Handle& handle)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::string KeyAt(int64_t nanos) const;
  // Visits the range; notes in `*left` the first key that stays.
  absl::Status VisitRange(Index& index, KeyRange range, size_t page_rows, const Handle& handle,
                          std::string* left);

  const std::string prefix_;
  const int64_t horizon_nanos_;
  Mutex mutex_;
  std::string begin_ ABSL_GUARDED_BY(mutex_);  // of the next pass; empty: the front
  int64_t last_pass_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t front_again_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_DUE_QUEUE_H_
