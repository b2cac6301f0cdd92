// How Go's compress/flate writes a block up to 1.26: which of the block types, which codes, which
// bits. Bounded: the room of the codes (3 KiB); the caller holds tokens and plain bytes. Not
// thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_GO_BLOCK_WRITER_H_
#define VARVE_STORAGE_DEFLATE_GO_BLOCK_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "storage/deflate/deflate_alphabet.h"
#include "storage/deflate/go_bit_writer.h"
#include "storage/deflate/go_huffman.h"

namespace varve {

// A literal byte, or a match: its length less 3 from bit 16, its distance less 1 from bit 0.
using GoToken = uint32_t;
inline constexpr GoToken kGoMatchBit = GoToken{1} << 31;
constexpr GoToken GoMatch(uint32_t length, uint32_t distance) {
  return kGoMatchBit | ((length - kMinMatchBytes) << 16) | (distance - 1);
}

// No block is the last but the one of WriteEnd.
class GoBlockWriter {
 public:
  // Goes on where `bits` of the stream were written; those of a byte not yet full are `partial`.
  explicit GoBlockWriter(uint64_t bits = 0, uint8_t partial = 0) : writer_(bits, partial) {}

  // The rule of levels 2 to 9: the smallest of dynamic, fixed and stored. Without `plain`, which is
  // when the window has lost its start, never stored.
  void WriteSmallest(absl::Span<const GoToken> tokens, std::optional<std::string_view> plain,
                     std::string& out);
  // The rules of level 1: stored unless a sixteenth is saved, counting no extra bits. As literals
  // alone when so many tokens are hardly fewer than bytes. `plain` is at most 65535 bytes.
  void WriteDynamic(absl::Span<const GoToken> tokens, std::string_view plain, std::string& out);
  void WriteLiterals(std::string_view plain, std::string& out);
  void WriteStored(std::string_view plain, std::string& out) { WriteStored(plain, false, out); }
  // The empty stored block that ends a stream.
  void WriteEnd(std::string& out) { WriteStored({}, true, out); }

  uint64_t bits() const { return writer_.bits(); }
  uint8_t partial() const { return writer_.partial(); }

 private:
  // One symbol of the run-coded code lengths, with the bits that follow it.
  struct LengthRun {
    uint8_t symbol;
    uint8_t extra;
  };
  using LiteralCodes = std::array<GoHuffmanCode, kLiteralSymbols>;
  using DistanceCodes = std::array<GoHuffmanCode, kDistanceSymbols>;

  void CountTokens(absl::Span<const GoToken> tokens);
  void CutTrailingSymbols();
  uint64_t ExtraBits() const;
  // Builds the codes and the runs of their lengths; how many bits block and header take without
  // extra bits.
  uint64_t BuildCodes();
  void RunCodeLengths();
  void AppendRun(uint8_t length, size_t count);
  void AppendRunSymbol(uint8_t symbol, size_t extra);
  void PutHeader();
  void PutTokens(absl::Span<const GoToken> tokens, const LiteralCodes& literal_codes,
                 const DistanceCodes& distance_codes);
  void WriteStored(std::string_view plain, bool last, std::string& out);

  GoBitWriter writer_;
  std::array<uint32_t, kLiteralSymbols> literal_counts_;
  std::array<uint32_t, kDistanceSymbols> distance_counts_;
  size_t literals_ = 0;   // HLIT
  size_t distances_ = 0;  // HDIST
  LiteralCodes literal_codes_;
  DistanceCodes distance_codes_;
  std::array<LengthRun, kLiteralSymbols + kDistanceSymbols> runs_;
  size_t run_count_ = 0;
  std::array<uint32_t, kCodeLengthSymbols> run_counts_;
  std::array<GoHuffmanCode, kCodeLengthSymbols> run_codes_;
  size_t run_lengths_ = 0;  // HCLEN
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_GO_BLOCK_WRITER_H_
