// Files on their way out. A removing/ row is written in the transaction that makes a file garbage;
// the file is unlinked when that commit is on stable storage; the row goes when the unlink is. A
// crash at any point leaves either the row or nothing. Thread-safe.
//
// Whoever removes one file commits with a sync and unlinks it. Whoever removes many commits without
// and adds the files here: one sync then does for all of them.
#ifndef VARVE_STORAGE_BLOB_REMOVALS_H_
#define VARVE_STORAGE_BLOB_REMOVALS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_files.h"
#include "storage/index/index.h"

namespace varve {

class Removals {
 public:
  Removals(Index& index, BlobFiles& files) : index_(index), files_(files) {}

  // Part of the transaction that stops naming `file`.
  static absl::Status Stage(Transaction& txn, FileId file);

  // After that commit: gives the space back at once. Returns the bytes the disk got back; 0 when
  // the file was gone already. On an error the file waits for the next Finish.
  absl::StatusOr<uint64_t> Unlink(FileId file) ABSL_LOCKS_EXCLUDED(mutex_);

  // After a commit without a sync: the file waits for UnlinkAdded, or for the next Finish.
  void Add(FileId file) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the commits of the added files durable, and unlinks these. Returns the bytes the disk got
  // back. On an error what is left waits for the next Finish.
  absl::StatusOr<uint64_t> UnlinkAdded() ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the unlinks so far durable and drops their rows.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

  // At open: unlinks what a crash left staged.
  absl::Status Recover();

 private:
  Index& index_;
  BlobFiles& files_;
  Mutex mutex_;
  std::vector<FileId> added_ ABSL_GUARDED_BY(mutex_);   // committed, perhaps not durable
  std::vector<FileId> staged_ ABSL_GUARDED_BY(mutex_);  // committed, row still there
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_REMOVALS_H_
