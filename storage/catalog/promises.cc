#include "storage/catalog/promises.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "storage/limits.h"

namespace varve {
namespace {

// However often writes renew it, a promise ends a day after it was last granted.
constexpr int64_t kLongestPromiseNanos = 24 * 3600 * kNanosPerSecond;
// The time of the last grant is kept this exactly.
constexpr int64_t kGrantStepNanos = kNanosPerSecond / 1000;
// Somebody else is removing the same; that takes one transaction.
constexpr int64_t kOtherRemovalNanos = kNanosPerSecond;

}  // namespace

Promises::Promises(Clock& clock, int64_t promise_nanos)
    : clock_(clock),
      promise_nanos_(promise_nanos),
      hold_everything_until_(0),
      last_grant_(clock.MonotonicNanos() - kLongestPromiseNanos) {
  HoldEverything();
}

Promises::Shard& Promises::ShardOf(const Digest& digest) {
  return shards_[absl::Hash<Digest>()(digest) % kShards];
}

void Promises::HoldEverything() {
  hold_everything_until_.store(clock_.MonotonicNanos() + promise_nanos_);
}

bool Promises::HoldsEverything() { return clock_.MonotonicNanos() < hold_everything_until_.load(); }

int64_t Promises::Expiry(const Promise& promise) {
  MutexLock lock(writes_mutex_);
  const auto write = last_write_.find(promise.repository);
  if (write == last_write_.end()) return promise.expires;
  const int64_t renewed =
      std::min(write->second + promise_nanos_, promise.granted + kLongestPromiseNanos);
  return std::max(promise.expires, renewed);
}

void Promises::DropExpired(Shard& shard, int64_t now) {
  for (auto it = shard.promises.begin(); it != shard.promises.end();) {
    PromiseList& list = it->second;
    shard.count -= list.size();
    list.erase(std::remove_if(list.begin(), list.end(),
                              [&](const Promise& promise) { return Expiry(promise) <= now; }),
               list.end());
    shard.count += list.size();
    if (list.empty()) {
      shard.promises.erase(it++);
    } else {
      ++it;
    }
  }
}

int64_t Promises::NanosSinceGrant() const {
  return clock_.MonotonicNanos() - last_grant_.load(std::memory_order_relaxed);
}

void Promises::Grant(RepositoryId repository, const Digest& digest) {
  const int64_t now = clock_.MonotonicNanos();
  // Seldom written, so that threads which only read it do not wait for its cache line.
  if (now - last_grant_.load(std::memory_order_relaxed) >= kGrantStepNanos) {
    last_grant_.store(now, std::memory_order_relaxed);
  }
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  while (shard.reclaiming.contains(digest)) shard.reclaimed.Wait(shard.mutex);
  if (shard.count >= shard.sweep_at) {
    DropExpired(shard, now);
    if (shard.count >= kMaxPromises / kShards) {
      HoldEverything();
      shard.promises.clear();
      shard.count = 0;
    }
    shard.sweep_at = std::max<size_t>(64, std::min(2 * shard.count, kMaxPromises / kShards));
  }
  PromiseList& list = shard.promises[digest];
  for (Promise& promise : list) {
    if (promise.repository != repository) continue;
    if (Expiry(promise) <= now) promise = {repository, 0, now, 0};
    ++promise.count;
    // An answer given now lasts a whole promise; the day limits what renewal by writes adds.
    promise.granted = now;
    promise.expires = now + promise_nanos_;
    return;
  }
  list.push_back({repository, 1, now, now + promise_nanos_});
  ++shard.count;
}

bool Promises::Consume(RepositoryId repository, const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  const auto found = shard.promises.find(digest);
  if (found == shard.promises.end()) return false;
  bool consumed = false;
  PromiseList& list = found->second;
  for (auto it = list.begin(); it != list.end(); ++it) {
    if (it->repository != repository) continue;
    consumed = true;
    if (--it->count == 0) {
      list.erase(it);
      --shard.count;
    }
    break;
  }
  if (list.empty()) shard.promises.erase(found);
  return consumed;
}

bool Promises::Holds(RepositoryId repository, const Digest& digest) {
  const int64_t now = clock_.MonotonicNanos();
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  const auto found = shard.promises.find(digest);
  if (found == shard.promises.end()) return false;
  for (const Promise& promise : found->second) {
    if (promise.repository == repository) return Expiry(promise) > now;
  }
  return false;
}

void Promises::RenewRepository(RepositoryId repository) {
  const int64_t now = clock_.MonotonicNanos();
  MutexLock lock(writes_mutex_);
  if (last_write_.size() >= forget_writes_at_) {
    // A write older than a promise time renews nothing that has not expired already.
    for (auto it = last_write_.begin(); it != last_write_.end();) {
      if (it->second + promise_nanos_ <= now) {
        last_write_.erase(it++);
      } else {
        ++it;
      }
    }
    forget_writes_at_ = std::max<size_t>(1024, 2 * last_write_.size());
  }
  last_write_[repository] = now;
}

int64_t Promises::HeldNanos(Shard& shard, const Digest& digest) {
  const int64_t now = clock_.MonotonicNanos();
  // Under the lock: a grant that finds the shard full holds everything before it empties it.
  int64_t latest = std::max(now, hold_everything_until_.load());
  const auto found = shard.promises.find(digest);
  if (found == shard.promises.end()) return latest - now;
  for (const Promise& promise : found->second) latest = std::max(latest, Expiry(promise));
  return latest - now;
}

int64_t Promises::HeldNanos(const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  return HeldNanos(shard, digest);
}

std::optional<int64_t> Promises::BeginReclaim(const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  // The end of one announcement must not end another one.
  if (shard.reclaiming.contains(digest)) return kOtherRemovalNanos;
  const int64_t held_nanos = HeldNanos(shard, digest);
  if (held_nanos > 0) return held_nanos;
  const auto expired = shard.promises.find(digest);
  if (expired != shard.promises.end()) {
    shard.count -= expired->second.size();
    shard.promises.erase(expired);
  }
  shard.reclaiming.insert(digest);
  return std::nullopt;
}

void Promises::EndReclaim(const Digest& digest) {
  Shard& shard = ShardOf(digest);
  MutexLock lock(shard.mutex);
  shard.reclaiming.erase(digest);
  shard.reclaimed.NotifyAll();
}

}  // namespace varve
