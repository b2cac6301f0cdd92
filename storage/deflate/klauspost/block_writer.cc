#include "storage/deflate/klauspost/block_writer.h"

#include <algorithm>

#include "storage/deflate/klauspost/flags.h"
#include "storage/deflate/klauspost/size_estimate.h"

namespace varve::klauspost {
namespace {

// Below so many tokens the fixed code is tried.
constexpr size_t kMaxFixedTokens = 250;
constexpr uint64_t kGuessedHeaderBits = 70 * 8;
// Shorter input is not looked at for being noise.
constexpr size_t kMinNoiseBytes = 1024 + 1;
constexpr size_t kLiteralOnlyCodes = kEndOfBlock + 1;

struct FixedCodes {
  std::array<Code, 288> literals;
  std::array<Code, kDistanceCodes> distances;
};

FixedCodes MakeFixedCodes() {
  FixedCodes made;
  std::array<uint8_t, 288> lengths;
  for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    lengths[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
  }
  AssignCodes(lengths, absl::MakeSpan(made.literals));
  std::array<uint8_t, kDistanceCodes> five;
  five.fill(5);
  AssignCodes(five, absl::MakeSpan(made.distances));
  return made;
}

const FixedCodes& Fixed() {
  static const FixedCodes made = MakeFixedCodes();
  return made;
}

std::optional<uint64_t> StoredBits(std::optional<std::string_view> input) {
  if (!input.has_value() || input->size() > kMaxStoredBytes) return std::nullopt;
  return (input->size() + 5) * 8;
}

bool StoredIsNoLarger(std::optional<uint64_t> stored, uint64_t bits) {
  return stored.has_value() && *stored <= bits;
}

uint64_t CodedBits(absl::Span<const uint32_t> counts, absl::Span<const Code> codes) {
  uint64_t bits = 0;
  for (size_t i = 0; i < counts.size(); ++i) bits += uint64_t{counts[i]} * codes[i].length;
  return bits;
}

bool AllHaveCodes(absl::Span<const uint32_t> counts, absl::Span<const Code> codes) {
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0 && codes[i].length == 0) return false;
  }
  return true;
}

uint64_t ExtraBits(absl::Span<const uint32_t> literal_counts,
                   absl::Span<const uint32_t> distance_counts) {
  uint64_t bits = 0;
  for (size_t code = 0; code < kLengthExtraBits.size(); ++code) {
    bits += uint64_t{literal_counts[kEndOfBlock + 1 + code]} * kLengthExtraBits[code];
  }
  for (size_t code = 0; code < kDistanceCodes; ++code) {
    bits += uint64_t{distance_counts[code]} * kDistanceExtraBits[code];
  }
  return bits;
}

// Whether the bytes are spread so evenly that no code makes them smaller: the sum of the squared
// deviations from `size` / 256 is below 2 * `size`. In units of 1 / 256^2, which makes it exact.
bool IsNoise(absl::Span<const uint32_t> counts, size_t size) {
  uint64_t sum = 0;
  for (const uint32_t count : counts) {
    const int64_t deviation = int64_t{count} * 256 - static_cast<int64_t>(size);
    sum += static_cast<uint64_t>(deviation * deviation);
  }
  return sum < uint64_t{2} * size * 256 * 256;
}

}  // namespace

TieRule BlockWriter::ties() const {
  return Has(kLeafFirst) ? TieRule::kLeafFirst : TieRule::kPairFirst;
}

void BlockWriter::WriteTokens(Tokens& tokens, std::optional<std::string_view> input, bool closes) {
  if (closes) tokens.AddEndOfBlock();
  if (open() && (open_is_literal_only_ || !OpenCodeHasAll(tokens))) CloseCode();
  Count(tokens, closes);
  Sizes sizes{.stored = StoredBits(input)};
  if (sizes.stored.has_value() || open()) {
    sizes.extra_bits = ExtraBits(literal_counts_, distance_counts_);
  }
  const std::string_view bytes = input.value_or(std::string_view());
  if (open() && WriteReused(tokens, bytes, closes, sizes)) return;
  if (!open() && WriteNew(tokens, bytes, closes, sizes)) return;
  if (closes) open_header_bits_ = 0;
  WriteCoded(tokens, literals_, distances_);
}

