// Tells whether the tags of a repository may have changed since they were last looked at, so that
// what was made of them can be used again. Thread-safe; a few kilobytes whatever the store.
#ifndef VARVE_STORAGE_CATALOG_TAG_VERSIONS_H_
#define VARVE_STORAGE_CATALOG_TAG_VERSIONS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "storage/index/keys.h"

namespace varve {

class TagVersions {
 public:
  // Read it before the tags: while it stays the same, so do they. A new number may be wrong alarm,
  // since many repositories share one. Numbers mean nothing to another run of the daemon. That of
  // another repository is another one, because a name may come to mean it.
  uint64_t Of(RepositoryId repository) const {
    const uint64_t changes = counters_[repository % kCounters].load(std::memory_order_acquire);
    return changes + repository * kSpread;
  }

  // Lives around a transaction that may change tags of `repository`, and ends before the change is
  // acknowledged: on errors too, for their outcome may be unknown.
  class Change {
   public:
    Change(TagVersions& versions, RepositoryId repository)
        : counter_(versions.counters_[repository % kCounters]) {}
    ~Change() { counter_.fetch_add(1, std::memory_order_release); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    std::atomic<uint64_t>& counter_;
  };

 private:
  static constexpr size_t kCounters = 1024;
  // An odd number near 2^64 / 1.618: multiples of it lie far apart.
  static constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;
  std::array<std::atomic<uint64_t>, kCounters> counters_{};
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_TAG_VERSIONS_H_
