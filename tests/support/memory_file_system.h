// A file system in memory that can lose its power, run full, fail and lie: the disk of crash tests.
// Owned by the test, which must keep it longer than every file and lock opened from it;
// thread-safe.
//
// What a power cut leaves is described in memory_disk.h. Typical use:
//
//   for (uint64_t cut = 0;; ++cut) {
//     MemoryFileSystem fs;
//     fs.CutPowerAfter(cut);
//     RunScenario(fs);                       // ends early with Unavailable("power cut…")
//     const bool finished = fs.powered();    // the scenario has no more cut points
//     fs.CutPower();                         // nothing that runs down now can touch the disk
//     …destroy what ran on it…
//     fs.PowerUp(Survival::kRandom, seed);
//     …open again and compare…
//     if (finished) break;
//   }
//
// Paths: "/" separates, empty and "." components are skipped, the working directory is the root.
// Not modelled, and refused with InvalidArgument: ".." and renames from one directory to another.
// Errors otherwise are those of file_system.h.
#ifndef VARVE_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_
#define VARVE_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"
#include "tests/support/memory_disk.h"

namespace varve {

// The kinds of calls that faults and counters know. Those up to kSyncDirectory are mutating: each
// is a point at which the power can be cut.
enum class FileCall {
  kCreate,
  kWrite,
  kReserve,
  kTruncate,
  kSync,
  kRemove,
  kRename,
  kCreateDirectory,
  kSyncDirectory,
  kOpen,
  kRead,
  kStat,
  kList,
  kFreeBytes,
  kTotalBytes,
  kLock,
};
inline constexpr size_t kFileCallKinds = static_cast<size_t>(FileCall::kLock) + 1;

// Given the path of a call, normalised ("/store/blobs/0/5"); an empty function matches every path.
using PathPredicate = std::function<bool(const std::string& path)>;

// PathPredicate for everything in, and at, `directory`.
PathPredicate Under(std::string_view directory);

struct FileCounters {
  std::array<uint64_t, kFileCallKinds> calls{};
  uint64_t bytes_written = 0;
  uint64_t bytes_read = 0;

  uint64_t Calls(FileCall call) const { return calls[static_cast<size_t>(call)]; }
};

// The `nth` call (1 is the next) of this kind on such a path answers `status` and does nothing;
// with `repeats`, so do all later ones. A failed sync loses the changes for good, as on Linux.
struct FileFault {
  FileCall call = FileCall::kSync;
  absl::Status status;
  uint64_t nth = 1;
  PathPredicate path = {};
  bool repeats = false;
};

// What is there again after PowerUp.
enum class Survival {
  kOnlySynced,  // the least that the syncs promise
  kEverything,  // only the process died: the page cache is intact
  kRandom,      // each unsynced page, size and name kept or dropped by the seed
};

// What becomes of a write that the power cut hits.
enum class Tear { kNone, kHalf };

class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override;
  absl::StatusOr<FileStat> Stat(const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;  // counted as kRemove
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override;
  absl::StatusOr<uint64_t> TotalBytes(const std::string& path) override;
  // Conflicts with any lock taken from this object and not yet released. Not a cut point.
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

  // Beyond the seam, for the adapter that keeps RocksDB's files here.
  absl::StatusOr<bool> IsDirectory(const std::string& path);

  // The form of paths that predicates see.
  static std::string Normalised(const std::string& path);

  // --- power ---------------------------------------------------------------------------------

  // After `calls` more mutating calls the next one finds the power cut: it is not done (of a write
  // that `tear` says to tear, the first half is) and it and every later call of any kind answers
  // Unavailable("power cut…").
  void CutPowerAfter(uint64_t calls, Tear tear = Tear::kNone) ABSL_LOCKS_EXCLUDED(mutex_);
  void CutPower() ABSL_LOCKS_EXCLUDED(mutex_);
  bool powered() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Cuts the power if it still is on, then starts again from what `survival` leaves; `seed` matters
  // to kRandom only. Files and locks from before answer Unavailable for ever, locks are free.
  // Destroy what used the file system first: calls by path would act on the new state.
  // Faults, lies, capacity and counters stay.
  void PowerUp(Survival survival, uint64_t seed = 0) ABSL_LOCKS_EXCLUDED(mutex_);
  // Mutating calls since construction, those that failed included: learn the cut points of a
  // scenario from it.
  uint64_t mutating_calls() const ABSL_LOCKS_EXCLUDED(mutex_);

  // --- faults --------------------------------------------------------------------------------

  void Inject(FileFault fault) ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops faults and lies.
  void ClearFaults() ABSL_LOCKS_EXCLUDED(mutex_);
  // Lies: syncs of such files, or of such directories, answer OK and make nothing durable.
  void IgnoreFileSyncs(PathPredicate path) ABSL_LOCKS_EXCLUDED(mutex_);
  void IgnoreDirectorySyncs(PathPredicate path) ABSL_LOCKS_EXCLUDED(mutex_);
  // Size of the disk; data and reservations count in pages, names cost nothing. What is in use
  // already stays, even when it is more. Unlimited until set.
  void SetCapacity(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- figures -------------------------------------------------------------------------------

  // Sums over the calls on such paths; files count under the path by which they were opened.
  FileCounters Counters(const PathPredicate& path = {}) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Room taken by files that have a name or are open.
  uint64_t used_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class OpenFile;
  class Writer;
  class Reader;
  class HeldLock;
  struct Place;  // a parent directory and a name in it

  static std::vector<std::string> Components(const std::string& path);
  static bool Matches(const PathPredicate& predicate, const std::string& path);

  // Every call passes here first: power, cut, counters, faults.
  absl::Status Admit(FileCall call, const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TakeFault(FileCall call, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<Place> Locate(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<MemoryNodePtr> FindNode(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<MemoryNodePtr> FindFile(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<MemoryNodePtr> FindDirectory(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RemoveName(const std::string& path, bool directory)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void Refer(MemoryNode& node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(MemoryNode& node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t Room() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Survive(MemoryNode& node, Survival survival, SeededRandom& random)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  const MemoryNodePtr root_;  // what it points to is guarded by mutex_, like every node
  bool powered_ ABSL_GUARDED_BY(mutex_) = true;
  bool cut_armed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t calls_until_cut_ ABSL_GUARDED_BY(mutex_) = 0;
  Tear tear_ ABSL_GUARDED_BY(mutex_) = Tear::kNone;
  uint64_t power_ups_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t mutating_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t capacity_bytes_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<uint64_t>::max() / 2;
  uint64_t used_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<FileFault> faults_ ABSL_GUARDED_BY(mutex_);
  std::vector<PathPredicate> ignored_file_syncs_ ABSL_GUARDED_BY(mutex_);
  std::vector<PathPredicate> ignored_directory_syncs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, FileCounters> counters_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_
