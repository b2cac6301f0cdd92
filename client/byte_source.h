// Bytes to upload, from a file, a pipe or a function, hashed on the way. Not thread-safe.
#ifndef VARVE_CLIENT_BYTE_SOURCE_H_
#define VARVE_CLIENT_BYTE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/image/hasher.h"

namespace varve {

// Fills `out` with the bytes from `offset` on, at most `limit`, and gives how many; 0 at the end.
using ByteReader = std::function<absl::StatusOr<size_t>(uint64_t offset, char* out, size_t limit)>;

class ByteSource {
 public:
  // Reads from descriptor `fd`, which stays the caller's and must stay open. A regular file is read
  // from its beginning, whatever its position, and can go back; anything else gives its bytes once.
  explicit ByteSource(int fd, DigestAlgorithm algorithm = DigestAlgorithm::kSha256);

  // Reads by calling `read`: at any offset when `size_bytes` is known, else each byte once, in
  // order. An error of `read` is that of Read, and ends an upload without a commit.
  ByteSource(ByteReader read, std::optional<uint64_t> size_bytes,
             DigestAlgorithm algorithm = DigestAlgorithm::kSha256);

  // The length, of a file when it was opened; nullopt when there is no knowing.
  std::optional<uint64_t> size_bytes() const { return size_bytes_; }
  // Where the next Read starts.
  uint64_t offset() const { return offset_; }

  // Goes to `offset`, hashing bytes that it passes for the first time. FailedPrecondition when a
  // source that cannot be read twice would have to go back by more than its last Read: that much is
  // kept, so that a stream which was ended while the pipe was silent can go on.
  absl::Status SeekTo(uint64_t offset);

  // Fills `*bytes` with the next bytes, at most `limit`; fewer only at the end. The same string
  // used again saves an allocation.
  absl::Status Read(size_t limit, std::string* bytes);

  // The error of the reader that ended the last Read, if one did.
  const absl::Status& read_status() const { return read_status_; }

  // The digest of all bytes up to the furthest one read.
  Digest HashedDigest() const { return hasher_.Current(); }

 private:
  absl::Status FillFromReader(size_t limit, std::string* bytes);

  const ByteReader reader_;
  std::optional<uint64_t> size_bytes_;
  uint64_t offset_ = 0;
  Hasher hasher_;
  absl::Status read_status_;
  std::string last_read_;  // of a source that cannot be read twice: the bytes hashed last
};

// A name for the upload of the file behind `fd`, the same at each try as long as the file is not
// changed, so that a second try resumes the first; empty for anything but a regular file.
std::string UploadIdOfFile(int fd, std::string_view repository);

}  // namespace varve

#endif  // VARVE_CLIENT_BYTE_SOURCE_H_
