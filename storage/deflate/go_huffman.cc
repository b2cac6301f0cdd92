#include "storage/deflate/go_huffman.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr size_t kMaxSymbols = 286;
constexpr unsigned kMaxBits = 15;
constexpr unsigned kSymbolBits = 9;

// The leaves by weight, then by symbol: one word each, so that they sort as numbers.
struct Leaves {
  std::array<uint32_t, kMaxSymbols> words;
  size_t count = 0;

  uint32_t weight(size_t i) const { return words[i] >> kSymbolBits; }
  size_t symbol(size_t i) const { return words[i] & ((1U << kSymbolBits) - 1); }
};

// One level of package-merge: leaves and pairs of the level below, by weight.
struct Level {
  std::array<uint32_t, 2 * kMaxSymbols> weights;
  std::bitset<2 * kMaxSymbols> is_leaf;
  size_t count = 0;
};

// `below` is the level below, `items` how many of this level are ever asked for.
void Merge(const Leaves& leaves, const Level& below, size_t items, Level& level) {
  size_t leaf = 0;
  size_t pair = 0;
  const size_t pairs = below.count / 2;
  level.count = 0;
  while (level.count < items && (leaf < leaves.count || pair < pairs)) {
    const uint32_t pair_weight =
        pair < pairs ? below.weights[2 * pair] + below.weights[2 * pair + 1] : UINT32_MAX;
    const bool takes_leaf = leaf < leaves.count && leaves.weight(leaf) < pair_weight;
    level.is_leaf[level.count] = takes_leaf;
    level.weights[level.count++] = takes_leaf ? leaves.weight(leaf++) : pair_weight;
    pair += takes_leaf ? 0 : 1;
  }
}

// How many leaves each level contributes: a leaf is as long as the number of levels it is in.
void SetLengths(const Leaves& leaves, unsigned limit, absl::Span<GoHuffmanCode> codes) {
  // A tree is never deeper than its leaves less one. The clipping matters: which of two codes of
  // equal total length comes out depends on the number of levels.
  limit = std::min(limit, static_cast<unsigned>(leaves.count - 1));
  const size_t items = 2 * leaves.count - 2;
  std::array<Level, kMaxBits> levels;
  for (unsigned i = 0; i < limit; ++i) {
    static const Level kNone{};
    Merge(leaves, i == 0 ? kNone : levels[i - 1], items, levels[i]);
  }
  size_t taken = items;
  for (unsigned i = limit; i-- > 0;) {
    size_t leaf = 0;
    for (size_t item = 0; item < taken; ++item) {
      if (levels[i].is_leaf[item]) ++codes[leaves.symbol(leaf++)].length;
    }
    taken = 2 * (taken - leaf);
  }
}

uint16_t Reversed(uint32_t bits, unsigned length) {
  uint32_t reversed = 0;
  for (unsigned i = 0; i < length; ++i) reversed |= ((bits >> i) & 1) << (length - 1 - i);
  return static_cast<uint16_t>(reversed);
}

}  // namespace

void NumberGoHuffman(absl::Span<GoHuffmanCode> codes) {
  std::array<uint32_t, kMaxBits + 1> count{};
  for (const GoHuffmanCode& code : codes) ++count[code.length];
  count[0] = 0;
  std::array<uint32_t, kMaxBits + 2> next{};
  for (unsigned length = 1; length <= kMaxBits; ++length) {
    next[length + 1] = (next[length] + count[length]) << 1;
  }
  for (GoHuffmanCode& code : codes) {
    code.bits = code.length == 0 ? uint16_t{0} : Reversed(next[code.length]++, code.length);
  }
}

void BuildGoHuffman(absl::Span<const uint32_t> frequencies, unsigned limit,
                    absl::Span<GoHuffmanCode> codes) {
  CheckInvariant(frequencies.size() <= kMaxSymbols && limit <= kMaxBits,
                 "a deflate alphabet has at most 286 symbols and codes of 15 bits");
  Leaves leaves;
  for (size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
    codes[symbol].length = 0;
    if (frequencies[symbol] == 0) continue;
    leaves.words[leaves.count++] =
        (frequencies[symbol] << kSymbolBits) | static_cast<uint32_t>(symbol);
  }
  if (leaves.count <= 2) {
    for (size_t i = 0; i < leaves.count; ++i) codes[leaves.symbol(i)].length = 1;
  } else {
    std::sort(leaves.words.begin(), leaves.words.begin() + static_cast<ptrdiff_t>(leaves.count));
    SetLengths(leaves, limit, codes);
  }
  NumberGoHuffman(codes);
}

uint64_t GoHuffmanBits(absl::Span<const uint32_t> frequencies,
                       absl::Span<const GoHuffmanCode> codes) {
  uint64_t bits = 0;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    bits += uint64_t{frequencies[i]} * codes[i].length;
  }
  return bits;
}

}  // namespace varve
