// The tables of the match finders: the last position, or the last two, of each bucket.
//
// A checkpoint needs what can be reached from it: the positions of the last kMaxDistance bytes.
// These bytes give the bucket of each position again, so that a table is a bit a position: whether
// its bucket has it. That is 4 KiB whatever the table's size, and exact.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_HASH_TABLE_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_HASH_TABLE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "storage/base/bytes.h"
#include "storage/deflate/klauspost/match_finder.h"

namespace varve::klauspost {

static_assert(std::endian::native == std::endian::little, "the current entry is the lower half");

// Of a bucket with two entries; a new one moves the current one back.
struct Pair {
  uint32_t current = 0;
  uint32_t previous = 0;

  // As one word: this is done several times a byte.
  void Push(uint32_t position) {
    const uint64_t both = std::bit_cast<uint64_t>(*this);
    *this = std::bit_cast<Pair>((both << 32) | position);
  }
};

template <typename Entry, int kBits>
class HashTable {
 public:
  static constexpr size_t kSize = size_t{1} << kBits;

  HashTable() : entries_(std::make_unique<Entry[]>(kSize)) {}
  Entry& operator[](uint32_t bucket) { return entries_[bucket]; }
  const Entry& operator[](uint32_t bucket) const { return entries_[bucket]; }

  void Forget(uint32_t position) {
    for (size_t i = 0; i < kSize; ++i) {
      if constexpr (std::is_same_v<Entry, Pair>) {
        ForgetOne(position, entries_[i].current);
        ForgetOne(position, entries_[i].previous);
      } else {
        ForgetOne(position, entries_[i]);
      }
    }
  }

 private:
  static void ForgetOne(uint32_t position, uint32_t& entry) {
    if (position - entry > kMaxDistance) entry = position - MatchFinder::kFirstPosition;
  }

  std::unique_ptr<Entry[]> entries_;
};

// The bytes that hashes look at; positions nearer to the end of a block are never inserted.
inline constexpr uint32_t kHashedBytes = 8;

// Appends a bit for each of the kMaxDistance positions before the block: whether `entry`, the slot
// of the position (given by its index in block.bytes), has it.
template <typename EntryOf>
void AppendLivePositions(const Block& block, const EntryOf& entry_of, std::string& state) {
  for (uint32_t byte = 0; byte < kMaxDistance / 8; ++byte) {
    uint8_t bits = 0;
    for (uint32_t bit = 0; bit < 8; ++bit) {
      const uint32_t back = kMaxDistance - (byte * 8 + bit);
      if (back > block.begin || back < kHashedBytes) continue;
      const uint32_t index = block.begin - back;
      if (entry_of(index) == block.base_position + index) bits |= static_cast<uint8_t>(1u << bit);
    }
    AppendU8(&state, bits);
  }
}

// Puts the positions back. False when the state is too short or has a position that cannot be.
template <typename EntryOf>
bool ReadLivePositions(const Block& block, const EntryOf& entry_of, ByteReader& state) {
  const std::string_view bitmap = state.Raw(kMaxDistance / 8);
  if (!state.ok()) return false;
  for (uint32_t i = 0; i < kMaxDistance; ++i) {
    if (((static_cast<uint8_t>(bitmap[i / 8]) >> (i % 8)) & 1) == 0) continue;
    const uint32_t back = kMaxDistance - i;
    if (back > block.begin || back < kHashedBytes) return false;
    const uint32_t index = block.begin - back;
    entry_of(index) = block.base_position + index;
  }
  return true;
}

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_HASH_TABLE_H_
