#include "storage/image/digest.h"

#include <cstring>

#include "absl/strings/escaping.h"
#include "storage/base/check.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool DecodeLowerHex(std::string_view hex, char* out) {
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    const int high = HexValue(hex[i]);
    const int low = HexValue(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    out[i / 2] = static_cast<char>(high * 16 + low);
  }
  return true;
}

}  // namespace

Digest::Digest(DigestAlgorithm algorithm, std::string_view raw) : algorithm_(algorithm) {
  CheckInvariant(raw.size() == DigestSizeBytes(algorithm),
                 "a digest has as many bytes as its algorithm gives");
  std::memcpy(bytes_.data(), raw.data(), DigestSizeBytes(algorithm));
}

absl::StatusOr<Digest> Digest::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError("a digest has the form sha256:<64 hex digits>");
  }
  absl::StatusOr<DigestAlgorithm> algorithm = ParseDigestAlgorithm(text.substr(0, colon));
  if (!algorithm.ok()) return algorithm.status();
  const std::string_view hex = text.substr(colon + 1);
  Digest digest;
  digest.algorithm_ = *algorithm;
  if (hex.size() != 2 * DigestSizeBytes(*algorithm) || !DecodeLowerHex(hex, digest.bytes_.data())) {
    return absl::InvalidArgumentError(
        StrCat(DigestAlgorithmName(*algorithm), " digests have exactly ",
               2 * DigestSizeBytes(*algorithm), " lower-case hex digits after the colon"));
  }
  return digest;
}

bool Digest::ConsumeKey(std::string_view* key, Digest* digest) {
  if (key->empty()) return false;
  const auto algorithm = static_cast<DigestAlgorithm>(key->front());
  if (algorithm != DigestAlgorithm::kSha256 && algorithm != DigestAlgorithm::kSha512) return false;
  const size_t size = DigestSizeBytes(algorithm);
  if (key->size() < 1 + size) return false;
  *digest = Digest(algorithm, key->substr(1, size));
  key->remove_prefix(1 + size);
  return true;
}

std::string Digest::ToString() const {
  return StrCat(DigestAlgorithmName(algorithm_), ":", absl::BytesToHexString(std::string(raw())));
}

void Digest::AppendKey(std::string* key) const {
  CheckInvariant(algorithm_ == DigestAlgorithm::kSha256 || algorithm_ == DigestAlgorithm::kSha512,
                 "a digest is written with an algorithm that it is read with");
  key->push_back(static_cast<char>(algorithm_));
  key->append(raw());
}

absl::StatusOr<DigestAlgorithm> ParseDigestAlgorithm(std::string_view name) {
  if (name == "sha256") return DigestAlgorithm::kSha256;
  if (name == "sha512") return DigestAlgorithm::kSha512;
  return absl::InvalidArgumentError("the digest algorithm must be sha256 or sha512");
}

std::string_view DigestAlgorithmName(DigestAlgorithm algorithm) {
  return algorithm == DigestAlgorithm::kSha256 ? "sha256" : "sha512";
}

}  // namespace varve
