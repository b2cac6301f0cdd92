#include "storage/deflate/block_shape.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/types/span.h"
#include "storage/deflate/deflate_alphabet.h"

namespace varve {
namespace {

constexpr unsigned kMaxCodeBits = 15;

// After the end of the bytes ok() is false for good, and all bits are zero.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  uint32_t Bits(unsigned count) {
    uint32_t bits = 0;
    for (unsigned i = 0; i < count; ++i) bits |= Bit() << i;
    return bits;
  }
  void SkipToByte() { position_ = (position_ + 7) / 8 * 8; }
  void SkipBytes(uint64_t count) {
    position_ += count * 8;
    if (position_ > uint64_t{bytes_.size()} * 8) ok_ = false;
  }
  uint64_t position() const { return position_; }
  bool ok() const { return ok_; }

 private:
  uint32_t Bit() {
    if (position_ / 8 >= bytes_.size()) {
      ok_ = false;
      return 0;
    }
    const auto byte = static_cast<uint8_t>(bytes_[static_cast<size_t>(position_ / 8)]);
    return (byte >> (position_++ % 8)) & 1U;
  }

  std::string_view bytes_;
  uint64_t position_ = 0;
  bool ok_ = true;
};

// A canonical code, read a bit at a time: how many codes there are of each length, and the symbols
// in the order of their codes.
class Code {
 public:
  // False when there are more codes than fit. Fewer are taken: some producers write such.
  bool Set(absl::Span<const uint8_t> lengths) {
    counts_.fill(0);
    for (const uint8_t length : lengths) ++counts_[length];
    counts_[0] = 0;
    std::array<uint16_t, kMaxCodeBits + 2> starts{};
    int32_t left = 1;
    for (unsigned length = 1; length <= kMaxCodeBits; ++length) {
      left = 2 * left - counts_[length];
      if (left < 0) return false;
      starts[length + 1] = static_cast<uint16_t>(starts[length] + counts_[length]);
    }
    for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      if (lengths[symbol] != 0) symbols_[starts[lengths[symbol]]++] = static_cast<uint16_t>(symbol);
    }
    return true;
  }

  // Nothing for a code that is none.
  std::optional<size_t> Next(BitReader& reader) const {
    int32_t code = 0;
    int32_t first = 0;
    int32_t index = 0;
    for (unsigned length = 1; length <= kMaxCodeBits; ++length) {
      code |= static_cast<int32_t>(reader.Bits(1));
      const int32_t count = counts_[length];
      if (code - first < count) return symbols_[static_cast<size_t>(index + code - first)];
      index += count;
      first = (first + count) * 2;
      code *= 2;
    }
    return std::nullopt;
  }

 private:
  std::array<uint16_t, kMaxCodeBits + 1> counts_{};
  std::array<uint16_t, 288> symbols_{};
};

struct Codes {
  Code literals;
  Code distances;
};

