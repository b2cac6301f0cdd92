// The seam between the doors (gRPC, OCI HTTP) and the engine. Doors know this header, the digest
// and the status codes, nothing below. Thread-safe; calls block on the disk.
//
// `repository` is a name such as "library/debian". Where a blob call says so, the empty name means
// the whole store: only doors for trusted local clients may pass it.
//
// Every *exists* answer (StatBlob, FindMissing, MountBlob, a commit, a manifest put or stat by
// digest) is a promise: the content stays at least EngineOptions::promise_nanos, whatever is
// deleted or reclaimed meanwhile. Errors: storage/base/status.h. On an error nothing has changed,
// unless the code is kUnavailable, where the outcome is unknown and the same call may be repeated.
// Durability: when a call that changes something answers OK, the change is on stable storage.
#ifndef VARVE_STORAGE_STORE_H_
#define VARVE_STORAGE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/file_system.h"
#include "storage/digest/digest.h"

namespace varve {

struct BlobInfo {
  Digest digest;
  uint64_t size_bytes = 0;
  int64_t created_nanos = 0;  // when it was first committed
};

// An open blob; the bytes stay readable while it lives, whatever is removed meanwhile. Thread-safe.
struct BlobReader {
  BlobInfo info;
  std::string inline_bytes;            // the whole blob when `file` is null
  std::unique_ptr<ReadableFile> file;  // else the bytes [0, info.size_bytes) of this file
};

struct IngestOptions {
  // Chosen by the client, or empty for a random one. At most kMaxIngestIdBytes printable
  // characters.
  std::string id;
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;  // what is hashed while bytes arrive
  std::optional<uint64_t> size_bytes;  // when known: room is reserved, or ResourceExhausted at once
};

struct IngestStatus {
  std::string id;
  uint64_t offset_bytes = 0;  // bytes received so far: where the next Append must start
  int64_t started_nanos = 0;
  int64_t updated_nanos = 0;
};

// One upload, held exclusively by its holder until destruction, which keeps what was received: the
// upload can be resumed by its id. Not thread-safe.
class Ingest {
 public:
  virtual ~Ingest() = default;

  virtual IngestStatus status() const = 0;
  // Announces `more` further bytes, so that a full disk is found before they are sent.
  virtual absl::Status Expect(uint64_t more_bytes) = 0;
  // `offset` must be status().offset_bytes, else OutOfRange. After ResourceExhausted or Unavailable
  // the upload is dead and its space is given back.
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

// What a manifest is called in a request: a tag or a digest.
using ManifestReference = std::variant<std::string, Digest>;

struct ManifestInfo {
  Digest digest;
  std::string media_type;
  std::string artifact_type;      // empty when none
  std::optional<Digest> subject;  // what it refers to, when it is a referrer
  std::optional<Digest> config;   // absent for an image index
  uint64_t size_bytes = 0;        // of the manifest itself
  uint64_t content_bytes = 0;     // config and layers as the manifest states them; children's sizes
  int64_t pushed_nanos = 0;
};

struct Manifest {
  ManifestInfo info;
  std::string bytes;
};

struct PutManifestRequest {
  std::string_view bytes;
  std::string media_type;                                // empty: taken from the bytes
  std::optional<Digest> expected;                        // the digest the client named
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;  // when `expected` is absent
  std::vector<std::string> tags;
  // Its config and layers need only be somewhere in the store, not visible in the repository: only
  // doors for trusted local clients may set it. Children of an index must be in the repository.
  bool whole_store = false;
};

struct PageRequest {
  std::string after;   // the last name of the page before; empty for the first page
  size_t limit = 100;  // at most kMaxPageRows are given
};

template <typename Row>
struct Page {
  std::vector<Row> rows;
  bool more = false;  // ask again with `after` = the name of the last row
};

struct TagInfo {
  std::string name;
  Digest digest;
  int64_t tagged_nanos = 0;
};

struct ReferrerInfo {
  ManifestInfo manifest;
  // The manifest's own annotations, as the JSON object that was pushed; "" when there are none.
  std::string annotations_json;
};

struct ImageInfo {
  std::string repository;
  std::string tag;  // empty for an image that no tag of this repository names
  int64_t tagged_nanos = 0;
  int64_t pulled_nanos = 0;  // the last pull, a few seconds coarse; 0 = never
  ManifestInfo manifest;
};

struct ReclaimReport {
  uint64_t blobs = 0;        // records removed
  uint64_t freed_bytes = 0;  // disk space that the removed files gave back
  uint64_t deferred = 0;     // kept for now because of a promise
};

class Store {
 public:
  virtual ~Store() = default;

  // Blobs. NotFound when absent, damaged, or not visible in the repository. "" = whole store.
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

  // Uploads. Another holder of the same id: waits up to a second, then Aborted. "" = whole store.
  virtual absl::StatusOr<std::unique_ptr<Ingest>> BeginIngest(std::string_view repository,
                                                              IngestOptions options) = 0;
  virtual absl::StatusOr<std::unique_ptr<Ingest>> ResumeIngest(std::string_view repository,
                                                               std::string_view id) = 0;

  // Manifests. Put: InvalidArgument for what is malformed, FailedPrecondition when it names content
  // that is absent (payload kMissingDigestPayload: the digest).
  virtual absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                                   const PutManifestRequest& request) = 0;
  virtual absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                               const ManifestReference& reference) = 0;
  virtual absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                                    const ManifestReference& reference) = 0;
  // Removes it and its tags from this repository, and from no other.
  virtual absl::Status DeleteManifest(std::string_view repository, const Digest& digest) = 0;
  virtual absl::Status Tag(std::string_view repository, std::string_view tag,
                           const Digest& digest) = 0;
  virtual absl::Status Untag(std::string_view repository, std::string_view tag) = 0;

  // Listings, in byte order of the name. NotFound when the repository does not exist.
  virtual absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                                 const PageRequest& page) = 0;
  virtual absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) = 0;
  // `page.after` is a digest. With `artifact_type`, only referrers of that type.
  virtual absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                           const Digest& subject,
                                                           std::string_view artifact_type,
                                                           const PageRequest& page) = 0;
  // Tagged images of one repository, or of all when it is empty; `page.after` is "repository:tag".
  virtual absl::StatusOr<Page<ImageInfo>> ListImages(std::string_view repository,
                                                     const PageRequest& page) = 0;

  // Removes what is due (DESIGN: the condemned queue) and expired uploads; time in proportion to
  // the garbage. Safe at any moment beside everything else.
  virtual absl::StatusOr<ReclaimReport> Reclaim() = 0;

  // Makes all open uploads resumable; called before a shutdown.
  virtual absl::Status CheckpointIngests() = 0;
};

// Status payload that names the digest a manifest put missed: "sha256:…".
inline constexpr char kMissingDigestPayload[] = "varve/missing-digest";

}  // namespace varve

#endif  // VARVE_STORAGE_STORE_H_
