// How many bytes large uploads may leave in the page cache: the pull that follows a push, as a
// deployment follows a build, then finds them in memory, and a storm of pushes does not throw out
// what the machine had cached. A bucket that holds `capacity` bytes and fills again, evenly, in
// kPageCacheRefillNanos. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_PAGE_CACHE_BUDGET_H_
#define VARVE_STORAGE_BLOB_PAGE_CACHE_BUDGET_H_

#include <cstdint>

#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace varve {

class PageCacheBudget {
 public:
  // An eighth of the machine's memory, at most kMaxPageCacheBytes.
  static uint64_t DefaultCapacity();

  // Full at first. `clock` must outlive it.
  PageCacheBudget(Clock& clock, uint64_t capacity_bytes);

  uint64_t capacity_bytes() const { return capacity_bytes_; }
  // Takes `bytes`, all or none; false when there are not so many.
  bool Take(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Clock& clock_;
  const uint64_t capacity_bytes_;
  Mutex mutex_;
  double bytes_ ABSL_GUARDED_BY(mutex_);
  int64_t filled_nanos_ ABSL_GUARDED_BY(mutex_);  // when `bytes_` was right; monotonic
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_PAGE_CACHE_BUDGET_H_
