// The symbols of deflate (RFC 1951, 3.2.5 to 3.2.7): which lengths and distances each stands for.
#ifndef VARVE_STORAGE_DEFLATE_DEFLATE_ALPHABET_H_
#define VARVE_STORAGE_DEFLATE_DEFLATE_ALPHABET_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace varve {

inline constexpr size_t kLiteralSymbols = 286;
inline constexpr size_t kDistanceSymbols = 30;
inline constexpr size_t kCodeLengthSymbols = 19;
inline constexpr size_t kEndOfBlock = 256;
inline constexpr size_t kFirstLengthSymbol = 257;
inline constexpr size_t kLengthSymbols = kLiteralSymbols - kFirstLengthSymbol;

inline constexpr uint32_t kMinMatchBytes = 3;
inline constexpr uint32_t kMaxMatchBytes = 258;
inline constexpr uint32_t kMaxDistanceBytes = 32768;
inline constexpr uint32_t kMaxStoredBytes = 65535;

// Bits after a length symbol, counted from kFirstLengthSymbol; the last stands for 258 alone.
constexpr unsigned LengthExtraBits(size_t symbol) {
  return symbol < 8 || symbol == kLengthSymbols - 1 ? 0 : static_cast<unsigned>(symbol / 4 - 1);
}
// The shortest match of the symbol, less kMinMatchBytes.
constexpr uint32_t LengthBase(size_t symbol) {
  if (symbol < 8) return static_cast<uint32_t>(symbol);
  if (symbol == kLengthSymbols - 1) return kMaxMatchBytes - kMinMatchBytes;
  return static_cast<uint32_t>(4 + symbol % 4) << LengthExtraBits(symbol);
}

constexpr unsigned DistanceExtraBits(size_t symbol) {
  return symbol < 4 ? 0 : static_cast<unsigned>(symbol / 2 - 1);
}
// The nearest distance of the symbol, less one.
constexpr uint32_t DistanceBase(size_t symbol) {
  if (symbol < 4) return static_cast<uint32_t>(symbol);
  return static_cast<uint32_t>(2 + symbol % 2) << DistanceExtraBits(symbol);
}

// By length less kMinMatchBytes; counted from kFirstLengthSymbol.
inline constexpr std::array<uint8_t, 256> kLengthSymbolOf = [] {
  std::array<uint8_t, 256> symbols{};
  for (size_t symbol = 0; symbol < kLengthSymbols; ++symbol) {
    const size_t end = symbol + 1 < kLengthSymbols ? LengthBase(symbol + 1) : symbols.size();
    for (size_t length = LengthBase(symbol); length < end; ++length) {
      symbols[length] = static_cast<uint8_t>(symbol);
    }
  }
  return symbols;
}();

// By distance less one.
constexpr size_t DistanceSymbolOf(uint32_t distance_less_one) {
  if (distance_less_one < 4) return distance_less_one;
  const auto top = static_cast<unsigned>(std::bit_width(distance_less_one)) - 1;
  return 2 * top + ((distance_less_one >> (top - 1)) & 1);
}

// In which order the lengths of the code-length code are written.
inline constexpr std::array<uint8_t, kCodeLengthSymbols> kCodeLengthOrder = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_DEFLATE_ALPHABET_H_
