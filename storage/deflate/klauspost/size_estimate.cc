#include "storage/deflate/klauspost/size_estimate.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace varve::klauspost {
namespace {

template <bool kFused>
float MultiplyAdd(float a, float b, float c) {
  if constexpr (kFused) return std::fma(a, b, c);
  const float product = a * b;
  return product + c;
}

// A parabola through the mantissa.
template <bool kFused>
float Log2(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const float exponent = static_cast<float>(static_cast<int32_t>((bits >> 23) & 255) - 128);
  const auto mantissa = std::bit_cast<float>((bits & 0x007fffffu) | (127u << 23));
  const float slope = MultiplyAdd<kFused>(-0.34484843f, mantissa, 2.02466578f);
  return exponent + MultiplyAdd<kFused>(slope, mantissa, -0.67487759f);
}

// Adds the bits of a symbol that occurs `count` times: from 1 to 15 each.
template <bool kFused>
float AddEntropy(float sum, uint32_t count, float inverse_total) {
  const auto occurrences = static_cast<float>(count);
  const float bits = -Log2<kFused>(occurrences * inverse_total);
  return MultiplyAdd<kFused>(std::clamp(bits, 1.0f, 15.0f), occurrences, sum);
}

template <bool kFused>
uint64_t Estimate(const Tokens& tokens) {
  constexpr float kEndOfBlockBits = 15;
  if (tokens.size() == 0) return 0;
  const auto& literals = tokens.literal_counts();
  const float inverse_total = 1.0f / static_cast<float>(tokens.size());
  float sum = 0;
  for (size_t symbol = 0; symbol < kEndOfBlock; ++symbol) {
    if (literals[symbol] != 0) sum = AddEntropy<kFused>(sum, literals[symbol], inverse_total);
  }
  sum += kEndOfBlockBits;
  uint64_t extra_bits = 0;
  uint32_t matches = 0;
  for (size_t code = 0; code < kLengthExtraBits.size(); ++code) {
    const uint32_t count = literals[kEndOfBlock + 1 + code];
    if (count == 0) continue;
    sum = AddEntropy<kFused>(sum, count, inverse_total);
    extra_bits += uint64_t{count} * kLengthExtraBits[code];
    matches += count;
  }
  if (matches != 0) {
    const float inverse_matches = 1.0f / static_cast<float>(matches);
    for (size_t code = 0; code < kDistanceCodes; ++code) {
      const uint32_t count = tokens.distance_counts()[code];
      if (count == 0) continue;
      sum = AddEntropy<kFused>(sum, count, inverse_matches);
      extra_bits += uint64_t{count} * kDistanceExtraBits[code];
    }
  }
  return static_cast<uint64_t>(sum) + extra_bits;
}

}  // namespace

uint64_t EstimateBits(const Tokens& tokens, bool fused) {
  return fused ? Estimate<true>(tokens) : Estimate<false>(tokens);
}

}  // namespace varve::klauspost
