// The entropy stage: how a block's tokens become bits. A code is kept open from block to block
// while it fits: the end of its block is owed until another kind of block follows.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_BLOCK_WRITER_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_BLOCK_WRITER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/deflate/klauspost/bit_writer.h"
#include "storage/deflate/klauspost/dynamic_header.h"
#include "storage/deflate/klauspost/huffman_code.h"
#include "storage/deflate/klauspost/tokens.h"

namespace varve::klauspost {

// The most bytes of a stored block.
inline constexpr size_t kMaxStoredBytes = 65535;

class BlockWriter {
 public:
  // A new code is thought to cost 1 / 2^`penalty_shift` more than estimated. `flags`: flags.h.
  BlockWriter(uint64_t flags, uint32_t penalty_shift)
      : flags_(flags), penalty_shift_(penalty_shift) {}

  // In the way that seems smallest. `input` is what the tokens stand for; without it, or when it is
  // longer than kMaxStoredBytes, it cannot be stored. `closes`: no code is left open.
  void WriteTokens(Tokens& tokens, std::optional<std::string_view> input, bool closes);
  // Literals only, or stored.
  void WriteLiterals(std::string_view input, bool closes);
  void WriteStored(std::string_view input);
  // An empty stored block: what follows starts at a byte.
  void WriteSyncMarker() { WriteStored({}); }
  // The stream's last block, which is empty, up to a byte.
  void WriteEnd();

  BitWriter& out() { return out_; }

  // Bits written so far but for whole bytes, and the open code.
  void AppendState(std::string& state) const;
  // False when no AppendState wrote it. `bits` were written before.
  bool ReadState(ByteReader& state, uint64_t bits);

 private:
  struct Sizes {
    uint64_t extra_bits = 0;
    std::optional<uint64_t> stored;
  };

  bool Has(uint64_t flag) const { return (flags_ & flag) != 0; }
  TieRule ties() const;
  bool open() const { return open_header_bits_ != 0; }

  void CloseCode();
  bool OpenCodeHasAll(const Tokens& tokens) const;
  void Count(const Tokens& tokens, bool closes);
  // What the block is if it is none with a code of its own or the open one: true when written.
  bool WriteReused(Tokens& tokens, std::string_view input, bool closes, const Sizes& sizes);
  bool WriteNew(Tokens& tokens, std::string_view input, bool closes, const Sizes& sizes);
  void WriteFixed(Tokens& tokens, bool closes);
  void WriteCoded(const Tokens& tokens, absl::Span<const Code> literals,
                  absl::Span<const Code> distances);
  uint64_t FixedBits(uint64_t extra_bits) const;
  uint64_t OpenCodeBits() const;
  void Write(Code code) { out_.Write(code.bits, code.length); }

  const uint64_t flags_;
  const uint32_t penalty_shift_;
  BitWriter out_;

  // The code of the block that is open; 0 bits of header: none is.
  uint64_t open_header_bits_ = 0;
  bool open_is_literal_only_ = false;
  std::array<Code, kLiteralCodes> literals_{};
  std::array<Code, kDistanceCodes> distances_{};

  // Of the block at hand: how often each code is used, and how many codes are described.
  std::array<uint32_t, kLiteralCodes> literal_counts_{};
  std::array<uint32_t, kDistanceCodes> distance_counts_{};
  size_t literal_codes_ = 0;
  size_t distance_codes_ = 0;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_BLOCK_WRITER_H_
