// Length-limited Huffman codes with the producer's choice among equally good ones.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_HUFFMAN_CODE_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_HUFFMAN_CODE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace varve::klauspost {

inline constexpr size_t kLiteralCodes = 286;  // literals, end of block, match lengths
inline constexpr size_t kDistanceCodes = 30;
inline constexpr size_t kEndOfBlock = 256;
inline constexpr int kMaxCodeBits = 15;

// Of a symbol: what is written for it. A length of 0: the symbol has no code.
struct Code {
  uint16_t bits = 0;  // the first bit lowest
  uint16_t length = 0;
};

enum class TieRule { kPairFirst, kLeafFirst };

// Code lengths of at most `limit` bits for the symbols that `counts` has, 0 for the others;
// `lengths` is as long as `counts`, at most kLiteralCodes. One or two symbols get a bit each.
void BuildLengths(absl::Span<const uint32_t> counts, int limit, TieRule ties,
                  absl::Span<uint8_t> lengths);

// The canonical code of these lengths.
void AssignCodes(absl::Span<const uint8_t> lengths, absl::Span<Code> codes);

// BuildLengths and AssignCodes; `codes` may be longer than `counts`, the rest gets no code.
void BuildCodes(absl::Span<const uint32_t> counts, int limit, TieRule ties, absl::Span<Code> codes);

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_HUFFMAN_CODE_H_
