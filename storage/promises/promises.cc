#include "storage/promises/promises.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/hash/hash.h"
#include "storage/base/check.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

// The time of the last push is kept this exactly.
constexpr int64_t kPushStepNanos = kNanosPerSecond / 1000;
// To note costs a read of the index: a fast upload does not for each of its pieces.
constexpr int64_t kShortestNoteNanos = kNanosPerSecond / 1000;
constexpr int64_t kLongestNoteNanos = 10 * kNanosPerSecond;
// Somebody else is removing the same; that takes one transaction.
constexpr int64_t kOtherRemovalNanos = kNanosPerSecond;
constexpr std::chrono::seconds kLongestGrantWait{1};
// A full table forgets so many at once: to find those that end first it looks at all.
constexpr size_t kShardPromises = kMaxPromises / kPromiseShards;
constexpr size_t kForgottenAtOnce = kShardPromises / 8;

}  // namespace

Promises::Promises(Clock& clock, int64_t promise_nanos, int64_t renew_nanos,
                   std::function<bool()> space_is_short)
    : clock_(clock),
      promise_nanos_(promise_nanos),
      renew_nanos_(renew_nanos),
      activity_(clock, promise_nanos, std::move(space_is_short)),
      keep_everything_until_(0),
      last_push_(clock.MonotonicNanos() - kLongestPromiseNanos) {
  KeepEverything();
}

int64_t Promises::note_upload_nanos() const {
  return std::clamp(promise_nanos_ / 4, kShortestNoteNanos, kLongestNoteNanos);
}

Promises::Shard& Promises::ShardOf(const Digest& digest) {
  return shards_[absl::Hash<Digest>()(digest) % kPromiseShards];
}

size_t Promises::EndPlaceOf(const Digest& digest) {
  return absl::Hash<Digest>()(digest) / kPromiseShards % kEndsPerShard;
}

void Promises::KeepEverything() {
  keep_everything_until_.store(clock_.MonotonicNanos() + promise_nanos_);
}

bool Promises::KeepsEverything() { return clock_.MonotonicNanos() < keep_everything_until_.load(); }

void Promises::EndAll() {
  keep_everything_until_.store(0);
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.ends.clear();
    shard.promises.clear();
    shard.count = 0;
  }
}

int64_t Promises::End(const Promise& promise) {
  const RepositoryId repository = promise.repository;
  int64_t end = promise.granted + promise_nanos_;
  // What has ended is not renewed by work that begins after, but by a pull that goes on.
  int64_t active = activity_.LastWriteNanos(repository, end);
  if (promise.read) active = std::max(active, activity_.LastReadNanos(repository));
  end = std::max(end, std::min(active + promise_nanos_, promise.granted + renew_nanos_));
  // Compared with the end that it has without the upload, or one upload after the other would keep
  // for a day what a busy repository has deleted.
  const int64_t uploaded = activity_.LastUploadNanos(repository, end);
  if (uploaded != 0) {
    end =
        std::max(end, std::min(uploaded + promise_nanos_, promise.granted + kLongestPromiseNanos));
  }
  CheckInvariant(end >= promise.granted, "a promise ends no earlier than it begins");
  return end;
}

template <typename Predicate>
void Promises::DropIf(Shard& shard, const Predicate& goes) {
  for (auto it = shard.promises.begin(); it != shard.promises.end();) {
    PromiseList& list = it->second;
    CheckInvariant(shard.count >= list.size(), "each promise that goes was counted when it came");
    shard.count -= list.size();
    list.erase(std::remove_if(list.begin(), list.end(),
                              [&](const Promise& promise) { return goes(it->first, promise); }),
               list.end());
    shard.count += list.size();
    if (list.empty()) {
      shard.promises.erase(it++);
    } else {
      ++it;
    }
  }
}

void Promises::MakeRoom(Shard& shard, int64_t now) {
  // One that has ended may be renewed yet, when a client goes on with a pull.
  DropIf(shard, [&](const Digest&, const Promise& promise) {
    return promise.granted + renew_nanos_ <= now && End(promise) <= now;
  });
  if (shard.count >= kShardPromises) {
    std::vector<int64_t> nearest;
    nearest.reserve(shard.count);
    for (const auto& [digest, list] : shard.promises) {
      for (const Promise& promise : list) nearest.push_back(End(promise));
    }
    const auto last = nearest.begin() + static_cast<std::ptrdiff_t>(kForgottenAtOnce - 1);
    std::nth_element(nearest.begin(), last, nearest.end());
    const int64_t latest = *last;
    // Of those that end at the same time some stay.
    auto ties = std::count(nearest.begin(), last + 1, latest);
    std::vector<std::pair<Digest, int64_t>> forgotten;
    DropIf(shard, [&](const Digest& digest, const Promise& promise) {
      const int64_t end = End(promise);
      if (end > latest || (end == latest && ties-- <= 0)) return false;
      forgotten.emplace_back(digest, end);
      return true;
    });
    for (const auto& [digest, end] : forgotten) KeepUntil(shard, digest, end);
  }
  shard.sweep_at = std::max<size_t>(64, std::min(2 * shard.count, kShardPromises));
}

