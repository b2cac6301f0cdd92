// The short claims that an *exists* answer or a finished push grants, counted per (repository,
// digest). They live in memory: after a start nothing is reclaimed for one promise time instead.
// Times are monotonic, so a jump of the wall clock expires nothing. Thread-safe.
//
// The order that makes "yes, then gone" impossible: a door grants first and reads the blob's row
// after; the reclaimer announces itself (BeginReclaim) first, and only if nothing is promised. A
// grant that meets an announced reclaim waits for its end, which is one index transaction away.
#ifndef VARVE_STORAGE_CATALOG_PROMISES_H_
#define VARVE_STORAGE_CATALOG_PROMISES_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/digest/digest.h"
#include "storage/index/keys.h"

namespace varve {

class Promises {
 public:
  // A promise lasts `promise_nanos` and is renewed by writes in its repository, up to a day.
  Promises(Clock& clock, int64_t promise_nanos);

  void Grant(RepositoryId repository, const Digest& digest);
  // Takes one promise back: a manifest put has used it, or the answer became "no". False when there
  // was none.
  bool Consume(RepositoryId repository, const Digest& digest);
  bool Holds(RepositoryId repository, const Digest& digest);
  // A write in the repository keeps that repository's promises alive for another promise time.
  void RenewRepository(RepositoryId repository);

  // Nothing at all is reclaimed for one promise time from now: after a start, after a jump of the
  // wall clock, and when there are too many promises to remember each.
  void HoldEverything();
  bool HoldsEverything();

  // How long `digest` cannot go yet, as it looks now; 0: nothing is promised.
  int64_t HeldNanos(const Digest& digest);
  // Announces the removal of `digest`; nullopt when it may go on (call EndReclaim after its
  // commit), else how many nanoseconds to wait before asking again: until no promise holds, or
  // until another removal of the same has ended.
  std::optional<int64_t> BeginReclaim(const Digest& digest);
  void EndReclaim(const Digest& digest);

  int64_t promise_nanos() const { return promise_nanos_; }
  // Since the last Grant, to the millisecond: how long nobody has pushed or asked before a push.
  int64_t NanosSinceGrant() const;

 private:
  struct Promise {
    RepositoryId repository = 0;
    uint32_t count = 0;
    int64_t granted = 0;  // the last of them
    int64_t expires = 0;  // without renewal
  };
  // Of one digest, each in another repository; mostly it is one.
  using PromiseList = absl::InlinedVector<Promise, 1>;
  struct Shard {
    Mutex mutex;
    ConditionVariable reclaimed;
    absl::flat_hash_map<Digest, PromiseList> promises ABSL_GUARDED_BY(mutex);
    size_t count ABSL_GUARDED_BY(mutex) = 0;  // of the promises in all its lists
    absl::flat_hash_set<Digest> reclaiming ABSL_GUARDED_BY(mutex);
    size_t sweep_at ABSL_GUARDED_BY(mutex) = 64;
  };
  static constexpr size_t kShards = 64;

  Shard& ShardOf(const Digest& digest);
  int64_t HeldNanos(Shard& shard, const Digest& digest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  int64_t Expiry(const Promise& promise) ABSL_LOCKS_EXCLUDED(writes_mutex_);
  void DropExpired(Shard& shard, int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  Clock& clock_;
  const int64_t promise_nanos_;
  std::array<Shard, kShards> shards_;
  std::atomic<int64_t> hold_everything_until_;
  std::atomic<int64_t> last_grant_;

  Mutex writes_mutex_;  // taken after a shard's
  absl::flat_hash_map<RepositoryId, int64_t> last_write_ ABSL_GUARDED_BY(writes_mutex_);
  size_t forget_writes_at_ ABSL_GUARDED_BY(writes_mutex_) = 1024;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_PROMISES_H_
