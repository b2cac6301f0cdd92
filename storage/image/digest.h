// A digest names immutable bytes: an algorithm and its raw output. Value type, cheap to copy.
#ifndef VARVE_STORAGE_IMAGE_DIGEST_H_
#define VARVE_STORAGE_IMAGE_DIGEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve {

// The values are the algorithm bytes of index keys (storage/FORMAT.md); never renumber.
enum class DigestAlgorithm : uint8_t { kSha256 = 1, kSha512 = 2 };

inline constexpr size_t kMaxDigestBytes = 64;

constexpr size_t DigestSizeBytes(DigestAlgorithm algorithm) {
  return algorithm == DigestAlgorithm::kSha256 ? 32 : 64;
}

class Digest {
 public:
  Digest() = default;  // sha256 of nothing in particular: all zero bytes

  // `raw` must be exactly DigestSizeBytes(algorithm) long: an invariant.
  Digest(DigestAlgorithm algorithm, std::string_view raw);

  // Parses "sha256:<64 lower-case hex>" or "sha512:<128 lower-case hex>".
  // InvalidArgument, with a sentence for the client, for anything else.
  static absl::StatusOr<Digest> Parse(std::string_view text);

  // Reads the key form (algorithm byte, raw bytes) off the front of `*key`. False when malformed.
  static bool ConsumeKey(std::string_view* key, Digest* digest);

  DigestAlgorithm algorithm() const { return algorithm_; }
  std::string_view raw() const { return {bytes_.data(), DigestSizeBytes(algorithm_)}; }
  std::string ToString() const;  // "sha256:…"
  void AppendKey(std::string* key) const;

  friend bool operator==(const Digest& a, const Digest& b) {
    return a.algorithm_ == b.algorithm_ && a.raw() == b.raw();
  }
  friend bool operator<(const Digest& a, const Digest& b) {
    return a.algorithm_ != b.algorithm_ ? a.algorithm_ < b.algorithm_ : a.raw() < b.raw();
  }
  template <typename H>
  friend H AbslHashValue(H state, const Digest& digest) {
    return H::combine(std::move(state), digest.algorithm_, digest.raw());
  }

 private:
  DigestAlgorithm algorithm_ = DigestAlgorithm::kSha256;
  std::array<char, kMaxDigestBytes> bytes_{};
};

// "sha256" or "sha512"; InvalidArgument otherwise.
absl::StatusOr<DigestAlgorithm> ParseDigestAlgorithm(std::string_view name);
std::string_view DigestAlgorithmName(DigestAlgorithm algorithm);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_DIGEST_H_
