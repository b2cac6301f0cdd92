#include "storage/deflate/go_block_writer.h"

#include <algorithm>

namespace varve {
namespace {

constexpr unsigned kMaxCodeBits = 15;
constexpr unsigned kMaxRunCodeBits = 7;
constexpr uint64_t kTypeBits = 3;

// Block types, with the bit for the last block in front of them.
constexpr uint64_t kStored = 0b000;
constexpr uint64_t kFixed = 0b010;
constexpr uint64_t kDynamic = 0b100;

// Symbols of the code lengths, and the bits after them.
constexpr uint8_t kRepeatLength = 16;
constexpr uint8_t kFewZeros = 17;
constexpr uint8_t kManyZeros = 18;
constexpr std::array<uint8_t, kCodeLengthSymbols> kRunExtraBits = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                                   0, 0, 0, 0, 0, 0, 2, 3, 7};

const std::array<GoHuffmanCode, kLiteralSymbols>& FixedLiteralCodes() {
  static const auto codes = [] {
    // Of all 288, or the numbers would not be those of RFC 1951; the last two are never written.
    std::array<GoHuffmanCode, 288> all{};
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].length = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    }
    NumberGoHuffman(absl::MakeSpan(all));
    std::array<GoHuffmanCode, kLiteralSymbols> used{};
    std::copy_n(all.begin(), used.size(), used.begin());
    return used;
  }();
  return codes;
}

const std::array<GoHuffmanCode, kDistanceSymbols>& FixedDistanceCodes() {
  static const auto codes = [] {
    std::array<GoHuffmanCode, kDistanceSymbols> all{};
    for (GoHuffmanCode& code : all) code.length = 5;
    NumberGoHuffman(absl::MakeSpan(all));
    return all;
  }();
  return codes;
}

constexpr uint64_t StoredBits(size_t bytes) { return (uint64_t{bytes} + 5) * 8; }

}  // namespace

void GoBlockWriter::WriteSmallest(absl::Span<const GoToken> tokens,
                                  std::optional<std::string_view> plain, std::string& out) {
  CountTokens(tokens);
  const uint64_t dynamic = BuildCodes();
  const uint64_t fixed = kTypeBits + GoHuffmanBits(literal_counts_, FixedLiteralCodes()) +
                         GoHuffmanBits(distance_counts_, FixedDistanceCodes());
  const uint64_t extra = ExtraBits();
  const uint64_t smaller = std::min(fixed, dynamic) + extra;
  if (plain.has_value() && plain->size() <= kMaxStoredBytes &&
      StoredBits(plain->size()) < smaller) {
    WriteStored(*plain, out);
    return;
  }
  writer_.Open(out, smaller);
  if (dynamic < fixed) {
    PutHeader();
    PutTokens(tokens, literal_codes_, distance_codes_);
  } else {
    writer_.Put(kFixed, kTypeBits);
    PutTokens(tokens, FixedLiteralCodes(), FixedDistanceCodes());
  }
  writer_.Close();
}

void GoBlockWriter::WriteDynamic(absl::Span<const GoToken> tokens, std::string_view plain,
                                 std::string& out) {
  CountTokens(tokens);
  const uint64_t bits = BuildCodes();
  if (StoredBits(plain.size()) < bits + bits / 16) {
    WriteStored(plain, out);
    return;
  }
  writer_.Open(out, bits + ExtraBits());
  PutHeader();
  PutTokens(tokens, literal_codes_, distance_codes_);
  writer_.Close();
}

void GoBlockWriter::WriteLiterals(std::string_view plain, std::string& out) {
  literal_counts_.fill(0);
  distance_counts_.fill(0);
  for (const char byte : plain) ++literal_counts_[static_cast<uint8_t>(byte)];
  literal_counts_[kEndOfBlock] = 1;
  CutTrailingSymbols();
  const uint64_t bits = BuildCodes();
  if (StoredBits(plain.size()) < bits + bits / 16) {
    WriteStored(plain, out);
    return;
  }
  writer_.Open(out, bits);
  PutHeader();
  for (const char byte : plain) {
    const GoHuffmanCode code = literal_codes_[static_cast<uint8_t>(byte)];
    writer_.Put(code.bits, code.length);
  }
  writer_.Put(literal_codes_[kEndOfBlock].bits, literal_codes_[kEndOfBlock].length);
  writer_.Close();
}

void GoBlockWriter::WriteStored(std::string_view plain, bool last, std::string& out) {
  writer_.Open(out, StoredBits(plain.size()) + kTypeBits);
  writer_.Put(kStored | (last ? 1 : 0), kTypeBits);
  writer_.FillByte();
  writer_.Put(plain.size(), 16);
  writer_.Put(plain.size() ^ 0xffff, 16);
  writer_.PutBytes(plain);
  writer_.Close();
}

void GoBlockWriter::CountTokens(absl::Span<const GoToken> tokens) {
  literal_counts_.fill(0);
  distance_counts_.fill(0);
  for (const GoToken token : tokens) {
    if ((token & kGoMatchBit) == 0) {
      ++literal_counts_[token];
      continue;
    }
    ++literal_counts_[kFirstLengthSymbol + kLengthSymbolOf[(token >> 16) & 0xff]];
    ++distance_counts_[DistanceSymbolOf(token & 0xffff)];
  }
  literal_counts_[kEndOfBlock] = 1;
  CutTrailingSymbols();
}

