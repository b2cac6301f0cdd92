#include "daemon/http/listing_cache.h"

#include <utility>

#include "storage/base/str_cat.h"

namespace varve {

std::shared_ptr<const Listing> ListingCache::Find(std::string_view request,
                                                  uint64_t version) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(ToAbsl(request));
  if (found == entries_.end() || found->second.version != version) return nullptr;
  return found->second.listing;
}

void ListingCache::Keep(std::string_view request, uint64_t version,
                        std::shared_ptr<const Listing> listing) {
  const size_t size = SizeOf(request, *listing);
  if (size > max_bytes_) return;
  MutexLock lock(mutex_);
  const auto old = entries_.find(ToAbsl(request));
  if (old != entries_.end()) {
    bytes_ -= SizeOf(request, *old->second.listing);
    entries_.erase(old);
  }
  if (bytes_ + size > max_bytes_) {
    entries_.clear();
    bytes_ = 0;
  }
  bytes_ += size;
  entries_.emplace(std::string(request), Entry{version, std::move(listing)});
}

}  // namespace varve
