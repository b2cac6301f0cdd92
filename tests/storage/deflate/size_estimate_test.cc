#include "storage/deflate/klauspost/size_estimate.h"

#include <gtest/gtest.h>

#include <memory>

namespace varve::klauspost {
namespace {

std::unique_ptr<Tokens> SomeTokens(uint32_t seed) {
  auto tokens = std::make_unique<Tokens>();
  const auto next = [&seed](uint32_t limit) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % limit;
  };
  for (int i = 0; i < 2000; ++i) {
    if (next(3) != 0) {
      const uint32_t limit = 1 + next(200);
      tokens->AddLiteral(static_cast<uint8_t>(next(limit)));
    } else {
      const uint32_t length = 4 + next(60);
      tokens->AddMatch(length, 1 + next(30000));
    }
  }
  return tokens;
}

// About one estimate in 170 is another when it is fused, and by one bit: a compiler that fuses on
// its own shows here.
TEST(SizeEstimate, RoundsEachStepUnlessItIsFused) {
  EXPECT_EQ(EstimateBits(*SomeTokens(2324), false), 25309);
  EXPECT_EQ(EstimateBits(*SomeTokens(2324), true), 25308);
  EXPECT_EQ(EstimateBits(*SomeTokens(2981), false), 25100);
  EXPECT_EQ(EstimateBits(*SomeTokens(2981), true), 25099);
  EXPECT_EQ(EstimateBits(*SomeTokens(3506), false), 25147);
  EXPECT_EQ(EstimateBits(*SomeTokens(3506), true), 25146);
}

TEST(SizeEstimate, OfNothingIsNothing) {
  const auto tokens = std::make_unique<Tokens>();
  EXPECT_EQ(EstimateBits(*tokens, false), 0);
}

}  // namespace
}  // namespace varve::klauspost
