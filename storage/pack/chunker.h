// Cuts contents into chunks where their bytes say so: an insertion moves the cuts behind it along,
// and equal stretches become equal chunks, wherever they are. Pure and deterministic, whatever the
// pieces the bytes come in. Frozen: what is stored was cut so. One thread.
//
// A gear hash of the last 64 bytes decides, at every place by those bytes alone: it is warmed up
// before the first place that may be cut, so one cut in common brings all later ones. Chunks have
// at least kMinChunkBytes, but for the last of a content, and most of that is not even read. Up to
// kAverageChunkBytes one place in 2^18 is a cut, beyond it one in 2^14 (the normalised form): sizes
// gather around the average, and next to none meets kMaxChunkBytes, a cut that the bytes do not
// explain.
//
//   16 KiB   a quarter of the average: less makes runts between cuts, more misses cuts in common.
//            Large files alone fill a pack of 256 MiB by size before its 16,384 slots are used up
//   64 KiB   a slot of 48 B costs 0.07 %. Smaller chunks find little more between versions of
//            images, whose files mostly stay or go as a whole, and make reads of more runs
//   256 KiB  four are a frame; and what damage takes away stays small
//
// A file of up to kMaxWholeFileBytes, twice the average, is one chunk: cut, it would save half of
// itself at best, and take two or three slots and runs.
#ifndef VARVE_STORAGE_PACK_CHUNKER_H_
#define VARVE_STORAGE_PACK_CHUNKER_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace varve {

inline constexpr uint64_t kMinChunkBytes = 16 * 1024;
inline constexpr uint64_t kAverageChunkBytes = 64 * 1024;
inline constexpr uint64_t kMaxChunkBytes = 256 * 1024;
inline constexpr uint64_t kMaxWholeFileBytes = 128 * 1024;

class Chunker {
 public:
  // Begins a content, with a chunk. `size_bytes` is how long it will be, at most, where that is
  // known; the end of a content ends its last chunk.
  void Begin(std::optional<uint64_t> size_bytes);

  struct Piece {
    size_t size_bytes = 0;
    bool ends_chunk = false;
  };
  // How many of `bytes`, the next ones of the content, belong to the chunk that is open: all, or
  // those up to its end. Then the next chunk is open, and begins with the rest. `bytes` is not
  // empty.
  Piece Next(std::string_view bytes);

 private:
  // Passes over bytes of the open chunk, up to `end` of it.
  void Skip(std::string_view* bytes, uint64_t end);
  // The same, hashing, up to a place whose hash is under `limit`; whether there was one.
  bool Search(std::string_view* bytes, uint64_t end, uint64_t limit);

  uint64_t chunk_bytes_ = 0;  // of the open chunk, so far
  uint64_t hash_ = 0;
  bool whole_ = false;
};

}  // namespace varve

#endif  // VARVE_STORAGE_PACK_CHUNKER_H_
