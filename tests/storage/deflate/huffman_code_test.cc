#include "storage/deflate/klauspost/huffman_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace varve::klauspost {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Le;

std::vector<uint8_t> Lengths(const std::vector<uint32_t>& counts, int limit, TieRule ties) {
  std::vector<uint8_t> lengths(counts.size());
  BuildLengths(counts, limit, ties, absl::MakeSpan(lengths));
  return lengths;
}

TEST(HuffmanCode, OneOrTwoSymbolsHaveABit) {
  for (const TieRule ties : {TieRule::kPairFirst, TieRule::kLeafFirst}) {
    EXPECT_THAT(Lengths({0, 0, 0}, 15, ties), ElementsAre(0, 0, 0));
    EXPECT_THAT(Lengths({0, 7, 0}, 15, ties), ElementsAre(0, 1, 0));
    EXPECT_THAT(Lengths({9, 0, 1}, 15, ties), ElementsAre(1, 0, 1));
  }
}

// Both cost 26 bits: 2 + 2 is made before, or after, the leaf of 4 is taken.
TEST(HuffmanCode, TieRulesChooseAmongEqualCosts) {
  EXPECT_THAT(Lengths({2, 2, 4, 5}, 15, TieRule::kPairFirst), ElementsAre(3, 3, 2, 1));
  EXPECT_THAT(Lengths({2, 2, 4, 5}, 15, TieRule::kLeafFirst), ElementsAre(3, 3, 2, 1));
  EXPECT_THAT(Lengths({1, 1, 2, 2}, 15, TieRule::kPairFirst), ElementsAre(3, 3, 2, 1));
  EXPECT_THAT(Lengths({1, 1, 2, 2}, 15, TieRule::kLeafFirst), ElementsAre(2, 2, 2, 2));
}

TEST(HuffmanCode, LengthsAreLimitedAndUseEveryCodeWord) {
  // Fibonacci's numbers make the deepest tree.
  std::vector<uint32_t> counts = {1, 1};
  while (counts.size() < 24) counts.push_back(counts.end()[-1] + counts.end()[-2]);
  for (const int limit : {7, 15}) {
    for (const TieRule ties : {TieRule::kPairFirst, TieRule::kLeafFirst}) {
      const std::vector<uint8_t> lengths = Lengths(counts, limit, ties);
      EXPECT_THAT(lengths, Each(Le(limit)));
      uint32_t used = 0;
      for (const uint8_t length : lengths) used += 1u << (limit - length);
      EXPECT_EQ(used, 1u << limit);
    }
  }
}

// RFC 1951, 3.2.2: its example, with the first bit lowest.
TEST(HuffmanCode, CodesAreCanonical) {
  const std::vector<uint8_t> lengths = {3, 3, 3, 3, 3, 2, 4, 4};
  std::vector<Code> codes(lengths.size());
  AssignCodes(lengths, absl::MakeSpan(codes));
  std::vector<uint16_t> bits;
  for (const Code& code : codes) bits.push_back(code.bits);
  EXPECT_THAT(bits, ElementsAre(0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111));
}

}  // namespace
}  // namespace varve::klauspost
