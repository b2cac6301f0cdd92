// When a manifest was last pulled from a repository, to the nearest background pass: remembered in
// memory on the hot path, written unsynced from time to time. A power cut may lose the latest.
// Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_PULL_TIMES_H_
#define VARVE_STORAGE_CATALOG_PULL_TIMES_H_

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

class PullTimes {
 public:
  explicit PullTimes(Clock& clock) : clock_(clock) {}

  void Note(RepositoryId repository, const Digest& manifest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes what was noted since the last call; manifests deleted meanwhile are skipped.
  absl::Status Flush(Index& index) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Pulled = std::pair<RepositoryId, Digest>;

  Clock& clock_;
  Mutex mutex_;
  absl::flat_hash_map<Pulled, int64_t> noted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_PULL_TIMES_H_
