// Shares directory syncs: callers that ask for the same directory while one sync is running all
// ride on the next one. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_DIRECTORY_SYNCS_H_
#define VARVE_STORAGE_BLOB_DIRECTORY_SYNCS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"

namespace varve {

class DirectorySyncs {
 public:
  explicit DirectorySyncs(FileSystem& file_system) : file_system_(file_system) {}

  // On return every entry made in, or removed from, `directory` before the call is durable. A
  // failure is reported to every caller whose entries it covered, and is never tried again for
  // them; `on_failure` of one of them is called before the next sync of the directory begins.
  absl::Status Sync(const std::string& directory, const std::function<void()>& on_failure = nullptr)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One sync and its outcome, which its callers keep until the last of them has seen it.
  struct Round {
    bool finished = false;
    absl::Status outcome;
  };
  struct Group {
    std::shared_ptr<Round> next = std::make_shared<Round>();  // who asks now rides on this one
    uint64_t waiting = 0;                                     // callers inside Sync
    bool running = false;
  };

  FileSystem& file_system_;
  Mutex mutex_;
  ConditionVariable finished_;
  absl::flat_hash_map<std::string, std::unique_ptr<Group>> groups_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_DIRECTORY_SYNCS_H_
