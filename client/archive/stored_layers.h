// Looks into layers of Docker archives that were uploaded: whether they are what a config says, and
// what they are without their compression. They are read from the store, so that it does not matter
// how the archive came. Not thread-safe; uses a second thread while it reads.
#ifndef VARVE_CLIENT_ARCHIVE_STORED_LAYERS_H_
#define VARVE_CLIENT_ARCHIVE_STORED_LAYERS_H_

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "client/archive/blob_uploader.h"
#include "client/archive/inflated_digest.h"
#include "client/client.h"

namespace varve {

// A layer, and what its config says that it is without its compression.
struct UploadedLayer {
  std::string name;  // as the archive calls it
  Digest digest;
  uint64_t size_bytes = 0;
  Digest diff_id;
};

class StoredLayers {
 public:
  // Both must outlive it.
  StoredLayers(Client& client, BlobUploader& uploader) : client_(client), uploader_(uploader) {}

  // DataLoss when the layer is not the diff id, or cannot be decompressed; InvalidArgument when it
  // grows to more than a layer may. What was found to be right is not read again.
  absl::Status Check(const UploadedLayer& layer);

  // How a blob is compressed.
  absl::StatusOr<Compression> CompressionOf(const Digest& digest);

  // Puts the layer without its compression, as its diff id, and gives its size. Errors as above.
  absl::StatusOr<uint64_t> Unpack(const UploadedLayer& layer);

 private:
  Client& client_;
  BlobUploader& uploader_;
  absl::flat_hash_set<std::pair<Digest, Digest>> right_;  // layers with their diff ids
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_STORED_LAYERS_H_
