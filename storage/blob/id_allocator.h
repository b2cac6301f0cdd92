// Numbers that are given out once and never again, across restarts and crashes: file ids and
// repository ids. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_ID_ALLOCATOR_H_
#define VARVE_STORAGE_BLOB_ID_ALLOCATOR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/index/index.h"

namespace varve {

class IdAllocator {
 public:
  explicit IdAllocator(Index& index) : index_(index) {}

  // The next id, from 1 up. Every kIdBlock-th call writes one synced index transaction, so that a
  // crash skips ids but never repeats one.
  absl::StatusOr<uint64_t> Next() ABSL_LOCKS_EXCLUDED(mutex_);

  // No id at or above it was ever given out.
  absl::StatusOr<uint64_t> UpperBound() ABSL_LOCKS_EXCLUDED(mutex_);

  // The same, as the index says it; reserves nothing.
  absl::StatusOr<uint64_t> Reserved();

  // Before the first id is given out: none below `id` will be.
  absl::Status RaiseTo(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status ReserveBlock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Index& index_;
  Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t reserved_end_ ABSL_GUARDED_BY(mutex_) = 0;  // 0 until the first reservation
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_ID_ALLOCATOR_H_
