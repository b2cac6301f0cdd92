// Incremental SHA-256 / SHA-512 whose state can be saved and restored, so that an upload resumed
// after a restart hashes only the bytes that arrive after it.
//
// Uses OpenSSL's assembly (SHA-NI where the processor has it). Not thread-safe; copyable: a copy
// continues independently.
#ifndef VARVE_STORAGE_IMAGE_HASHER_H_
#define VARVE_STORAGE_IMAGE_HASHER_H_

#include <openssl/sha.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"

namespace varve {

class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm);

  // Restores SaveState() output. DataLoss when `state` is not one, or was damaged.
  static absl::StatusOr<Hasher> Restore(std::string_view state);

  void Update(std::string_view bytes);

  // The digest of all bytes so far; the hasher can go on.
  Digest Current() const;

  DigestAlgorithm algorithm() const;
  uint64_t bytes_hashed() const { return bytes_hashed_; }

  // At most 256 bytes: the versioned, checksummed form of storage/FORMAT.md §Hash state.
  std::string SaveState() const;

 private:
  std::variant<SHA256_CTX, SHA512_CTX> context_;
  uint64_t bytes_hashed_ = 0;
};

// The digest of `bytes` in one call.
Digest HashBytes(DigestAlgorithm algorithm, std::string_view bytes);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_HASHER_H_
