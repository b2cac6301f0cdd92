// The open uploads that nobody works on, by client and by how long: which of them gives way to
// others when there are too many, or no room. Owned by UploadTable, whose mutex guards it.
#ifndef VARVE_STORAGE_BLOB_IDLE_UPLOADS_H_
#define VARVE_STORAGE_BLOB_IDLE_UPLOADS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"

namespace varve {

// What this class knows of an upload; its owner fills in the first part before Add.
struct IdleUpload {
  std::string client;
  uint64_t idle_bytes = 0;       // received; 0: it is empty
  int64_t idle_since_nanos = 0;  // monotonic

  uint64_t idle_number = 0;  // unique among those here; 0: it is not here
};

class IdleUploads {
 public:
  // `upload` must stay until Remove.
  void Add(IdleUpload& upload);
  void Remove(IdleUpload& upload);  // nothing to do when it is not here

  // When there are too many: of the client that has most, the idlest empty one. If all of its
  // uploads have bytes, the idlest of these, unless `for_client` would then have as many. nullptr:
  // none gives way.
  IdleUpload* ForSlot(const std::string& for_client) const;
  // When there is no room: of those that have bytes, the idlest, if it is idle since before
  // `before_nanos`; nullptr: none is.
  IdleUpload* IdleSince(int64_t before_nanos) const;
  // When there is no room: the idlest of the client whose uploads here have most bytes, if these
  // are more than `for_client` has with `wanted_bytes` more, and if it is idle since before
  // `before_nanos`; else nullptr.
  IdleUpload* OverFairShare(const std::string& for_client, uint64_t wanted_bytes,
                            int64_t before_nanos) const;

 private:
  // Since when, and a number that makes it unique: the idlest first.
  using ByAge = std::map<std::pair<int64_t, uint64_t>, IdleUpload*>;
  struct Share {
    ByAge empty;
    ByAge with_bytes;
    uint64_t bytes = 0;

    size_t count() const { return empty.size() + with_bytes.size(); }
  };
  // How many, then how long its idlest has been idle: the last one is first to give way.
  using Rank = std::tuple<size_t, int64_t, const Share*>;
  static Rank RankOf(const Share& share);

  uint64_t last_number_ = 0;
  absl::node_hash_map<std::string, Share> shares_;  // of clients that have some
  std::set<Rank> ranks_;
  ByAge with_bytes_;  // of all clients
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_IDLE_UPLOADS_H_
