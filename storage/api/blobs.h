// Blobs and uploads: content by digest. One of the roles of the store, whose general contract is in
// storage/api/store.h. Times are nanoseconds since 1970, UTC.
#ifndef VARVE_STORAGE_API_BLOBS_H_
#define VARVE_STORAGE_API_BLOBS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/page.h"
#include "storage/base/readable_bytes.h"
#include "storage/image/digest.h"

namespace varve {

struct BlobInfo {
  Digest digest;
  uint64_t size_bytes = 0;
  int64_t created_nanos = 0;  // when it was first committed
};

struct BlobDetails {
  BlobInfo blob;
  bool inlined = false;      // kept in the index, not in a file
  bool referenced = false;   // something keeps it; else the reclaimer takes it after its promise
  bool quarantined = false;  // known to be damaged: answers absent until it is pushed again
};

struct UploadOptions {
  // Chosen by the client, or empty for a random one. At most kMaxUploadIdBytes printable
  // characters.
  std::string id;
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;  // what is hashed while bytes arrive
  std::optional<uint64_t> size_bytes;  // when known: room is reserved, or ResourceExhausted at once
  // Whom the upload counts for when there are too many of them: an address, or "" for a client of
  // this machine's socket.
  std::string client;
};

struct UploadStatus {
  std::string id;
  uint64_t offset_bytes = 0;  // bytes received so far: where the next Append must start
  int64_t started_nanos = 0;
  int64_t updated_nanos = 0;
};

// An unfinished upload, as people see it.
struct UploadInfo {
  std::string id;
  std::string repository;  // "": the whole store
  std::string client;      // UploadOptions::client of whoever began it; "" after a restart
  uint64_t received_bytes = 0;
  int64_t started_nanos = 0;
  int64_t updated_nanos = 0;
  int64_t expires_nanos = 0;  // unless it goes on
  bool in_request = false;    // a request works on it now
};

// An open blob; its bytes stay readable while it lives, whatever is removed meanwhile. Thread-safe.
struct BlobReader {
  BlobInfo info;
  std::unique_ptr<ReadableBytes> bytes;  // [0, info.size_bytes)
};

// One upload, held exclusively by its holder until destruction, which keeps what was received: the
// upload can be resumed by its id. Not thread-safe.
class OpenUpload {
 public:
  virtual ~OpenUpload() = default;

  virtual UploadStatus status() const = 0;
  // Announces `more` further bytes, so that a full disk is found before they are sent.
  virtual absl::Status Expect(uint64_t more_bytes) = 0;
  // `offset` must be status().offset_bytes, else OutOfRange. ResourceExhausted when there is no
  // room, after uploads that nobody works on gave way: what was received stays, status() says how
  // much, and the upload can go on when there is some. After any other error it is dropped.
  virtual absl::Status Append(uint64_t offset, std::string_view bytes) = 0;
  // Starts again at offset 0, dropping what was received.
  virtual absl::Status Restart() = 0;
  // Makes everything received so far resumable after a restart of the daemon. Not a commit.
  virtual absl::Status Checkpoint() = 0;
  // Checks size and digest, makes the blob durable and visible in the repository, ends the upload.
  // The same digest again is success. InvalidArgument on a mismatch: the upload is dropped.
  virtual absl::StatusOr<BlobInfo> Commit(const Digest& expected,
                                          std::optional<uint64_t> size_bytes) = 0;
  virtual absl::Status Abort() = 0;
};

class Blobs {
 public:
  virtual ~Blobs() = default;

  // NotFound when absent, damaged, or not visible in the repository. "" = whole store.
  virtual absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) = 0;
  virtual absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                          absl::Span<const Digest> digests) = 0;
  virtual absl::StatusOr<BlobReader> OpenBlob(std::string_view repository,
                                              const Digest& digest) = 0;
  // Makes a blob of `from` visible in `repository` too. Without `from`: of any repository.
  virtual absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                             std::optional<std::string_view> from) = 0;
  // FailedPrecondition while a manifest of the repository names it.
  virtual absl::Status DeleteBlob(std::string_view repository, const Digest& digest) = 0;
  virtual absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest& page) = 0;  // by digest

  // Uploads, which may be resumed by another name of their repository; a commit is to the one of
  // the last name. Another holder of the same id: waits up to a second, then Aborted. "" = whole
  // store. When there are kMaxOpenUploads already, the client with most of them loses its idlest
  // empty one; ResourceExhausted with kRetryAfterPayload when that does not help.
  virtual absl::StatusOr<std::unique_ptr<OpenUpload>> BeginUpload(std::string_view repository,
                                                                  UploadOptions options) = 0;
  virtual absl::StatusOr<std::unique_ptr<OpenUpload>> ResumeUpload(std::string_view repository,
                                                                   std::string_view id) = 0;
  virtual absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest& page) = 0;  // by id
  // Of any repository; waits and Aborted as ResumeUpload.
  virtual absl::Status AbortUpload(std::string_view id) = 0;
};

// Status payload of ResourceExhausted when it is a limit of how much may go on at once: after so
// many seconds, in decimal, the same call may succeed.
inline constexpr char kRetryAfterPayload[] = "varve/retry-after-seconds";

}  // namespace varve

#endif  // VARVE_STORAGE_API_BLOBS_H_
