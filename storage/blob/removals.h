// Files on their way out. A removing/ row is written in the transaction that makes a file garbage;
// the file is unlinked when that commit is on stable storage; the row goes when the unlink is. A
// crash at any point leaves either the row or nothing. Thread-safe.
//
// Whoever removes one file commits with a sync and unlinks it. Whoever removes many commits without
// and adds the files here: one sync then does for all of them.
//
// A file that cannot be unlinked holds up no other: it is kept aside with its row, and tried again
// after a pause that doubles each time.
#ifndef VARVE_STORAGE_BLOB_REMOVALS_H_
#define VARVE_STORAGE_BLOB_REMOVALS_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/file_root.h"
#include "storage/blob/unnamed_files.h"
#include "storage/index/index.h"

namespace varve {

class Removals {
 public:
  // `roots`: where files are, by the numbers that rows call them.
  Removals(Index& index, std::vector<FileRoot*> roots, UnnamedFiles& unnamed, Clock& clock)
      : index_(index), roots_(std::move(roots)), unnamed_(unnamed), clock_(clock) {}

  // Part of the transaction that stops naming `file`; id 0, here and below, is none.
  static absl::Status Stage(Transaction& txn, const RootedFile& file);

  // After that commit: gives the space back at once. Returns the bytes that the disk got back: 0
  // when the file was gone already or somebody still reads it. On an error the file is kept aside.
  absl::StatusOr<uint64_t> Unlink(const RootedFile& file) ABSL_LOCKS_EXCLUDED(mutex_);

  // After a commit without a sync: the file waits for UnlinkAdded, or for the next Finish.
  void Add(const RootedFile& file) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the commits of the added files durable, and unlinks these. Returns the bytes the disk got
  // back. On an error, which is of the index, what is left waits for the next Finish.
  absl::StatusOr<uint64_t> UnlinkAdded() ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the unlinks so far durable and drops their rows; tries again what is kept aside and due;
  // removes directories that became empty. An error is of the index.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

  // At open: unlinks what a crash left staged. An error is of the index.
  absl::Status Recover();

  // At open, for files that nothing names: unlinks them, those of one directory with one sync.
  // What fails is staged and kept aside. An error is of the index.
  absl::Status RemoveUnnamed(std::vector<RootedFile> files);

  // How many files could not be unlinked so far, and why this one could not; "": it can.
  size_t kept_aside() ABSL_LOCKS_EXCLUDED(mutex_);
  std::string ReasonKeptAside(FileId file) ABSL_LOCKS_EXCLUDED(mutex_);
  // What went wrong since the last call: a sentence a file, for the log; at most
  // kMaxReclaimProblems.
  std::vector<std::string> TakeProblems() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Aside {
    uint8_t root = 0;
    int failures = 0;
    int64_t due_nanos = 0;  // monotonic
    std::string reason;
  };

  // Unlinks the files, which are sorted, again if need be, and syncs their directories. Returns
  // those whose unlink is durable; the others are kept aside.
  std::vector<RootedFile> Settle(absl::Span<const RootedFile> files) ABSL_LOCKS_EXCLUDED(mutex_);
  void KeepAside(const RootedFile& file, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status DropRows(absl::Span<const RootedFile> files);
  void RemoveEmptyDirectories() ABSL_LOCKS_EXCLUDED(mutex_);

  Index& index_;
  const std::vector<FileRoot*> roots_;
  UnnamedFiles& unnamed_;
  Clock& clock_;
  Mutex mutex_;
  std::vector<RootedFile> added_ ABSL_GUARDED_BY(mutex_);   // committed, perhaps not durable
  std::vector<RootedFile> staged_ ABSL_GUARDED_BY(mutex_);  // committed, row still there
  absl::flat_hash_map<FileId, Aside> aside_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> problems_ ABSL_GUARDED_BY(mutex_);
  // The first id of each directory that lost a file and may be empty.
  std::set<RootedFile> emptied_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_REMOVALS_H_