// How often each code would be used, and how many of them a header describes.
void BlockWriter::Count(const Tokens& tokens, bool closes) {
  literal_counts_ = tokens.literal_counts();
  distance_counts_ = tokens.distance_counts();
  if (Has(kEndOfBlockCounts)) literal_counts_[kEndOfBlock] = 1;
  literal_codes_ = kLiteralCodes;
  distance_codes_ = kDistanceCodes;
  if (!closes && !Has(kTrimmedHeaders)) return;
  while (literal_codes_ > kEndOfBlock + 1 && literal_counts_[literal_codes_ - 1] == 0) {
    --literal_codes_;
  }
  while (distance_codes_ > 1 && distance_counts_[distance_codes_ - 1] == 0) --distance_codes_;
  // A code of distances has one at least.
  if (distance_codes_ == 1 && distance_counts_[0] == 0) distance_counts_[0] = 1;
}

// Goes on with the open code unless a new one seems smaller, which closes it.
bool BlockWriter::WriteReused(Tokens& tokens, std::string_view input, bool closes,
                              const Sizes& sizes) {
  const uint64_t estimate = open_header_bits_ + EstimateBits(tokens, Has(kFusedEstimate));
  const uint64_t renewed = estimate + literals_[kEndOfBlock].length + (estimate >> penalty_shift_);
  uint64_t bits = OpenCodeBits() + sizes.extra_bits;
  if (renewed < bits) {
    CloseCode();
    bits = renewed;
  }
  constexpr uint64_t kOwedEndBits = 7;
  if (tokens.size() < kMaxFixedTokens && FixedBits(sizes.extra_bits) + kOwedEndBits < bits) {
    if (StoredIsNoLarger(sizes.stored, bits)) {
      WriteStored(input);
    } else {
      WriteFixed(tokens, closes);
    }
    return true;
  }
  if (!StoredIsNoLarger(sizes.stored, bits)) return false;
  WriteStored(input);
  return true;
}

bool BlockWriter::WriteNew(Tokens& tokens, std::string_view input, bool closes,
                           const Sizes& sizes) {
  literal_counts_[kEndOfBlock] = 1;
  BuildCodes(literal_counts_, kMaxCodeBits, ties(), absl::MakeSpan(literals_));
  BuildCodes(distance_counts_, kMaxCodeBits, ties(), absl::MakeSpan(distances_));
  const DynamicHeader header(absl::MakeConstSpan(literals_).subspan(0, literal_codes_),
                             absl::MakeConstSpan(distances_).subspan(0, distance_codes_), ties());
  const uint64_t bits = header.bits() + OpenCodeBits() + sizes.extra_bits;
  if (tokens.size() < kMaxFixedTokens) {
    const uint64_t fixed_bits = FixedBits(sizes.extra_bits);
    if (fixed_bits <= bits) {
      if (StoredIsNoLarger(sizes.stored, fixed_bits)) {
        WriteStored(input);
      } else {
        WriteFixed(tokens, closes);
      }
      return true;
    }
  }
  if (StoredIsNoLarger(sizes.stored, bits)) {
    WriteStored(input);
    return true;
  }
  header.Write(out_);
  open_header_bits_ = header.bits();
  open_is_literal_only_ = false;
  return false;
}

