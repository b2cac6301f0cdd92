#include "storage/pack/chunker.h"

#include <algorithm>

#include "storage/pack/gear.h"

namespace varve {
namespace {

// A byte is shifted out of the hash by the 64 after it: so the hash needs no new start with a
// chunk.
constexpr uint64_t kWindowBytes = 64;
// One place in 2^n is a cut when its hash is under 2^(64 - n): the high bits, which depend on the
// whole window.
constexpr uint64_t OneIn(unsigned bits) { return uint64_t{1} << (64 - bits); }
constexpr uint64_t kNever = 0;
constexpr uint64_t kBelowAverage = OneIn(18);
constexpr uint64_t kFromAverage = OneIn(14);
static_assert(kMinChunkBytes > kWindowBytes);

}  // namespace

void Chunker::Begin(std::optional<uint64_t> size_bytes) {
  chunk_bytes_ = 0;
  whole_ = size_bytes.has_value() && *size_bytes <= kMaxWholeFileBytes;
}

Chunker::Piece Chunker::Next(std::string_view bytes) {
  std::string_view rest = bytes;
  Skip(&rest, whole_ ? kMaxChunkBytes : kMinChunkBytes - kWindowBytes);
  // The byte before a place is the last of its window.
  const bool cut = Search(&rest, kMinChunkBytes - 1, kNever) ||
                   Search(&rest, kAverageChunkBytes - 1, kBelowAverage) ||
                   Search(&rest, kMaxChunkBytes, kFromAverage);
  const Piece piece{.size_bytes = bytes.size() - rest.size(),
                    .ends_chunk = cut || chunk_bytes_ == kMaxChunkBytes};
  if (piece.ends_chunk) chunk_bytes_ = 0;
  return piece;
}

void Chunker::Skip(std::string_view* bytes, uint64_t end) {
  const uint64_t size = std::min<uint64_t>(bytes->size(), end - std::min(end, chunk_bytes_));
  bytes->remove_prefix(size);
  chunk_bytes_ += size;
}

bool Chunker::Search(std::string_view* bytes, uint64_t end, uint64_t limit) {
  const std::string_view searched = bytes->substr(0, end - std::min(end, chunk_bytes_));
  uint64_t hash = hash_;
  size_t size = 0;
  bool cut = false;
  while (size < searched.size() && !cut) {
    hash = (hash << 1) + kGear[static_cast<uint8_t>(searched[size])];
    ++size;
    cut = hash < limit;
  }
  hash_ = hash;
  bytes->remove_prefix(size);
  chunk_bytes_ += size;
  return cut;
}

}  // namespace varve
