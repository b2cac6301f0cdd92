// The only file that uses OpenSSL's low-level SHA interface. It is deprecated in OpenSSL 3.0, but
// EVP cannot export a running state there, and resuming an upload needs one.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "storage/image/hasher.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/base/bytes.h"

namespace varve {
namespace {

constexpr uint8_t kStateVersion = 1;

template <typename Context, typename Word>
void AppendContext(std::string* out, const Context& context, std::string_view buffered) {
  for (Word word : context.h) AppendU64(out, word);
  AppendString(out, buffered);
}

// SHA512_CTX keeps its buffer inside a union of words and bytes; SHA256_CTX an array of words.
std::string_view Buffered(const SHA256_CTX& context) {
  return {reinterpret_cast<const char*>(context.data), context.num};
}
std::string_view Buffered(const SHA512_CTX& context) {
  return {reinterpret_cast<const char*>(context.u.p), context.num};
}

void Feed(SHA256_CTX& context, std::string_view bytes) {
  SHA256_Update(&context, bytes.data(), bytes.size());
}
void Feed(SHA512_CTX& context, std::string_view bytes) {
  SHA512_Update(&context, bytes.data(), bytes.size());
}

// Rebuilds `context` (freshly initialised) from chaining words, total length and the bytes that
// wait for a full block. False when the parts contradict each other.
template <size_t kBlockBytes, typename Context>
bool RestoreContext(ByteReader& reader, uint64_t bytes_hashed, Context* context) {
  for (auto& word : context->h) {
    word = static_cast<std::remove_reference_t<decltype(word)>>(reader.U64());
  }
  const std::string_view buffered = reader.String();
  if (!reader.ok() || buffered.size() != bytes_hashed % kBlockBytes) return false;
  // The length counter covers whole blocks; feeding the rest brings it to bytes_hashed.
  const uint64_t bits = (bytes_hashed - buffered.size()) * 8;
  context->Nl = static_cast<decltype(context->Nl)>(bits);
  if constexpr (sizeof(context->Nl) == 4) context->Nh = static_cast<unsigned>(bits >> 32);
  Feed(*context, buffered);
  return true;
}

}  // namespace

Hasher::Hasher(DigestAlgorithm algorithm) {
  if (algorithm == DigestAlgorithm::kSha256) {
    SHA256_Init(&context_.emplace<SHA256_CTX>());
  } else {
    SHA512_Init(&context_.emplace<SHA512_CTX>());
  }
}

void Hasher::Update(std::string_view bytes) {
  std::visit([bytes](auto& context) { Feed(context, bytes); }, context_);
  bytes_hashed_ += bytes.size();
}

Digest Hasher::Current() const {
  unsigned char out[kMaxDigestBytes];
  if (const auto* sha256 = std::get_if<SHA256_CTX>(&context_)) {
    SHA256_CTX copy = *sha256;
    SHA256_Final(out, &copy);
  } else {
    SHA512_CTX copy = std::get<SHA512_CTX>(context_);
    SHA512_Final(out, &copy);
  }
  return Digest(algorithm(), {reinterpret_cast<char*>(out), DigestSizeBytes(algorithm())});
}

DigestAlgorithm Hasher::algorithm() const {
  return std::holds_alternative<SHA256_CTX>(context_) ? DigestAlgorithm::kSha256
                                                      : DigestAlgorithm::kSha512;
}

std::string Hasher::SaveState() const {
  std::string out;
  AppendU8(&out, kStateVersion);
  AppendU8(&out, static_cast<uint8_t>(algorithm()));
  AppendU64(&out, bytes_hashed_);
  if (const auto* sha256 = std::get_if<SHA256_CTX>(&context_)) {
    AppendContext<SHA256_CTX, uint32_t>(&out, *sha256, Buffered(*sha256));
  } else {
    const SHA512_CTX& sha512 = std::get<SHA512_CTX>(context_);
    AppendContext<SHA512_CTX, uint64_t>(&out, sha512, Buffered(sha512));
  }
  AppendU64(&out, XXH3_64bits(out.data(), out.size()));
  return out;
}

absl::StatusOr<Hasher> Hasher::Restore(std::string_view state) {
  const absl::Status damaged = absl::DataLossError("the saved hash state of an upload is damaged");
  if (state.size() < sizeof(uint64_t)) return damaged;
  const std::string_view body = state.substr(0, state.size() - sizeof(uint64_t));
  ByteReader checksum(state.substr(body.size()));
  if (checksum.U64() != XXH3_64bits(body.data(), body.size())) return damaged;

  ByteReader reader(body);
  if (reader.U8() != kStateVersion) return damaged;
  const auto algorithm = static_cast<DigestAlgorithm>(reader.U8());
  if (algorithm != DigestAlgorithm::kSha256 && algorithm != DigestAlgorithm::kSha512) {
    return damaged;
  }
  Hasher hasher(algorithm);
  hasher.bytes_hashed_ = reader.U64();
  const bool restored = algorithm == DigestAlgorithm::kSha256
                            ? RestoreContext<SHA256_CBLOCK>(reader, hasher.bytes_hashed_,
                                                            &std::get<SHA256_CTX>(hasher.context_))
                            : RestoreContext<SHA512_CBLOCK>(reader, hasher.bytes_hashed_,
                                                            &std::get<SHA512_CTX>(hasher.context_));
  if (!restored || !reader.done()) return damaged;
  return hasher;
}

Digest HashBytes(DigestAlgorithm algorithm, std::string_view bytes) {
  Hasher hasher(algorithm);
  hasher.Update(bytes);
  return hasher.Current();
}

}  // namespace varve
