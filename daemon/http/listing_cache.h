// Long listings as they were sent, for clients that ask again while nothing has changed: a page of
// a thousand tags costs a copy instead of a walk through the index. Thread-safe; bounded.
#ifndef VARVE_DAEMON_HTTP_LISTING_CACHE_H_
#define VARVE_DAEMON_HTTP_LISTING_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "storage/base/mutex.h"

namespace varve {

// What an answer is made of.
struct Listing {
  std::string body;
  std::string next;  // the value of its Link header; empty on the last page
};

class ListingCache {
 public:
  explicit ListingCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // What was kept for `request`, if that was at `version`; else nullptr.
  std::shared_ptr<const Listing> Find(std::string_view request, uint64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // All goes when there is no more room: what is asked for often is soon there again.
  void Keep(std::string_view request, uint64_t version, std::shared_ptr<const Listing> listing)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    uint64_t version = 0;
    std::shared_ptr<const Listing> listing;
  };
  // ~100 bytes an entry besides its texts.
  static size_t SizeOf(std::string_view request, const Listing& listing) {
    return 100 + request.size() + listing.body.size() + listing.next.size();
  }

  const size_t max_bytes_;
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_LISTING_CACHE_H_
