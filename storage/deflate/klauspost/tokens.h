// What the match finders say of a block: literals and matches, and how often each code is used.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_TOKENS_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_TOKENS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "storage/deflate/klauspost/huffman_code.h"

namespace varve::klauspost {

inline constexpr uint32_t kMinMatchBytes = 3;
inline constexpr uint32_t kMaxMatchBytes = 258;
inline constexpr uint32_t kMaxDistance = 32768;

// RFC 1951, 3.2.5: codes of match lengths count from kEndOfBlock + 1.
inline constexpr std::array<uint8_t, 29> kLengthExtraBits = {
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
inline constexpr std::array<uint8_t, kDistanceCodes> kDistanceExtraBits = {
    0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
    6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

struct MatchCodes {
  std::array<uint8_t, 256> length_code;  // of a length - kMinMatchBytes, from 0
  std::array<uint16_t, kLengthExtraBits.size()> length_base;
  std::array<uint8_t, 512> distance_code;  // see DistanceCode
  std::array<uint16_t, kDistanceCodes> distance_base;
};

constexpr MatchCodes MakeMatchCodes() {
  MatchCodes made{};
  uint32_t base = 0;
  for (size_t code = 0; code < kLengthExtraBits.size(); ++code) {
    if (code == kLengthExtraBits.size() - 1) base = kMaxMatchBytes - kMinMatchBytes;
    made.length_base[code] = static_cast<uint16_t>(base);
    for (uint32_t i = 0; i < (1u << kLengthExtraBits[code]) && base + i < 256; ++i) {
      made.length_code[base + i] = static_cast<uint8_t>(code);
    }
    base += 1u << kLengthExtraBits[code];
  }
  base = 0;
  for (size_t code = 0; code < kDistanceCodes; ++code) {
    made.distance_base[code] = static_cast<uint16_t>(base);
    for (uint32_t i = 0; i < (1u << kDistanceExtraBits[code]); ++i) {
      const uint32_t at = base + i;
      made.distance_code[at < 256 ? at : 256 + (at >> 7)] = static_cast<uint8_t>(code);
    }
    base += 1u << kDistanceExtraBits[code];
  }
  return made;
}

inline constexpr MatchCodes kMatchCodes = MakeMatchCodes();

// Of a distance - 1, below kMaxDistance.
inline uint32_t DistanceCode(uint32_t distance) {
  return kMatchCodes.distance_code[distance < 256 ? distance : 256 + (distance >> 7)];
}

// A literal is its byte, the end of a block kEndOfBlock. A match has the highest bit, then the code
// of its distance (5 bits), its length - 3 (8) and its distance - 1 (15).
using Token = uint32_t;
inline constexpr Token kMatchToken = Token{1} << 31;

class Tokens {
 public:
  // A block of 65535 literals, and its end.
  static constexpr size_t kCapacity = 65536 + 1;

  void AddLiteral(uint8_t byte) {
    tokens_[count_++] = byte;
    ++literal_counts_[byte];
  }
  void AddLiterals(const uint8_t* bytes, size_t size) {
    Token* const tokens = &tokens_[count_];
    for (size_t i = 0; i < size; ++i) {
      tokens[i] = bytes[i];
      ++literal_counts_[bytes[i]];
    }
    count_ += size;
  }
  // At most kMaxMatchBytes.
  void AddMatch(uint32_t length, uint32_t distance) {
    const uint32_t code = DistanceCode(distance - 1);
    tokens_[count_++] = kMatchToken | code << 23 | (length - kMinMatchBytes) << 15 | (distance - 1);
    ++literal_counts_[kEndOfBlock + 1 + kMatchCodes.length_code[length - kMinMatchBytes]];
    ++distance_counts_[code];
  }
  // A match of any length, in pieces. None is shorter than 4 bytes.
  void AddLongMatch(uint32_t length, uint32_t distance) {
    while (length > kMaxMatchBytes) {
      const uint32_t piece =
          length > kMaxMatchBytes + kMinMatchBytes ? kMaxMatchBytes : kMaxMatchBytes - 3;
      AddMatch(piece, distance);
      length -= piece;
    }
    AddMatch(length, distance);
  }
  void AddEndOfBlock() {
    tokens_[count_++] = kEndOfBlock;
    ++literal_counts_[kEndOfBlock];
  }
  void Clear() {
    count_ = 0;
    literal_counts_.fill(0);
    distance_counts_.fill(0);
  }

  size_t size() const { return count_; }
  const Token* begin() const { return tokens_.data(); }
  const Token* end() const { return tokens_.data() + count_; }
  const std::array<uint32_t, kLiteralCodes>& literal_counts() const { return literal_counts_; }
  const std::array<uint32_t, kDistanceCodes>& distance_counts() const { return distance_counts_; }

 private:
  size_t count_ = 0;
  std::array<uint32_t, kLiteralCodes> literal_counts_{};
  std::array<uint32_t, kDistanceCodes> distance_counts_{};
  std::array<Token, kCapacity> tokens_;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_TOKENS_H_
