// The header of a block with codes of its own (RFC 1951, 3.2.7), and its size.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_DYNAMIC_HEADER_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_DYNAMIC_HEADER_H_

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "storage/deflate/klauspost/bit_writer.h"
#include "storage/deflate/klauspost/huffman_code.h"

namespace varve::klauspost {

class DynamicHeader {
 public:
  // The codes of literals (257 to kLiteralCodes of them) and of distances (1 to kDistanceCodes).
  DynamicHeader(absl::Span<const Code> literals, absl::Span<const Code> distances, TieRule ties);

  uint64_t bits() const { return bits_; }
  // Of a block that is not the stream's last.
  void Write(BitWriter& out) const;

 private:
  static constexpr size_t kLengthSymbols = 19;
  struct Run {
    uint8_t symbol;
    uint8_t extra;
  };

  void AddRuns(absl::Span<const uint8_t> lengths);
  void AddRun(uint8_t length, size_t count);
  void Add(size_t symbol, size_t extra);

  size_t literals_;
  size_t distances_;
  size_t runs_ = 0;
  std::array<Run, kLiteralCodes + kDistanceCodes> run_;
  std::array<uint32_t, kLengthSymbols> counts_{};
  std::array<Code, kLengthSymbols> codes_;
  size_t length_codes_ = kLengthSymbols;  // written, in the order of the RFC
  uint64_t bits_ = 0;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_DYNAMIC_HEADER_H_
