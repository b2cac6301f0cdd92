// Files whose rows are gone because the log of the index was damaged, or because an older copy of
// the index was restored. They stay where they are, named by rows of their own, for a week: a blob
// that something needs gets its row back (Adopt), the rest goes. Files that a crash left are no
// orphans: nothing was ever said about them, and opening the store removes them.
//
// A row, and not a directory, sets them apart: no rename between directories has to be durable, and
// adopting one is a single transaction. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_ORPHANS_H_
#define VARVE_STORAGE_BLOB_ORPHANS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/id_allocator.h"
#include "storage/blob/removals.h"
#include "storage/blob/space.h"
#include "storage/index/index.h"

namespace varve {

// Files with first <= id < end that no row names, and that are not among `uploads`.
absl::StatusOr<std::vector<FileId>> FindUnnamedFiles(Index& index, BlobFiles& files, FileId first,
                                                     FileId end,
                                                     const absl::flat_hash_set<FileId>& uploads);

// The mark below which every file is named: FORMAT.md, low_water.
absl::StatusOr<FileId> SavedLowWater(Index& index);

class Orphans {
 public:
  struct Parts {
    Index& index;
    BlobFiles& files;
    BlobStore& blobs;
    Removals& removals;
    Space& space;
    Clock& clock;
  };

  explicit Orphans(const Parts& parts) : parts_(parts) {}

  // At open: counts those there are.
  absl::Status Load();
  // At open, before an id is given out: what becomes of files that no row names and that are not
  // among `uploads`. A crash left them, and they go; but when rows were lost, or the index is older
  // than the files, they are kept as orphans, and ids go on above all that are there. `reserved` is
  // ids.Reserved() as the store was opened.
  struct Settled {
    bool went_back = false;
    size_t kept = 0;
  };
  absl::StatusOr<Settled> SettleUnnamed(IdAllocator& ids, FileId reserved,
                                        const absl::flat_hash_set<FileId>& uploads, bool lost_rows);

  DiskUsage::Part Usage() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Removes those that are kept for longer than kOrphanNanos; not now when Drop or Adopt works.
  absl::Status Expire();
  // Hashes each, and gives those a blob row whose bytes an edge needs, or a blob row has lost, and
  // the store does not have. One for which that fails stays, and the others go on. Takes time in
  // proportion to their bytes.
  // Cancelled when `go_on` says no, between two files; Aborted when another call of Adopt or Drop
  // works already; ResourceExhausted when the index has no room to write.
  absl::StatusOr<OrphanReport> Adopt(const std::function<bool()>& go_on);
  // The same, and removes those that nothing needs.
  absl::StatusOr<OrphanReport> Drop(const std::function<bool()>& go_on);

 private:
  struct Orphan {
    FileId file = 0;
    OrphanRow row;
  };

  // Runs `work` unless another one runs.
  absl::StatusOr<OrphanReport> Alone(
      const std::function<absl::Status(const Orphan&, OrphanReport*)>& work);
  // Cuts them to their length, names and counts them.
  absl::Status Keep(const std::vector<FileId>& files);
  absl::Status Visit(const std::function<absl::StatusOr<bool>(const Orphan&)>& visit);
  absl::Status Remove(const Orphan& orphan);
  // Adopts each that is needed, and does `otherwise` to the others.
  absl::StatusOr<OrphanReport> AdoptOr(
      const std::function<absl::Status(const Orphan&, OrphanReport*)>& otherwise,
      const std::function<bool()>& go_on);
  absl::StatusOr<bool> AdoptOne(const Orphan& orphan);
  absl::Status MakeDurable(FileId file);
  void Count(const OrphanRow& row, int sign) ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  std::atomic<bool> working_ = false;  // somebody removes or adopts
  mutable Mutex mutex_;
  DiskUsage::Part usage_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_ORPHANS_H_
