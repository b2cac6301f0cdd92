// The digest of a stream as it is without its compression: what OCI calls the diff id of a layer.
// Streams: memory is bounded by the windows of the formats (zstd 128 MiB, xz 1 GiB at the worst, a
// few MiB as a rule), whatever the length. Each call or object is used by one thread.
#ifndef VARVE_CLIENT_ARCHIVE_INFLATED_DIGEST_H_
#define VARVE_CLIENT_ARCHIVE_INFLATED_DIGEST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/archive/gzip_stream.h"
#include "storage/image/digest.h"
#include "storage/limits.h"

struct archive;

namespace varve {

enum class Compression { kNone, kGzip, kZstd, kXz, kBzip2 };

// By the first bytes of a stream, of which at least 6 should be given.
Compression DetectCompression(std::string_view first_bytes);

// Whether a zstd stream begins with what is passed over, as pzstd writes it; libarchive recognises
// only one that does not.
bool BeginsWithSkippableFrame(std::string_view first_bytes);

// ResourceExhausted when the stream is zstd and its window needs more memory than is given to one
// stream, 128 MiB, by the first bytes, of which 18 should be given.
absl::Status CheckZstdWindow(std::string_view first_bytes);

// The next bytes of a stream; none at its end, however often it is asked. They stay until the next
// call.
using StreamReader = std::function<absl::StatusOr<std::string_view>()>;

// What a stream may become. Root file systems shrink to a third or a tenth; what shrinks to a
// two-hundredth and is still larger than `free_bytes` was made to fill a disk.
struct InflateLimits {
  uint64_t free_bytes = kGiB;
  uint64_t ratio = 200;
  uint64_t max_bytes = kMaxBlobBytes;
};

// A stream without its compression, whatever that is.
class InflatedStream {
 public:
  explicit InflatedStream(StreamReader compressed, const InflateLimits& limits = {});
  ~InflatedStream();
  InflatedStream(const InflatedStream&) = delete;
  InflatedStream& operator=(const InflatedStream&) = delete;

  // The next bytes; none at the end. They stay until the next call. InvalidArgument when the
  // compression is damaged, cut off, followed by something else or applied twice; ResourceExhausted
  // past the limits, or when a window of zstd is too large; and the errors of the reader.
  absl::StatusOr<std::string_view> Next();

  // The same into `out`: at most `limit` bytes, 0 only at the end. Errors of Next.
  absl::StatusOr<size_t> Read(char* out, size_t limit);

  // Known after the first Next.
  Compression compression() const { return compression_; }

 private:
  static ssize_t ReadCompressed(struct archive*, void* stream, const void** bytes);
  absl::StatusOr<std::string_view> NextCompressed();
  absl::Status Open();
  absl::Status OpenArchive();
  absl::StatusOr<std::string_view> NextOfArchive();
  absl::Status CheckEnd();
  absl::Status Failure() const;

  const StreamReader compressed_;
  const InflateLimits limits_;
  std::string head_;  // what was read to look at, until it is read again
  bool head_given_ = false;
  std::unique_ptr<GzipStream> gzip_;  // of a gzip stream; else libarchive does it
  struct archive* const archive_;
  absl::Status read_status_;
  Compression compression_ = Compression::kNone;
  bool open_ = false;
  bool ended_ = false;
  uint64_t compressed_bytes_ = 0;
  uint64_t inflated_bytes_ = 0;
  std::string_view unread_;  // of what Next gave to Read
};

struct InflatedDigest {
  Digest diff_id;  // sha256
  uint64_t size_bytes = 0;
  Compression compression = Compression::kNone;
};

// Reads the whole stream.
absl::StatusOr<InflatedDigest> DigestInflated(StreamReader compressed,
                                              const InflateLimits& limits = {});

// The same of a stream that must be a tar archive, which is read entry by entry to its end;
// InvalidArgument when it is none.
absl::StatusOr<InflatedDigest> DigestInflatedTar(StreamReader compressed,
                                                 const InflateLimits& limits = {});

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_INFLATED_DIGEST_H_
