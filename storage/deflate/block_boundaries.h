// Where the blocks of a raw deflate stream end, found by inflating it. For streams of this program:
// what zlib itself has just written. 44 KiB of memory. Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_BLOCK_BOUNDARIES_H_
#define VARVE_STORAGE_DEFLATE_BLOCK_BOUNDARIES_H_

#include <zlib.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace varve {

struct BlockBoundary {
  uint64_t plain_offset = 0;
  uint64_t deflate_bits = 0;
  uint8_t partial = 0;  // the bits of a byte that the block does not fill
};

class BlockBoundaries {
 public:
  BlockBoundaries();
  ~BlockBoundaries();
  BlockBoundaries(const BlockBoundaries&) = delete;
  BlockBoundaries& operator=(const BlockBoundaries&) = delete;

  // Takes bytes from the front of `deflate` until a block has ended in them; nothing when all were
  // taken before that. The end of the stream is no boundary.
  std::optional<BlockBoundary> Next(std::string_view& deflate);

 private:
  z_stream stream_{};
  uint64_t plain_bytes_ = 0;
  uint64_t deflate_bytes_ = 0;
  uint8_t last_byte_ = 0;
  std::vector<Bytef> plain_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_BLOCK_BOUNDARIES_H_
