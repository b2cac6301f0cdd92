// Announces the removal of a digest to those who grant promises, for as long as it lives. Belongs
// to one thread.
#ifndef VARVE_STORAGE_RECLAIM_ANNOUNCED_REMOVAL_H_
#define VARVE_STORAGE_RECLAIM_ANNOUNCED_REMOVAL_H_

#include "storage/catalog/promises.h"
#include "storage/digest/digest.h"

namespace varve {

class AnnouncedRemoval {
 public:
  AnnouncedRemoval(Promises& promises, const Digest& digest)
      : promises_(promises),
        digest_(digest),
        may_go_on_(!promises.BeginReclaim(digest).has_value()) {}
  ~AnnouncedRemoval() {
    if (may_go_on_) promises_.EndReclaim(digest_);
  }
  AnnouncedRemoval(const AnnouncedRemoval&) = delete;
  AnnouncedRemoval& operator=(const AnnouncedRemoval&) = delete;

  // False while a promise covers the digest, or somebody else is removing it.
  bool may_go_on() const { return may_go_on_; }

 private:
  Promises& promises_;
  const Digest digest_;
  const bool may_go_on_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_ANNOUNCED_REMOVAL_H_
