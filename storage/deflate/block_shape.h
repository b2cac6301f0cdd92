// What the blocks at the start of a raw deflate stream are like, for telling its producer. The
// stream is not trusted, and not inflated either: its symbols are counted. Threads share nothing.
#ifndef VARVE_STORAGE_DEFLATE_BLOCK_SHAPE_H_
#define VARVE_STORAGE_DEFLATE_BLOCK_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace varve {

enum class BlockType : uint8_t { kStored = 0, kFixed = 1, kDynamic = 2 };

struct BlockShape {
  BlockType type = BlockType::kStored;
  bool last = false;
  uint64_t first_bit = 0;  // of the stream
  uint64_t end_bit = 0;    // the first one after the block
  uint64_t plain_bytes = 0;
  uint64_t tokens = 0;            // literals and matches; 0 when stored
  uint64_t matches = 0;           // those of them that are matches
  uint32_t literal_symbols = 0;   // HLIT: 257 to 286; 0 unless dynamic
  uint32_t distance_symbols = 0;  // HDIST: 1 to 30; 0 unless dynamic
  uint32_t shortest_match = 0;    // bytes; 0: no match
  uint32_t longest_distance = 0;  // bytes; 0: no match
};

// The blocks that are whole in `deflate`, the start of a stream, at most `max_blocks`. Ends before
// the first one that is not, or that no deflate stream has. Reads a bit at a time: some 20 MB/s.
std::vector<BlockShape> ReadBlockShapes(std::string_view deflate, size_t max_blocks);

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_BLOCK_SHAPE_H_
