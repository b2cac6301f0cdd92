// Uploads blobs of an archive into the whole store, those that it lacks. Not thread-safe.
//
// The daemon keeps a blob that no manifest names for some minutes after it said that the blob
// exists. Loading may take longer, so the uploader asks again from time to time, for everything it
// has seen, also while a large blob is on its way.
#ifndef VARVE_CLIENT_ARCHIVE_BLOB_UPLOADER_H_
#define VARVE_CLIENT_ARCHIVE_BLOB_UPLOADER_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/archive/load_observer.h"
#include "client/client.h"

namespace varve {

// The daemon promises ten minutes, unless it was told otherwise.
inline constexpr std::chrono::milliseconds kRenewPromisesAfter{30'000};

struct BlobToUpload {
  std::string name;                // as the archive calls it
  std::optional<Digest> expected;  // the digest it must have
  uint64_t size_bytes = 0;
  std::string upload_id;  // resumes an upload when the digest is not known; or empty
};

class BlobUploader {
 public:
  // Both must outlive it.
  BlobUploader(Client& client, LoadObserver& observer,
               std::chrono::milliseconds renew_after = kRenewPromisesAfter)
      : client_(client), observer_(observer), renew_after_(renew_after) {}

  // The size of a blob that the store has, which then stays until the load is over; else nothing.
  absl::StatusOr<std::optional<uint64_t>> Find(const Digest& digest);
  // Whether the store has such a blob; if so it stays until the load is over.
  absl::StatusOr<bool> Has(const Digest& digest, uint64_t size_bytes);

  // Uploads all bytes of `source`, which must have been made for the algorithm of `expected`, and
  // gives their digest. DataLoss when that is not the expected one.
  absl::StatusOr<Digest> Upload(const BlobToUpload& blob, ByteSource& source);

  // Bytes of a blob that was uploaded. InvalidArgument when it is larger than `max_bytes`.
  absl::StatusOr<std::string> Download(const Digest& digest, size_t max_bytes);

  // To be called from time to time by who works for long without the calls above.
  void RenewPromises();

 private:
  absl::StatusOr<Digest> UploadAndCheck(const BlobToUpload& blob, ByteSource& source);
  absl::StatusOr<BlobInfo> UploadOnce(ByteSource& source, const std::string& upload_id,
                                      const BlobToUpload& blob);
  void Keep(const Digest& digest);

  Client& client_;
  LoadObserver& observer_;
  const std::chrono::milliseconds renew_after_;
  std::vector<Digest> kept_;
  std::chrono::steady_clock::time_point renewed_ = std::chrono::steady_clock::now();
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_BLOB_UPLOADER_H_
