// Huffman codes as Go's compress/flate builds them up to 1.26. Threads share nothing.
#ifndef VARVE_STORAGE_DEFLATE_GO_HUFFMAN_H_
#define VARVE_STORAGE_DEFLATE_GO_HUFFMAN_H_

#include <cstdint>

#include "absl/types/span.h"

namespace varve {

struct GoHuffmanCode {
  uint16_t bits = 0;  // the first in the lowest place
  uint16_t length = 0;
};

// The code of least total length with no symbol longer than `limit` (<= 15) bits; symbols that do
// not occur get length 0. Among the codes of equal total length it is the one of package-merge
// where a pair goes before a leaf of the same weight, the rarer and then the smaller symbols
// getting the longer codes. One or two symbols get one bit each.
//
//   frequencies   at most 286, their sum below 2^22
//   codes         as many
void BuildGoHuffman(absl::Span<const uint32_t> frequencies, unsigned limit,
                    absl::Span<GoHuffmanCode> codes);

// Bits of all symbols together.
uint64_t GoHuffmanBits(absl::Span<const uint32_t> frequencies,
                       absl::Span<const GoHuffmanCode> codes);

// Numbers the codes whose lengths are set: by length, then by symbol (RFC 1951, 3.2.2).
void NumberGoHuffman(absl::Span<GoHuffmanCode> codes);

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_GO_HUFFMAN_H_
