// Tells one pull from the next, for the event log: a client that pulls reads the manifest by tag
// and then by digest, and the manifests that its index lists. Remembers the last seconds only, in
// bounded memory. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_RECENT_PULLS_H_
#define VARVE_STORAGE_CATALOG_RECENT_PULLS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"

namespace varve {

class RecentPulls {
 public:
  explicit RecentPulls(Clock& clock) : clock_(clock) {}

  // The manifest was read by this tag, or by its digest when `tag` is empty. False when that
  // belongs to a pull of it that began in the last kOnePullNanos: by that tag, or, for a read by
  // digest, in any way.
  bool Begins(RepositoryId repository, const Digest& manifest, std::string_view tag)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a pull of the manifest began in the last kOnePullNanos.
  bool Contains(RepositoryId repository, const Digest& manifest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Between the first manifest and the last one of a pull lie milliseconds, but networks stall.
  static constexpr int64_t kOnePullNanos = 10 * kNanosPerSecond;

 private:
  using Pulled = std::pair<RepositoryId, Digest>;
  struct Pull {
    std::string tag;
    int64_t began_nanos = 0;  // monotonic
  };

  bool IsRecent(const Pull& pull) const;

  Clock& clock_;
  Mutex mutex_;
  absl::flat_hash_map<Pulled, Pull> pulls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_RECENT_PULLS_H_
