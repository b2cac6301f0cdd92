// What an answer grants that says that content exists, tells a manifest's digest, or ends a push:
// the content stays for a while. A promise belongs to a repository and a digest. It is never
// consumed; it ends
//   * one promise time after the last answer that granted it,
//   * or one promise time after the last write to its repository or, of a manifest that was read
//     there, after a blob of it was being sent, at most the renewal time after that answer,
//   * or one promise time after the last bytes of an upload of the repository that began before
//     either end, at most kLongestPromiseNanos after that answer.
// What a manifest names stays as long as the manifest, when that is deleted by name.
// Promises delay prune and the reclaimer; no deletion that somebody asks for is refused for them.
//
// They live in memory: after a start nothing is reclaimed for one promise time instead. Times are
// monotonic, so a jump of the wall clock ends nothing. Thread-safe; a grant takes one lock of 64,
// shortly.
//
// The order that makes "yes, then gone" impossible: a door grants first and reads the row after;
// the reclaimer announces itself (BeginReclaim) first, and only if nothing is promised. A grant
// that meets an announced reclaim waits for its end, which is one index transaction away.
#ifndef VARVE_STORAGE_PROMISES_PROMISES_H_
#define VARVE_STORAGE_PROMISES_PROMISES_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"
#include "storage/limits.h"
#include "storage/promises/repository_activity.h"

namespace varve {

class Promises {
 public:
  static constexpr int64_t kDefaultRenewNanos = 3600 * kNanosPerSecond;

  // What an answer was about. A client that pulls reads a manifest and goes on with its blobs.
  enum class Answer { kContent, kManifestRead };

  // While `space_is_short` (null: it never is) activity other than uploads renews nothing.
  Promises(Clock& clock, int64_t promise_nanos, int64_t renew_nanos = kDefaultRenewNanos,
           std::function<bool()> space_is_short = nullptr);

  // Promises `digest` in the repository from now on. True when it has been promised without a gap
  // since before `read_nanos` (monotonic): what was read of it after that moment still holds.
  // False: read it now. Waits for the end of an announced removal; Unavailable, and nothing is
  // promised, when that takes over a second.
  absl::StatusOr<bool> Grant(RepositoryId repository, const Digest& digest,
                             Answer answer = Answer::kContent, int64_t read_nanos = 0);
  // The same to a client that pushes `digest` there, and renews what was promised in the
  // repository.
  absl::Status GrantPush(RepositoryId repository, const Digest& digest);
  // The bytes of `digest` stay at least for so long from now.
  void KeepFor(const Digest& digest, int64_t nanos);
  // Whether the repository's clients were told that `digest` is there.
  bool IsPromised(RepositoryId repository, const Digest& digest);

  // A write in the repository renews what was promised there.
  void RenewRepository(RepositoryId repository) { activity_.NoteWrite(repository); }
  RepositoryActivity& activity() { return activity_; }

  // Nothing at all is reclaimed for one promise time from now: after a start, and after a jump of
  // the wall clock.
  void KeepEverything();
  bool KeepsEverything();
  // Ends all promises given so far, and what KeepEverything holds: an operator says so.
  void EndAll();

  // How long `digest` cannot go yet, as it looks now; 0: nothing is promised.
  int64_t KeptNanos(const Digest& digest);
  // Announces the removal of `digest`; nullopt when it may go on (call EndReclaim after its
  // commit), else how many nanoseconds to wait before asking again: until no promise holds, or
  // until another removal of the same has ended.
  std::optional<int64_t> BeginReclaim(const Digest& digest);
  void EndReclaim(const Digest& digest);

  int64_t promise_nanos() const { return promise_nanos_; }
  int64_t renew_nanos() const { return renew_nanos_; }
  // So often an upload has to note its bytes (RepositoryActivity::NoteUpload) for them to renew
  // promises without a gap.
  int64_t note_upload_nanos() const;
  // A client pushes, or asks before a push. To the millisecond, how long nobody has.
  void NotePush();
  int64_t NanosSincePush() const;

 private:
  struct Promise {
    RepositoryId repository = 0;
    int64_t granted = 0;  // last
    int64_t since = 0;    // granted without a gap since then
    bool read = false;    // a manifest that a client read
  };
  // Of one digest, each in another repository; mostly it is one.
  using PromiseList = absl::InlinedVector<Promise, 1>;
  struct Shard {
    Mutex mutex;
    ConditionVariable reclaimed;
    // What may not go yet: ends by the hash of the digest, whoever was told. Empty until the first.
    std::vector<int64_t> ends ABSL_GUARDED_BY(mutex);
    // Who was told.
    absl::flat_hash_map<Digest, PromiseList> promises ABSL_GUARDED_BY(mutex);
    size_t count ABSL_GUARDED_BY(mutex) = 0;  // of the promises in all its lists
    absl::flat_hash_set<Digest> reclaiming ABSL_GUARDED_BY(mutex);
    size_t sweep_at ABSL_GUARDED_BY(mutex) = 64;
  };
  static constexpr size_t kEndsPerShard = kPromiseEnds / kPromiseShards;

  Shard& ShardOf(const Digest& digest);
  static size_t EndPlaceOf(const Digest& digest);
  static void KeepUntil(Shard& shard, const Digest& digest, int64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  int64_t KeptNanos(Shard& shard, const Digest& digest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // When the promise ends, as it looks now.
  int64_t End(const Promise& promise);
  // Forgets what is over for good, and, if that is not enough, what ends first.
  void MakeRoom(Shard& shard, int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  template <typename Predicate>  // of digest and promise
  static void DropIf(Shard& shard, const Predicate& goes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  Clock& clock_;
  const int64_t promise_nanos_;
  const int64_t renew_nanos_;
  RepositoryActivity activity_;
  std::array<Shard, kPromiseShards> shards_;
  std::atomic<int64_t> keep_everything_until_;
  std::atomic<int64_t> last_push_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_PROMISES_PROMISES_H_
