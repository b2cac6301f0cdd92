#include "storage/deflate/klauspost/huffman_code.h"

#include <algorithm>

#include "storage/base/check.h"

namespace varve::klauspost {
namespace {

// A leaf: its count above its symbol, so that leaves sort by count, then symbol.
using Leaf = uint64_t;
constexpr int kSymbolBits = 16;

constexpr uint64_t Weight(Leaf leaf) { return leaf >> kSymbolBits; }
constexpr size_t Symbol(Leaf leaf) { return leaf & ((1 << kSymbolBits) - 1); }

// How many leaves have a length; the longest ones belong to the lightest.
using LengthCounts = std::array<uint32_t, kLiteralCodes>;

bool LeafIsNext(TieRule ties, uint64_t leaf, uint64_t pair) {
  return ties == TieRule::kLeafFirst ? leaf <= pair : leaf < pair;
}

// Huffman's own tree: the two lightest nodes become a pair, until one is left. Pairs come in order
// of their weight, hence two queues. Returns the longest length.
size_t CountTreeLengths(absl::Span<const Leaf> leaves, TieRule ties, LengthCounts& counts) {
  const size_t n = leaves.size();
  std::array<uint64_t, kLiteralCodes> pair_weight;
  std::array<uint16_t, kLiteralCodes> pair_parent;
  std::array<uint16_t, kLiteralCodes> leaf_parent;
  size_t leaf = 0;
  size_t pair = 0;
  for (size_t made = 0; made < n - 1; ++made) {
    uint64_t weight = 0;
    for (int child = 0; child < 2; ++child) {
      if (leaf < n && (pair == made || LeafIsNext(ties, Weight(leaves[leaf]), pair_weight[pair]))) {
        weight += Weight(leaves[leaf]);
        leaf_parent[leaf++] = static_cast<uint16_t>(made);
      } else {
        weight += pair_weight[pair];
        pair_parent[pair++] = static_cast<uint16_t>(made);
      }
    }
    pair_weight[made] = weight;
  }
  // Depths from the root, which is the last pair, down.
  std::array<uint16_t, kLiteralCodes> pair_depth;
  pair_depth[n - 2] = 0;
  for (size_t i = n - 2; i-- > 0;) {
    pair_depth[i] = static_cast<uint16_t>(pair_depth[pair_parent[i]] + 1);
  }
  counts.fill(0);
  size_t longest = 0;
  for (size_t i = 0; i < n; ++i) {
    const size_t length = pair_depth[leaf_parent[i]] + size_t{1};
    ++counts[length];
    longest = std::max(longest, length);
  }
  return longest;
}

// Package-merge: at each length, from the longest, the leaves are merged with the pairs of what is
// one longer, a pair going before a leaf of its weight. The 2n - 2 lightest of the last list, with
// what their pairs hold, say how often each leaf is counted, and that is its length.
void CountLimitedLengths(absl::Span<const Leaf> leaves, size_t limit, LengthCounts& counts) {
  const size_t n = leaves.size();
  limit = std::min(limit, n - 1);
  constexpr size_t kMaxItems = 2 * kLiteralCodes;
  std::array<std::array<bool, kMaxItems>, kMaxCodeBits> is_leaf;
  std::array<uint64_t, kMaxItems> weights;
  std::array<uint64_t, kLiteralCodes> pair_weights;
  size_t items = 0;
  for (size_t level = 0; level < limit; ++level) {
    const size_t pairs = items / 2;
    for (size_t i = 0; i < pairs; ++i) pair_weights[i] = weights[2 * i] + weights[2 * i + 1];
    size_t leaf = 0;
    size_t pair = 0;
    items = n + pairs;
    for (size_t i = 0; i < items; ++i) {
      const bool take_leaf =
          pair == pairs ||
          (leaf < n && LeafIsNext(TieRule::kPairFirst, Weight(leaves[leaf]), pair_weights[pair]));
      is_leaf[level][i] = take_leaf;
      weights[i] = take_leaf ? Weight(leaves[leaf++]) : pair_weights[pair++];
    }
  }
  counts.fill(0);
  size_t taken = 2 * n - 2;
  size_t longer = n;  // leaves that are no shorter than the length at hand
  for (size_t length = 1; length <= limit; ++length) {
    const auto& level = is_leaf[limit - length];
    const auto leaves_taken = static_cast<size_t>(
        std::count(level.begin(), level.begin() + static_cast<ptrdiff_t>(taken), true));
    counts[length - 1] = static_cast<uint32_t>(longer - leaves_taken);
    longer = leaves_taken;
    taken = 2 * (taken - leaves_taken);
  }
  counts[limit] = static_cast<uint32_t>(longer);
}

}  // namespace

void BuildLengths(absl::Span<const uint32_t> counts, int limit, TieRule ties,
                  absl::Span<uint8_t> lengths) {
  std::array<Leaf, kLiteralCodes> storage;
  size_t n = 0;
  for (size_t symbol = 0; symbol < counts.size(); ++symbol) {
    lengths[symbol] = 0;
    if (counts[symbol] != 0) storage[n++] = (Leaf{counts[symbol]} << kSymbolBits) | symbol;
  }
  const absl::Span<Leaf> leaves(storage.data(), n);
  if (n <= 2) {
    for (const Leaf leaf : leaves) lengths[Symbol(leaf)] = 1;
    return;
  }
  std::sort(leaves.begin(), leaves.end());
  LengthCounts length_counts;
  const auto most = static_cast<size_t>(limit);
  if (ties == TieRule::kPairFirst || CountTreeLengths(leaves, ties, length_counts) > most) {
    CountLimitedLengths(leaves, most, length_counts);
  }
  size_t leaf = n;
  for (size_t length = 1; leaf > 0; ++length) {
    for (uint32_t i = 0; i < length_counts[length]; ++i) {
      lengths[Symbol(leaves[--leaf])] = static_cast<uint8_t>(length);
    }
  }
}

void AssignCodes(absl::Span<const uint8_t> lengths, absl::Span<Code> codes) {
  std::array<uint32_t, kMaxCodeBits + 2> next{};
  for (const uint8_t length : lengths) ++next[length + 1u];
  next[1] = 0;  // no code has no bits
  for (size_t length = 1; length < next.size(); ++length) {
    next[length] = (next[length] + next[length - 1]) << 1;
  }
  for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    const uint32_t length = lengths[symbol];
    uint32_t reversed = 0;
    if (length != 0) {
      const uint32_t code = next[length]++;
      for (uint32_t i = 0; i < length; ++i) reversed |= ((code >> i) & 1) << (length - 1 - i);
    }
    codes[symbol] = {static_cast<uint16_t>(reversed), static_cast<uint16_t>(length)};
  }
}

void BuildCodes(absl::Span<const uint32_t> counts, int limit, TieRule ties,
                absl::Span<Code> codes) {
  CheckInvariant(counts.size() <= kLiteralCodes && codes.size() >= counts.size(),
                 "a code has a place for each symbol");
  std::array<uint8_t, kLiteralCodes> lengths;
  BuildLengths(counts, limit, ties, absl::MakeSpan(lengths).subspan(0, counts.size()));
  AssignCodes(absl::MakeConstSpan(lengths).subspan(0, counts.size()), codes);
  std::fill(codes.begin() + static_cast<ptrdiff_t>(counts.size()), codes.end(), Code{});
}

}  // namespace varve::klauspost
