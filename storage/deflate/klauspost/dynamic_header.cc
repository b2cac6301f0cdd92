#include "storage/deflate/klauspost/dynamic_header.h"

#include <algorithm>

namespace varve::klauspost {
namespace {

constexpr std::array<uint8_t, 19> kOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
constexpr size_t kRepeat = 16;     // the length before, 3 to 6 times
constexpr size_t kZeros = 17;      // 3 to 10
constexpr size_t kManyZeros = 18;  // 11 to 138
constexpr int kMaxLengthCodeBits = 7;
constexpr size_t kMinLengthCodes = 4;

constexpr uint32_t ExtraBits(size_t symbol) {
  if (symbol == kRepeat) return 2;
  if (symbol == kZeros) return 3;
  return symbol == kManyZeros ? 7 : 0;
}

}  // namespace

DynamicHeader::DynamicHeader(absl::Span<const Code> literals, absl::Span<const Code> distances,
                             TieRule ties)
    : literals_(literals.size()), distances_(distances.size()) {
  std::array<uint8_t, kLiteralCodes + kDistanceCodes> lengths;
  size_t size = 0;
  for (const Code& code : literals) lengths[size++] = static_cast<uint8_t>(code.length);
  for (const Code& code : distances) lengths[size++] = static_cast<uint8_t>(code.length);
  AddRuns(absl::MakeConstSpan(lengths).subspan(0, size));

  BuildCodes(counts_, kMaxLengthCodeBits, ties, absl::MakeSpan(codes_));
  while (length_codes_ > kMinLengthCodes && counts_[kOrder[length_codes_ - 1]] == 0) {
    --length_codes_;
  }
  bits_ = 3 + 5 + 5 + 4 + 3 * length_codes_;
  for (size_t symbol = 0; symbol < kLengthSymbols; ++symbol) {
    bits_ += uint64_t{counts_[symbol]} * (codes_[symbol].length + ExtraBits(symbol));
  }
}

void DynamicHeader::Write(BitWriter& out) const {
  constexpr uint32_t kDynamicBlock = 2 << 1;
  out.Write(kDynamicBlock, 3);
  out.Write(literals_ - 257, 5);
  out.Write(distances_ - 1, 5);
  out.Write(length_codes_ - kMinLengthCodes, 4);
  for (size_t i = 0; i < length_codes_; ++i) out.Write(codes_[kOrder[i]].length, 3);
  for (const Run& run : absl::MakeConstSpan(run_).subspan(0, runs_)) {
    const Code code = codes_[run.symbol];
    out.Write(code.bits | (uint64_t{run.extra} << code.length),
              code.length + ExtraBits(run.symbol));
  }
}

// The lengths of both codes are one sequence: a run may cross from literals to distances.
void DynamicHeader::AddRuns(absl::Span<const uint8_t> lengths) {
  for (size_t begin = 0; begin < lengths.size();) {
    size_t end = begin + 1;
    while (end < lengths.size() && lengths[end] == lengths[begin]) ++end;
    AddRun(lengths[begin], end - begin);
    begin = end;
  }
}

void DynamicHeader::AddRun(uint8_t length, size_t count) {
  if (length != 0) {
    Add(length, 0);
    --count;
    while (count >= 3) {
      const size_t piece = std::min<size_t>(count, 6);
      Add(kRepeat, piece - 3);
      count -= piece;
    }
  } else {
    while (count >= 11) {
      const size_t piece = std::min<size_t>(count, 138);
      Add(kManyZeros, piece - 11);
      count -= piece;
    }
    if (count >= 3) {
      Add(kZeros, count - 3);
      count = 0;
    }
  }
  for (; count > 0; --count) Add(length, 0);
}

void DynamicHeader::Add(size_t symbol, size_t extra) {
  run_[runs_++] = {static_cast<uint8_t>(symbol), static_cast<uint8_t>(extra)};
  ++counts_[symbol];
}

}  // namespace varve::klauspost
