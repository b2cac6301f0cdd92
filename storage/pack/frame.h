// Frames: consecutive chunks, compressed together, as a pack stores them.
//
//   u8   version
//   u8   form: 0 the chunks as they are, 1 one zstd frame of them
//   u32  bytes of the chunks
//   u32  bytes stored
//   the stored bytes
//   u64  XXH3 of all before it
//
// Numbers are big-endian. The checksum is looked at before anything is decoded: a damaged frame
// never reaches the decoder. Where a chunk lies in its frame is the pack's to know.
#ifndef VARVE_STORAGE_PACK_FRAME_H_
#define VARVE_STORAGE_PACK_FRAME_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/limits.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace varve {

// Of the chunks in a frame. Layers take 0.80 to 0.90 of gzip so, and 0.98 to 1.01 in frames of
// 256 KiB; to read a chunk, some 1.5 ms of decoding.
inline constexpr size_t kMaxFrameBytes = kMiB;
// What a frame has beside the stored bytes.
inline constexpr size_t kFrameOverheadBytes = 2 + 2 * sizeof(uint32_t) + sizeof(uint64_t);

// Fills one frame after the other. One thread. Memory: the chunks of a frame, and at level 9 some
// 8 MiB of zstd's.
class FrameWriter {
 public:
  // A level of zstd.
  explicit FrameWriter(int level) : level_(level) {}

  // Whether so many bytes more fit. One chunk always fits an empty frame: at most kMaxChunkBytes.
  bool Fits(size_t chunk_bytes) const { return chunks_.size() + chunk_bytes <= kMaxFrameBytes; }
  // Adds a chunk, which must fit and not be empty; where it begins among the chunks of the frame.
  uint32_t Add(std::string_view chunk);
  bool empty() const { return chunks_.empty(); }

  // The frame of what was added since the last one, at least one chunk: compressed, or as it is
  // where that saves less than a 32nd. ResourceExhausted when there is no memory.
  absl::StatusOr<std::string> Finish();

 private:
  struct FreeEncoder {
    void operator()(ZSTD_CCtx_s* encoder) const;
  };
  // The compressed chunks; empty when they are not worth it.
  absl::StatusOr<std::string> Compress();

  const int level_;
  std::string chunks_;
  std::unique_ptr<ZSTD_CCtx_s, FreeEncoder> encoder_;
};

// Reads frames. One thread. Memory: the chunks of a frame, and 160 KiB of zstd's.
class FrameReader {
 public:
  // The chunks of `frame`, one after the other; valid until the next call and as long as `frame`
  // is. DataLoss when that is not exactly a frame, FailedPrecondition for a version or form that
  // this build does not know, ResourceExhausted when there is no memory.
  absl::StatusOr<std::string_view> Read(std::string_view frame);

 private:
  struct FreeDecoder {
    void operator()(ZSTD_DCtx_s* decoder) const;
  };
  absl::Status Decompress(std::string_view stored);

  std::string chunks_;
  std::unique_ptr<ZSTD_DCtx_s, FreeDecoder> decoder_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_PACK_FRAME_H_
