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

  // `used_bytes`: blob bytes that the store holds already.
  Space(FileSystem& file_system, std::string directory, Limits limits, uint64_t used_bytes)
      : file_system_(file_system),
        directory_(std::move(directory)),
        limits_(limits),
        used_bytes_(used_bytes) {}

  // Takes `bytes` for an upload, which gives them back with Release when it ends; a blob that was
  // added takes its own. ResourceExhausted, naming the limit, when there is no room.
  absl::Status Take(uint64_t bytes);
  void Add(uint64_t bytes) { used_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void Release(uint64_t bytes) { used_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  // Blob bytes held or promised to uploads.
  uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  FileSystem& file_system_;
  const std::string directory_;
  const Limits limits_;
  std::atomic<uint64_t> used_bytes_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_SPACE_H_
