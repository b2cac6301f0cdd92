// A connection to a varve daemon over the native API (proto/varve/v1), in the vocabulary of
// storage/store.h. Knows no gRPC in its interface. Thread-safe; calls block.
//
// Errors are those of the daemon (storage/base/status.h). Unavailable: the daemon is not reachable,
// or the outcome is unknown; the same call may be repeated.
#ifndef VARVE_CLIENT_CLIENT_H_
#define VARVE_CLIENT_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/byte_source.h"
#include "storage/store.h"

namespace varve {

// Where a daemon listens when nobody says otherwise.
inline constexpr char kDefaultAddress[] = "unix:///run/varve/varve.sock";

// InvalidArgument unless `address` is "unix:///PATH" or "HOST:PORT".
absl::Status ValidateAddress(const std::string& address);

struct ClientOptions {
  std::chrono::milliseconds call_timeout{60'000};  // of calls that move no blob
  // Of a blob transfer that broke off: how often to go on in a row without a byte of progress, and
  // how long to wait before the first time; the wait doubles each time.
  int attempts = 5;
  std::chrono::milliseconds first_wait{200};
};

// Called with the bytes transferred so far of the whole blob, from the thread that transfers.
using TransferProgress = std::function<void(uint64_t bytes)>;

struct PutBlobOptions {
  std::string repository;          // where the blob becomes visible; empty: in the whole store only
  std::string upload_id;           // names the upload, so that a later call resumes it; or empty
  std::optional<Digest> expected;  // checked before the commit
  TransferProgress progress;
};

struct GetBlobOptions {
  std::string repository;
  TransferProgress progress;
};

// Takes the next bytes of a blob, in order.
using ByteSink = std::function<absl::Status(std::string_view bytes)>;

struct ImagePage {
  std::vector<ImageInfo> images;
  std::string next_page_token;  // empty after the last page
};

class Client {
 public:
  virtual ~Client() = default;

  // Does not wait for the daemon. Errors: those of ValidateAddress.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& address,
                                                         const ClientOptions& options = {});

  // Whether there is a connection at this moment: tells an unreachable daemon from one that answers
  // Unavailable.
  virtual bool connected() const = 0;

  virtual absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) = 0;
  virtual absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                          absl::Span<const Digest> digests) = 0;

  // Uploads all of `source`, from its beginning. Bytes that an upload of the same id left at the
  // daemon are not sent again. When the connection breaks, goes on where the daemon stands, if the
  // source can go back there. FailedPrecondition when the source changed while it was read.
  virtual absl::StatusOr<BlobInfo> PutBlob(ByteSource& source, const PutBlobOptions& options) = 0;

  // Reads a whole blob into `sink`, going on after a broken connection without repeating bytes.
  // DataLoss when all the bytes together do not have that digest: what the sink got is worthless.
  virtual absl::StatusOr<BlobInfo> GetBlob(const Digest& digest, const ByteSink& sink,
                                           const GetBlobOptions& options) = 0;

  virtual absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                                   const PutManifestRequest& request) = 0;
  virtual absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                               const ManifestReference& reference) = 0;
  virtual absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                                    const ManifestReference& reference) = 0;
  virtual absl::Status Tag(std::string_view repository, std::string_view tag,
                           const Digest& digest) = 0;
  virtual absl::Status Untag(std::string_view repository, std::string_view tag) = 0;
  // A page of tagged images of one repository, or of all when it is empty.
  virtual absl::StatusOr<ImagePage> ListImages(std::string_view repository,
                                               const std::string& page_token, size_t limit) = 0;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLIENT_H_