bool SetFixed(Codes& codes) {
  std::array<uint8_t, 288> literals{};
  for (size_t i = 0; i < literals.size(); ++i) {
    literals[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  }
  std::array<uint8_t, kDistanceSymbols> distances{};
  distances.fill(5);
  return codes.literals.Set(literals) && codes.distances.Set(distances);
}

bool ReadDynamic(BitReader& reader, BlockShape& shape, Codes& codes) {
  shape.literal_symbols = reader.Bits(5) + static_cast<uint32_t>(kFirstLengthSymbol);
  shape.distance_symbols = reader.Bits(5) + 1;
  const size_t order_count = reader.Bits(4) + 4;
  if (shape.literal_symbols > kLiteralSymbols || shape.distance_symbols > kDistanceSymbols) {
    return false;
  }
  std::array<uint8_t, kCodeLengthSymbols> order{};
  for (size_t i = 0; i < order_count; ++i) {
    order[kCodeLengthOrder[i]] = static_cast<uint8_t>(reader.Bits(3));
  }
  Code length_code;
  if (!length_code.Set(order)) return false;

  std::array<uint8_t, kLiteralSymbols + kDistanceSymbols> lengths{};
  const size_t count = shape.literal_symbols + shape.distance_symbols;
  for (size_t i = 0; i < count;) {
    const std::optional<size_t> symbol = length_code.Next(reader);
    if (!symbol.has_value() || !reader.ok()) return false;
    if (*symbol < 16) {
      lengths[i++] = static_cast<uint8_t>(*symbol);
      continue;
    }
    if (*symbol == 16 && i == 0) return false;
    const uint8_t repeated = *symbol == 16 ? lengths[i - 1] : uint8_t{0};
    const size_t times = *symbol == 16   ? 3 + reader.Bits(2)
                         : *symbol == 17 ? 3 + reader.Bits(3)
                                         : 11 + reader.Bits(7);
    if (times > count - i) return false;
    std::fill_n(lengths.begin() + static_cast<ptrdiff_t>(i), times, repeated);
    i += times;
  }
  const auto all = absl::MakeConstSpan(lengths);
  return codes.literals.Set(all.subspan(0, shape.literal_symbols)) &&
         codes.distances.Set(all.subspan(shape.literal_symbols, shape.distance_symbols));
}

bool ReadTokens(BitReader& reader, const Codes& codes, BlockShape& shape) {
  for (;;) {
    const std::optional<size_t> symbol = codes.literals.Next(reader);
    if (!symbol.has_value() || !reader.ok() || *symbol >= kLiteralSymbols) return false;
    if (*symbol == kEndOfBlock) return true;
    ++shape.tokens;
    if (*symbol < kEndOfBlock) {
      ++shape.plain_bytes;
      continue;
    }
    const size_t length_symbol = *symbol - kFirstLengthSymbol;
    const uint32_t length =
        kMinMatchBytes + LengthBase(length_symbol) + reader.Bits(LengthExtraBits(length_symbol));
    const std::optional<size_t> distance_symbol = codes.distances.Next(reader);
    if (!distance_symbol.has_value() || *distance_symbol >= kDistanceSymbols) return false;
    const uint32_t distance =
        1 + DistanceBase(*distance_symbol) + reader.Bits(DistanceExtraBits(*distance_symbol));
    ++shape.matches;
    shape.plain_bytes += length;
    shape.longest_distance = std::max(shape.longest_distance, distance);
    shape.shortest_match =
        shape.shortest_match == 0 ? length : std::min(shape.shortest_match, length);
  }
}

bool ReadStored(BitReader& reader, BlockShape& shape) {
  reader.SkipToByte();
  const uint32_t size = reader.Bits(16);
  if ((size ^ reader.Bits(16)) != 0xffff) return false;
  reader.SkipBytes(size);
  shape.plain_bytes = size;
  return true;
}

bool ReadBlock(BitReader& reader, BlockShape& shape) {
  shape.first_bit = reader.position();
  shape.last = reader.Bits(1) != 0;
  const uint32_t type = reader.Bits(2);
  Codes codes;
  bool whole = false;
  if (type == 0) {
    whole = ReadStored(reader, shape);
  } else if (type == 1) {
    shape.type = BlockType::kFixed;
    whole = SetFixed(codes) && ReadTokens(reader, codes, shape);
  } else if (type == 2) {
    shape.type = BlockType::kDynamic;
    whole = ReadDynamic(reader, shape, codes) && ReadTokens(reader, codes, shape);
  }
  shape.end_bit = reader.position();
  return whole && reader.ok();
}

}  // namespace

std::vector<BlockShape> ReadBlockShapes(std::string_view deflate, size_t max_blocks) {
  std::vector<BlockShape> shapes;
  BitReader reader(deflate);
  while (shapes.size() < max_blocks && (shapes.empty() || !shapes.back().last)) {
    BlockShape shape;
    if (!ReadBlock(reader, shape)) break;
    shapes.push_back(shape);
  }
  return shapes;
}

}  // namespace varve
