// Says no to an upload before its bytes are sent, when they would pass [store] max_bytes or eat
// into [store] min_free. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_SPACE_H_
#define VARVE_STORAGE_BLOB_SPACE_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "storage/base/check.h"
#include "storage/base/file_system.h"

namespace varve {

// What something in the store has, and what is kept of it. The same as long as every blob is kept
// as it was received.
struct StoredBytes {
  uint64_t logical = 0;
  uint64_t physical = 0;
};
inline StoredBytes AsReceived(uint64_t bytes) { return {bytes, bytes}; }

class Space {
 public:
  struct Limits {
    uint64_t max_bytes = 0;       // 0 = no limit but the disk
    uint64_t min_free_bytes = 0;  // kept free on the disk
  };

  // `used_bytes`: of the blobs that the store holds already, by statistics that may be wrong.
  Space(FileSystem& file_system, std::string directory, Limits limits, int64_t used_bytes)
      : file_system_(file_system),
        directory_(std::move(directory)),
        limits_(limits),
        logical_bytes_(used_bytes > 0 ? used_bytes : 0),
        physical_bytes_(logical_bytes_.load()) {}

  // Takes `bytes` for an upload, which gives them back with Release when it ends; a blob that was
  // added takes its own. ResourceExhausted, naming the limit, when there is no room: the limits are
  // of what is kept.
  absl::Status Take(uint64_t bytes);
  void Add(const StoredBytes& bytes) {
    Change(logical_bytes_, bytes.logical);
    Change(physical_bytes_, bytes.physical);
  }
  void Release(const StoredBytes& bytes) { Add({0 - bytes.logical, 0 - bytes.physical}); }

  // Whether less than min_free is left, so that uploads are refused; asks the file system.
  bool IsBelowMinFree() const;

  // Files that lost their rows: part of both sums, and named by whoever finds no room.
  void AddOrphan(uint64_t bytes) {
    Add(AsReceived(bytes));
    orphan_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void ReleaseOrphan(uint64_t bytes) {
    const uint64_t orphans = orphan_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    CheckInvariant(orphans >= bytes, "an orphan gives back the room that it was counted with");
    Release(AsReceived(bytes));
  }

  // Of blobs, uploads and orphans. Never less than none, whatever the statistics say.
  uint64_t logical_bytes() const { return AtLeastNone(logical_bytes_); }
  uint64_t physical_bytes() const { return AtLeastNone(physical_bytes_); }

 private:
  static uint64_t AtLeastNone(int64_t bytes) {
    return bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
  }
  // Returns the sum before. That of unsigned numbers, which wraps around.
  static uint64_t Change(std::atomic<int64_t>& sum, uint64_t bytes) {
    return AtLeastNone(sum.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed));
  }
  // What to do about a store that is full.
  std::string Advice() const;

  FileSystem& file_system_;
  const std::string directory_;
  const Limits limits_;
  std::atomic<int64_t> logical_bytes_;
  std::atomic<int64_t> physical_bytes_;
  std::atomic<uint64_t> orphan_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_SPACE_H_