void BlockWriter::WriteLiterals(std::string_view input, bool closes) {
  literal_counts_.fill(0);
  for (const char byte : input) ++literal_counts_[static_cast<uint8_t>(byte)];
  const auto byte_counts = absl::MakeConstSpan(literal_counts_).subspan(0, kEndOfBlock);
  const auto counts = absl::MakeConstSpan(literal_counts_).subspan(0, kLiteralOnlyCodes);
  if (input.size() >= kMinNoiseBytes && IsNoise(byte_counts, input.size())) {
    WriteStored(input);
    return;
  }
  literal_counts_[kEndOfBlock] = 1;
  std::array<Code, kLiteralCodes> own;
  BuildCodes(counts, kMaxCodeBits, ties(), absl::MakeSpan(own));
  uint64_t bits = CodedBits(counts, own) + (open() ? open_header_bits_ : kGuessedHeaderBits);
  bits += bits >> penalty_shift_;
  if (StoredIsNoLarger(StoredBits(input), bits)) {
    WriteStored(input);
    return;
  }
  if (open() &&
      (!AllHaveCodes(byte_counts, literals_) || bits < CodedBits(byte_counts, literals_))) {
    CloseCode();
  }
  if (!open()) {
    literals_ = own;
    distances_ = {};
    distances_[0].length = 1;
    const DynamicHeader header(absl::MakeConstSpan(literals_).subspan(0, kLiteralOnlyCodes),
                               absl::MakeConstSpan(distances_).subspan(0, 1), ties());
    header.Write(out_);
    open_header_bits_ = header.bits();
    open_is_literal_only_ = true;
  }
  for (const char byte : input) Write(literals_[static_cast<uint8_t>(byte)]);
  if (closes) CloseCode();
}

void BlockWriter::WriteStored(std::string_view input) {
  if (open()) CloseCode();
  out_.Write(0, 3);
  out_.PadToByte();
  const uint64_t size = input.size();
  out_.Write(size | ((size ^ 0xffff) << 16), 32);
  out_.WriteBytes(input);
}

void BlockWriter::WriteEnd() {
  if (open()) CloseCode();
  constexpr uint32_t kFixedFinalBlock = 1 | (1 << 1);
  out_.Write(kFixedFinalBlock, 3);
  Write(Fixed().literals[kEndOfBlock]);
  out_.PadToByte();
}

void BlockWriter::WriteFixed(Tokens& tokens, bool closes) {
  if (open()) CloseCode();
  constexpr uint32_t kFixedBlock = 1 << 1;
  out_.Write(kFixedBlock, 3);
  if (!closes) tokens.AddEndOfBlock();
  WriteCoded(tokens, Fixed().literals, Fixed().distances);
}

void BlockWriter::WriteCoded(const Tokens& tokens, absl::Span<const Code> literals,
                             absl::Span<const Code> distances) {
  BitWriter::Burst out(out_);
  for (const Token token : tokens) {
    if (token < kMatchToken) {
      const Code code = literals[token];
      out.Write(code.bits, code.length);
      continue;
    }
    // Code and extra bits of the length, then of the distance: at most 48 bits.
    const uint32_t length = (token >> 15) & 0xff;
    const uint32_t length_code = kMatchCodes.length_code[length];
    const Code first = literals[kEndOfBlock + 1 + length_code];
    uint64_t bits = first.bits;
    uint32_t count = first.length;
    bits |= uint64_t{length - kMatchCodes.length_base[length_code]} << count;
    count += kLengthExtraBits[length_code];
    const uint32_t distance = token & 0x7fff;
    const uint32_t distance_code = (token >> 23) & 0x1f;
    const Code second = distances[distance_code];
    bits |= uint64_t{second.bits} << count;
    count += second.length;
    bits |= uint64_t{distance - kMatchCodes.distance_base[distance_code]} << count;
    count += kDistanceExtraBits[distance_code];
    out.Write(bits, count);
  }
}

void BlockWriter::CloseCode() {
  Write(literals_[kEndOfBlock]);
  open_header_bits_ = 0;
  open_is_literal_only_ = false;
}

bool BlockWriter::OpenCodeHasAll(const Tokens& tokens) const {
  return AllHaveCodes(tokens.literal_counts(), literals_) &&
         AllHaveCodes(tokens.distance_counts(), distances_);
}

uint64_t BlockWriter::FixedBits(uint64_t extra_bits) const {
  return 3 + CodedBits(literal_counts_, Fixed().literals) +
         CodedBits(distance_counts_, Fixed().distances) + extra_bits;
}

uint64_t BlockWriter::OpenCodeBits() const {
  return CodedBits(literal_counts_, literals_) + CodedBits(distance_counts_, distances_);
}

}  // namespace varve::klauspost
