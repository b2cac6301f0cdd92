// Files that no index row names yet: being written, or about to be removed. Gives out file ids, and
// knows the low-water mark below which open() need not look for what a crash left. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_UNNAMED_FILES_H_
#define VARVE_STORAGE_BLOB_UNNAMED_FILES_H_

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/base/check.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/id_allocator.h"
#include "storage/index/keys.h"
#include "storage/limits.h"

namespace varve {

class UnnamedFiles {
 public:
  explicit UnnamedFiles(IdAllocator& ids) : ids_(ids) {}

  // A new file id, unnamed until Settle.
  absl::StatusOr<FileId> Allocate() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(const FileId file, ids_.Next());
    CheckInvariant(unnamed_.empty() || file > *unnamed_.rbegin(),
                   "file ids grow, so that none is given out twice");
    unnamed_.insert(file);
    return file;
  }

  // A new file under an id of its own. Ids whose files are there already are skipped.
  struct NewFile {
    FileId id = 0;
    std::unique_ptr<WritableFile> file;
  };
  absl::StatusOr<NewFile> Create(BlobFiles& files) ABSL_LOCKS_EXCLUDED(mutex_) {
    for (uint64_t taken = 0; taken <= kMaxTakenIds; ++taken) {
      ASSIGN_OR_RETURN(const FileId id, Allocate());
      absl::StatusOr<std::unique_ptr<WritableFile>> file = files.Create(id);
      if (file.ok()) return NewFile{id, *std::move(file)};
      Settle(id);  // this process made no such file
      if (!absl::IsAlreadyExists(file.status())) return file.status();
    }
    return absl::UnavailableError(
        "the files under blobs/ are newer than the index; start the daemon again");
  }

  // A committed row names the file now, or it is gone for good. 0: there is none.
  void Settle(FileId file) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (file == 0) return;
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
