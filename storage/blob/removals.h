// Files on their way out. A removing/ row is written in the transaction that makes a file garbage;
// the file is unlinked after that commit; the row goes when the unlink is durable. A crash at any
// point leaves either the row or nothing. Thread-safe.
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

  // Makes the unlinks so far durable and drops their rows.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

  // At open: unlinks what a crash left staged.
  absl::Status Recover();

 private:
  Index& index_;
  BlobFiles& files_;
  Mutex mutex_;
  std::vector<FileId> staged_ ABSL_GUARDED_BY(mutex_);  // committed, row still there
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_REMOVALS_H_
