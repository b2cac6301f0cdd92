// Announces the removal of a digest to those who grant promises, for as long as it lives. Belongs
// to one thread.
#ifndef VARVE_STORAGE_RECLAIM_ANNOUNCED_REMOVAL_H_
#define VARVE_STORAGE_RECLAIM_ANNOUNCED_REMOVAL_H_

#include <cstdint>
#include <optional>

#include "storage/image/digest.h"
#include "storage/promises/promises.h"

namespace varve {

class AnnouncedRemoval {
 public:
  AnnouncedRemoval(Promises& promises, const Digest& digest)
      : promises_(promises), digest_(digest), wait_nanos_(promises.BeginReclaim(digest)) {}
  ~AnnouncedRemoval() {
    if (may_go_on()) promises_.EndReclaim(digest_);
  }
  AnnouncedRemoval(const AnnouncedRemoval&) = delete;
  AnnouncedRemoval& operator=(const AnnouncedRemoval&) = delete;

  // False while a promise covers the digest, or somebody else is removing it.
  bool may_go_on() const { return !wait_nanos_.has_value(); }
  // How long that lasts, as it looks now.
  int64_t wait_nanos() const { return wait_nanos_.value_or(0); }

 private:
  Promises& promises_;
  const Digest digest_;
  const std::optional<int64_t> wait_nanos_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_ANNOUNCED_REMOVAL_H_
