// Says no to an upload before its bytes are sent, when they would pass [store] max_bytes or eat
// into [store] min_free. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_SPACE_H_
#define VARVE_STORAGE_BLOB_SPACE_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "storage/base/file_system.h"

namespace varve {

class Space {
 public:
  struct Limits {
    uint64_t max_bytes = 0;       // 0 = no limit but the disk
    uint64_t min_free_bytes = 0;  // kept free on the disk
  };

  // `used_bytes`: blob bytes that the store holds already, by statistics that may be wrong.
  Space(FileSystem& file_system, std::string directory, Limits limits, int64_t used_bytes)
      : file_system_(file_system),
        directory_(std::move(directory)),
        limits_(limits),
        used_bytes_(used_bytes > 0 ? used_bytes : 0) {}

  // Takes `bytes` for an upload, which gives them back with Release when it ends; a blob that was
  // added takes its own. ResourceExhausted, naming the limit, when there is no room.
  absl::Status Take(uint64_t bytes);
  void Add(uint64_t bytes) { Change(bytes); }
  void Release(uint64_t bytes) { Change(0 - bytes); }

  // Whether less than min_free is left, so that uploads are refused; asks the file system.
  bool IsBelowMinFree() const;

  // Files that lost their rows: part of used_bytes(), and named by whoever finds no room.
  void AddOrphan(uint64_t bytes) {
    Add(bytes);
    orphan_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void ReleaseOrphan(uint64_t bytes) {
    orphan_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    Release(bytes);
  }

  // Blob bytes held or promised to uploads. Never less than none, whatever the statistics say.
  uint64_t used_bytes() const { return AtLeastNone(used_bytes_.load(std::memory_order_relaxed)); }

 private:
  static uint64_t AtLeastNone(int64_t bytes) {
    return bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
  }
  // Returns what was used before. The sum of unsigned numbers, which wraps around.
  uint64_t Change(uint64_t bytes) {
    return AtLeastNone(
        used_bytes_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed));
  }

  FileSystem& file_system_;
  const std::string directory_;
  const Limits limits_;
  // What to do about a store that is full.
  std::string Advice() const;

  std::atomic<int64_t> used_bytes_;
  std::atomic<uint64_t> orphan_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_SPACE_H_
