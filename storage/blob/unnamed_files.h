// Files that no index row names yet: being written, or about to be removed. Gives out file ids, and
// knows the low-water mark below which open() need not look for what a crash left. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_UNNAMED_FILES_H_
#define VARVE_STORAGE_BLOB_UNNAMED_FILES_H_

#include <algorithm>
#include <set>

#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/blob/id_allocator.h"
#include "storage/index/keys.h"

namespace varve {

class UnnamedFiles {
 public:
  explicit UnnamedFiles(IdAllocator& ids) : ids_(ids) {}

  // A new file id, unnamed until Settle.
  absl::StatusOr<FileId> Allocate() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(const FileId file, ids_.Next());
    unnamed_.insert(file);
    return file;
  }

  // A committed row names the file now, or it is gone for good.
  void Settle(FileId file) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    unnamed_.erase(file);
  }

  bool Contains(FileId file) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return unnamed_.count(file) > 0;
  }

  // Every file with a lower id is named by a row, or gone.
  absl::StatusOr<FileId> LowWater() ABSL_LOCKS_EXCLUDED(mutex_) {
    // The bound first: an id given out after it is above it, one given out before is in the set.
    ASSIGN_OR_RETURN(const FileId bound, ids_.UpperBound());
    MutexLock lock(mutex_);
    return unnamed_.empty() ? bound : std::min(bound, *unnamed_.begin());
  }

 private:
  IdAllocator& ids_;
  Mutex mutex_;
  std::set<FileId> unnamed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_UNNAMED_FILES_H_
