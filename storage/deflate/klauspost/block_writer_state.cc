// The entropy stage in a checkpoint: the bits of the byte that is not full, and the open code as
// its code lengths.
#include <array>

#include "storage/deflate/klauspost/block_writer.h"

namespace varve::klauspost {
namespace {

constexpr uint8_t kStateVersion = 1;

enum OpenCode : uint8_t { kNone = 0, kOfTokens = 1, kOfLiterals = 2 };

constexpr size_t kLengths = kLiteralCodes + kDistanceCodes;
static_assert(kLengths % 2 == 0, "two lengths go into a byte");

// Whether a prefix code can have these lengths.
bool FormACode(absl::Span<const uint8_t> lengths) {
  uint32_t used = 0;  // of 2^kMaxCodeBits code words
  for (const uint8_t length : lengths) {
    if (length != 0) used += 1u << (kMaxCodeBits - length);
  }
  return used <= 1u << kMaxCodeBits;
}

}  // namespace

void BlockWriter::AppendState(std::string& state) const {
  AppendU8(&state, kStateVersion);
  AppendU8(&state, out_.pending());
  AppendU8(&state, !open() ? kNone : open_is_literal_only_ ? kOfLiterals : kOfTokens);
  if (!open()) return;
  AppendU32(&state, static_cast<uint32_t>(open_header_bits_));
  std::array<uint8_t, kLengths> lengths;
  size_t size = 0;
  for (const Code& code : literals_) lengths[size++] = static_cast<uint8_t>(code.length);
  for (const Code& code : distances_) lengths[size++] = static_cast<uint8_t>(code.length);
  for (size_t i = 0; i < kLengths; i += 2) {
    AppendU8(&state, static_cast<uint8_t>(lengths[i] << 4 | lengths[i + 1]));
  }
}

bool BlockWriter::ReadState(ByteReader& state, uint64_t bits) {
  const uint8_t version = state.U8();
  const uint8_t pending = state.U8();
  const uint8_t open = state.U8();
  if (!state.ok() || version != kStateVersion || (pending >> (bits % 8)) != 0 || open > kOfLiterals)
    return false;
  out_.Resume(bits, pending);
  if (open == kNone) return true;
  open_header_bits_ = state.U32();
  open_is_literal_only_ = open == kOfLiterals;
  std::array<uint8_t, kLengths> lengths;
  for (size_t i = 0; i < kLengths; i += 2) {
    const uint8_t two = state.U8();
    lengths[i] = two >> 4;
    lengths[i + 1] = two & 0xf;
  }
  const auto literals = absl::MakeConstSpan(lengths).subspan(0, kLiteralCodes);
  const auto distances = absl::MakeConstSpan(lengths).subspan(kLiteralCodes);
  constexpr uint64_t kMaxHeaderBits = UINT16_MAX;
  if (!state.ok() || open_header_bits_ == 0 || open_header_bits_ > kMaxHeaderBits ||
      literals[kEndOfBlock] == 0 || !FormACode(literals) || !FormACode(distances)) {
    return false;
  }
  AssignCodes(literals, absl::MakeSpan(literals_));
  AssignCodes(distances, absl::MakeSpan(distances_));
  return true;
}

}  // namespace varve::klauspost