// Without any match one distance is given a code: it counts in every size.
void GoBlockWriter::CutTrailingSymbols() {
  literals_ = kLiteralSymbols;
  while (literal_counts_[literals_ - 1] == 0) --literals_;
  distances_ = kDistanceSymbols;
  while (distances_ > 0 && distance_counts_[distances_ - 1] == 0) --distances_;
  if (distances_ == 0) {
    distance_counts_[0] = 1;
    distances_ = 1;
  }
}

uint64_t GoBlockWriter::ExtraBits() const {
  uint64_t bits = 0;
  for (size_t i = 0; i < kLengthSymbols; ++i) {
    bits += uint64_t{literal_counts_[kFirstLengthSymbol + i]} * LengthExtraBits(i);
  }
  for (size_t i = 0; i < kDistanceSymbols; ++i) {
    bits += uint64_t{distance_counts_[i]} * DistanceExtraBits(i);
  }
  return bits;
}

uint64_t GoBlockWriter::BuildCodes() {
  BuildGoHuffman(literal_counts_, kMaxCodeBits, absl::MakeSpan(literal_codes_));
  BuildGoHuffman(distance_counts_, kMaxCodeBits, absl::MakeSpan(distance_codes_));
  RunCodeLengths();
  BuildGoHuffman(run_counts_, kMaxRunCodeBits, absl::MakeSpan(run_codes_));
  run_lengths_ = kCodeLengthSymbols;
  while (run_lengths_ > 4 && run_counts_[kCodeLengthOrder[run_lengths_ - 1]] == 0) --run_lengths_;

  uint64_t bits = kTypeBits + 5 + 5 + 4 + 3 * run_lengths_ + GoHuffmanBits(run_counts_, run_codes_);
  for (size_t i = kRepeatLength; i < kCodeLengthSymbols; ++i) {
    bits += uint64_t{run_counts_[i]} * kRunExtraBits[i];
  }
  return bits + GoHuffmanBits(literal_counts_, literal_codes_) +
         GoHuffmanBits(distance_counts_, distance_codes_);
}

// Both alphabets as one sequence: a run may pass from one to the other.
void GoBlockWriter::RunCodeLengths() {
  std::array<uint8_t, kLiteralSymbols + kDistanceSymbols> lengths;
  const size_t count = literals_ + distances_;
  for (size_t i = 0; i < count; ++i) {
    lengths[i] = static_cast<uint8_t>(i < literals_ ? literal_codes_[i].length
                                                    : distance_codes_[i - literals_].length);
  }
  run_count_ = 0;
  run_counts_.fill(0);
  for (size_t start = 0; start < count;) {
    size_t end = start + 1;
    while (end < count && lengths[end] == lengths[start]) ++end;
    AppendRun(lengths[start], end - start);
    start = end;
  }
}

void GoBlockWriter::AppendRun(uint8_t length, size_t count) {
  if (length != 0) {
    AppendRunSymbol(length, 0);
    --count;
    while (count >= 3) {
      const size_t part = std::min<size_t>(count, 6);
      AppendRunSymbol(kRepeatLength, part - 3);
      count -= part;
    }
  } else {
    while (count >= 11) {
      const size_t part = std::min<size_t>(count, 138);
      AppendRunSymbol(kManyZeros, part - 11);
      count -= part;
    }
    if (count >= 3) {
      AppendRunSymbol(kFewZeros, count - 3);
      count = 0;
    }
  }
  for (; count > 0; --count) AppendRunSymbol(length, 0);
}

void GoBlockWriter::AppendRunSymbol(uint8_t symbol, size_t extra) {
  runs_[run_count_++] = {symbol, static_cast<uint8_t>(extra)};
  ++run_counts_[symbol];
}

void GoBlockWriter::PutHeader() {
  writer_.Put(kDynamic, kTypeBits);
  writer_.Put(literals_ - kFirstLengthSymbol, 5);
  writer_.Put(distances_ - 1, 5);
  writer_.Put(run_lengths_ - 4, 4);
  for (size_t i = 0; i < run_lengths_; ++i) {
    writer_.Put(run_codes_[kCodeLengthOrder[i]].length, 3);
  }
  for (size_t i = 0; i < run_count_; ++i) {
    const LengthRun run = runs_[i];
    writer_.Put(run_codes_[run.symbol].bits, run_codes_[run.symbol].length);
    writer_.Put(run.extra, kRunExtraBits[run.symbol]);
  }
}

void GoBlockWriter::PutTokens(absl::Span<const GoToken> tokens, const LiteralCodes& literal_codes,
                              const DistanceCodes& distance_codes) {
  for (const GoToken token : tokens) {
    if ((token & kGoMatchBit) == 0) {
      writer_.Put(literal_codes[token].bits, literal_codes[token].length);
      continue;
    }
    const uint32_t length = (token >> 16) & 0xff;
    const size_t length_symbol = kLengthSymbolOf[length];
    const GoHuffmanCode length_code = literal_codes[kFirstLengthSymbol + length_symbol];
    uint64_t bits = length_code.bits;
    unsigned count = length_code.length;
    bits |= uint64_t{length - LengthBase(length_symbol)} << count;
    count += LengthExtraBits(length_symbol);
    const uint32_t distance = token & 0xffff;
    const size_t distance_symbol = DistanceSymbolOf(distance);
    const GoHuffmanCode distance_code = distance_codes[distance_symbol];
    bits |= uint64_t{distance_code.bits} << count;
    count += distance_code.length;
    bits |= uint64_t{distance - DistanceBase(distance_symbol)} << count;
    count += DistanceExtraBits(distance_symbol);
    writer_.Put(bits, count);  // at most 15 + 5 + 15 + 13
  }
  writer_.Put(literal_codes[kEndOfBlock].bits, literal_codes[kEndOfBlock].length);
}

}  // namespace varve
