// Match finders of levels 1 to 6: which bytes of a block repeat earlier ones. Each level looks up
// a few hashes of what is next, steps faster the longer nothing is found, and inserts only some of
// the positions that it passes; which ones decides what is found later, so every insertion counts.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_MATCH_FINDER_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_MATCH_FINDER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "storage/base/bytes.h"
#include "storage/deflate/klauspost/tokens.h"

namespace varve::klauspost {

// A block in the history buffer. `bytes` are readable up to `end` and 8 more.
struct Block {
  const uint8_t* bytes;    // the history; matches reach back to its first byte at most
  uint32_t base_position;  // of that byte in the stream, modulo 2^32
  uint32_t begin;
  uint32_t end;
};

class MatchFinder {
 public:
  // No entry of an empty table is within reach of this position or of one after it.
  static constexpr uint32_t kFirstPosition = 2 * kMaxDistance;
  // A shorter block has no matches.
  static constexpr uint32_t kMinBlockBytes = 13;
  // Positions are modulo 2^32: Forget is called at least once in so many bytes.
  static constexpr uint32_t kMaxForgetBytes = uint32_t{1} << 30;

  virtual ~MatchFinder() = default;

  // Adds the tokens of a block; none at all when it has no match.
  virtual void Find(const Block& block, Tokens& tokens) = 0;

  // Makes the entries that cannot be reached from `position` look as old as others that cannot.
  virtual void Forget(uint32_t position) = 0;

  // What can be reached from the begin of the block, in at most 16 KiB; ReadState wants the same
  // bytes before the block, and an empty table. False when no AppendState wrote it.
  virtual void AppendState(const Block& block, std::string& state) const = 0;
  virtual bool ReadState(const Block& block, ByteReader& state) = 0;
};

// `level`: 1 to 6. `flags`: flags.h.
std::unique_ptr<MatchFinder> NewMatchFinder(int level, uint64_t flags);

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_MATCH_FINDER_H_
