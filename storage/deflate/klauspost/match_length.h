// Loads and comparisons of bytes, and the hashes of levels 1 to 9.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_MATCH_LENGTH_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_MATCH_LENGTH_H_

#include <bit>
#include <cstdint>
#include <cstring>

namespace varve::klauspost {

static_assert(std::endian::native == std::endian::little, "hashes are of little-endian loads");

inline uint32_t Load32(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

inline uint64_t Load64(const uint8_t* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// How many bytes are equal at the begin of both, at most `limit`. `a` and `b` may overlap.
inline uint32_t MatchLength(const uint8_t* a, const uint8_t* b, uint32_t limit) {
  uint32_t length = 0;
  for (; length + 8 <= limit; length += 8) {
    const uint64_t difference = Load64(a + length) ^ Load64(b + length);
    if (difference != 0) return length + static_cast<uint32_t>(std::countr_zero(difference)) / 8;
  }
  while (length < limit && a[length] == b[length]) ++length;
  return length;
}

// Of the first 4, 5 or 7 bytes of `bytes`, to `kBits` bits.
template <int kBits>
uint32_t Hash4(uint64_t bytes) {
  return (static_cast<uint32_t>(bytes) * 2654435761u) >> (32 - kBits);
}
template <int kBits>
uint32_t Hash5(uint64_t bytes) {
  return static_cast<uint32_t>(((bytes << 24) * 889523592379u) >> (64 - kBits));
}
template <int kBits>
uint32_t Hash7(uint64_t bytes) {
  return static_cast<uint32_t>(((bytes << 8) * 58295818150454627u) >> (64 - kBits));
}

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_MATCH_LENGTH_H_
