// Tells the operator of damaged blobs that somebody asked for: the store answers that such a blob
// is absent, so that the next push heals it, and nobody else learns of it. What clients can repeat
// is told seldom: one blob once an hour, and only so many sentences a minute. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_DAMAGE_REPORTS_H_
#define VARVE_STORAGE_BLOB_DAMAGE_REPORTS_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/image/digest.h"

namespace varve {

class DamageReports {
 public:
  using Tell = std::function<void(std::string_view sentence)>;

  // `tell` may be null; it is called on the thread that met the damage.
  DamageReports(Clock& clock, Tell tell) : clock_(clock), tell_(std::move(tell)) {}

  // `fault` is what is wrong with the blob, such as "its file blobs/000000/5 is gone".
  void Report(const Digest& digest, std::string_view fault) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Whether it is to be told now; how many were not before it.
  bool Admit(const Digest& digest, uint64_t* left_out) ABSL_LOCKS_EXCLUDED(mutex_);

  Clock& clock_;
  const Tell tell_;
  Mutex mutex_;
  absl::flat_hash_map<Digest, int64_t> told_ ABSL_GUARDED_BY(mutex_);  // when, monotonic
  int64_t minute_began_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_this_minute_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_DAMAGE_REPORTS_H_
