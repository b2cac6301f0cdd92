// Removes repositories that have had neither members nor links for so long that nothing a client
// was told of them holds any more. Remembers in bounded memory which may be empty; after a start,
// goes through all of them once. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_EMPTY_REPOSITORIES_H_
#define VARVE_STORAGE_CATALOG_EMPTY_REPOSITORIES_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/promises/promises.h"

namespace varve {

class EmptyRepositories {
 public:
  struct Parts {
    Index& index;
    Promises& promises;
    Clock& clock;
  };

  explicit EmptyRepositories(Parts parts)
      : parts_(parts), started_nanos_(parts.clock.MonotonicNanos()) {}

  // Its last member or link may have gone.
  void Note(RepositoryId repository) ABSL_LOCKS_EXCLUDED(mutex_);

  // Background work: some of those that have been empty for long.
  absl::Status RemoveSome() ABSL_LOCKS_EXCLUDED(mutex_);

  // This one, unless it has something, or another name by now.
  absl::Status RemoveIfEmpty(RepositoryId repository, const std::string& name,
                             Durability durability) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status NoteOlder() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsEmptyForLong(RepositoryId repository, int64_t now_nanos) ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  const int64_t started_nanos_;  // monotonic
  Mutex mutex_;
  // Repositories to look at, and when (monotonic): those that were found empty some time after.
  absl::flat_hash_map<RepositoryId, int64_t> maybe_empty_ ABSL_GUARDED_BY(mutex_);
  // How far those of before the start were noted.
  std::string older_after_ ABSL_GUARDED_BY(mutex_);
  bool older_noted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_EMPTY_REPOSITORIES_H_
