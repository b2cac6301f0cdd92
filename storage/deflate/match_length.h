// Loads of unaligned words, and how far two runs of bytes agree.
#ifndef VARVE_STORAGE_DEFLATE_MATCH_LENGTH_H_
#define VARVE_STORAGE_DEFLATE_MATCH_LENGTH_H_

#include <bit>
#include <cstdint>
#include <cstring>

namespace varve {

static_assert(std::endian::native == std::endian::little, "words are loaded as they are");

inline uint32_t Load32(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

inline uint64_t Load64(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// At most `limit`. Both may be read up to seven bytes past it.
inline uint32_t MatchLength(const uint8_t* a, const uint8_t* b, uint32_t limit) {
  for (uint32_t length = 0; length < limit; length += 8) {
    const uint64_t difference = Load64(a + length) ^ Load64(b + length);
    if (difference != 0) {
      const uint32_t found = length + static_cast<uint32_t>(std::countr_zero(difference)) / 8;
      return found < limit ? found : limit;
    }
  }
  return limit;
}

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_MATCH_LENGTH_H_
