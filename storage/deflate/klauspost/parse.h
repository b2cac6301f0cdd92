// The walk of a match finder of levels 1 to 6 through a block.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_PARSE_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_PARSE_H_

#include <cstdint>

#include "storage/deflate/klauspost/match_finder.h"
#include "storage/deflate/klauspost/match_length.h"
#include "storage/deflate/klauspost/tokens.h"

namespace varve::klauspost {

struct Parse {
  Parse(const Block& block, Tokens& tokens_in)
      : bytes(block.bytes),
        base_position(block.base_position),
        end(block.end),
        limit(block.end - kMarginBytes),
        at(block.begin),
        emitted(block.begin),
        tokens(tokens_in) {}

  uint64_t Bytes(uint32_t index) const { return Load64(bytes + index); }
  uint32_t Position(uint32_t index) const { return base_position + index; }
  // From an entry of a table to `index`; huge when it is out of reach.
  uint32_t Distance(uint32_t index, uint32_t entry) const { return Position(index) - entry; }
  bool SameFour(uint32_t index, uint32_t back) const {
    return Load32(bytes + index) == Load32(bytes + index - back);
  }

  // Of a match whose first four bytes are equal: up to the end of the block, or capped at the most
  // that a token holds.
  uint32_t FullLength(uint32_t index, uint32_t back) const {
    const uint8_t* from = bytes + index + 4;
    return MatchLength(from, from - back, end - index - 4) + 4;
  }
  uint32_t CappedLength(uint32_t index, uint32_t back) const {
    const uint8_t* from = bytes + index + 4;
    const uint32_t rest = end - index - 4;
    return MatchLength(from, from - back, rest < kMaxMatchBytes - 4 ? rest : kMaxMatchBytes - 4) +
           4;
  }

  // Adds the match of `length` bytes at `at`, first made longer to its front, after the literals
  // before it. `at` moves behind it, and behind `next`; returns the length.
  uint32_t Take(uint32_t length) {
    while (at > emitted && at > distance && bytes[at - 1] == bytes[at - 1 - distance]) {
      --at;
      ++length;
    }
    tokens.AddLiterals(bytes + emitted, at - emitted);
    tokens.AddLongMatch(length, distance);
    at += length;
    emitted = at;
    if (next >= at) at = next + 1;
    return length;
  }

  // What is behind the last match.
  void Finish() {
    if (tokens.size() != 0) tokens.AddLiterals(bytes + emitted, end - emitted);
  }

  // No match starts so near to the end of a block.
  static constexpr uint32_t kMarginBytes = 11;

  const uint8_t* const bytes;
  const uint32_t base_position;
  const uint32_t end;
  const uint32_t limit;

  uint32_t at;            // where the search is, or the match found begins
  uint32_t emitted;       // up to here there are tokens
  uint32_t next = 0;      // where the search would have gone on
  uint32_t distance = 0;  // of the match found
  Tokens& tokens;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_PARSE_H_