void Promises::KeepUntil(Shard& shard, const Digest& digest, int64_t end) {
  if (shard.ends.empty()) shard.ends.resize(kEndsPerShard);
  int64_t& latest = shard.ends[EndPlaceOf(digest)];
  latest = std::max(latest, end);
}

void Promises::NotePush() {
  const int64_t now = clock_.MonotonicNanos();
  // Seldom written, so that threads which only read it do not wait for its cache line.
  if (now - last_push_.load(std::memory_order_relaxed) < kPushStepNanos) return;
  last_push_.store(now, std::memory_order_relaxed);
}

int64_t Promises::NanosSincePush() const {
  return clock_.MonotonicNanos() - last_push_.load(std::memory_order_relaxed);
}

absl::Status Promises::GrantPush(RepositoryId repository, const Digest& digest) {
  NotePush();
  RenewRepository(repository);
  return Grant(repository, digest).status();
}

void Promises::KeepFor(const Digest& digest, int64_t nanos) {
  if (nanos <= 0) return;
  Shard& shard = ShardOf(digest);
  const MutexLock lock(shard.mutex);
  KeepUntil(shard, digest, clock_.MonotonicNanos() + nanos);
}

absl::StatusOr<bool> Promises::Grant(RepositoryId repository, const Digest& digest, Answer answer,
                                     int64_t read_nanos) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  if (shard.reclaiming.contains(digest)) {
    const auto give_up = std::chrono::steady_clock::now() + kLongestGrantWait;
    while (shard.reclaiming.contains(digest)) {
      const auto left = give_up - std::chrono::steady_clock::now();
      if (left <= left.zero()) {
        return absl::UnavailableError(
            StrCat(digest.ToString(), " is being removed at this moment; ask again"));
      }
      shard.reclaimed.WaitFor(shard.mutex, left);
    }
  }
  const int64_t now = clock_.MonotonicNanos();
  KeepUntil(shard, digest, now + promise_nanos_);
  const bool read = answer == Answer::kManifestRead;
  auto found = shard.promises.find(digest);
  if (found != shard.promises.end()) {
    for (Promise& promise : found->second) {
      if (promise.repository != repository) continue;
      if (promise.granted + promise_nanos_ <= now && End(promise) <= now) promise.since = now;
      promise.granted = now;
      promise.read = promise.read || read;
      CheckInvariant(promise.since <= promise.granted,
                     "a promise holds without a gap from no later than its last grant");
      // Not at the same reading of the clock: that tells nothing about which came first.
      return promise.since < read_nanos;
    }
  }
  if (shard.count >= shard.sweep_at) MakeRoom(shard, now);
  shard.promises[digest].push_back({repository, now, now, read});
  ++shard.count;
  return false;
}

bool Promises::IsPromised(RepositoryId repository, const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  const auto found = shard.promises.find(digest);
  if (found == shard.promises.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const Promise& promise) {
    return promise.repository == repository && End(promise) > clock_.MonotonicNanos();
  });
}

int64_t Promises::KeptNanos(Shard& shard, const Digest& digest) {
  const int64_t now = clock_.MonotonicNanos();
  int64_t latest = std::max(now, keep_everything_until_.load());
  if (!shard.ends.empty()) latest = std::max(latest, shard.ends[EndPlaceOf(digest)]);
  const auto found = shard.promises.find(digest);
  if (found == shard.promises.end()) return latest - now;
  for (const Promise& promise : found->second) latest = std::max(latest, End(promise));
  return latest - now;
}

int64_t Promises::KeptNanos(const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  return KeptNanos(shard, digest);
}

std::optional<int64_t> Promises::BeginReclaim(const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  // The end of one announcement must not end another one.
  if (shard.reclaiming.contains(digest)) return kOtherRemovalNanos;
  const int64_t kept_nanos = KeptNanos(shard, digest);
  if (kept_nanos > 0) return kept_nanos;
  // What has ended must not be renewed once it is gone.
  const auto ended = shard.promises.find(digest);
  if (ended != shard.promises.end()) {
    CheckInvariant(shard.count >= ended->second.size(), "a promise is counted until it is dropped");
    shard.count -= ended->second.size();
    shard.promises.erase(ended);
  }
  shard.reclaiming.insert(digest);
  return std::nullopt;
}

void Promises::EndReclaim(const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  const size_t ended = shard.reclaiming.erase(digest);
  CheckInvariant(ended == 1, "a removal that was announced ends once");
  shard.reclaimed.NotifyAll();
}

}  // namespace varve
