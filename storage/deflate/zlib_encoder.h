// The family kZlib: zlib itself, as one stream, levels 1 to 9, without flags. The streams are those
// of zlib 1.2.13; with a library that writes others there are none (CheckZlib).
//
// Checkpoints are ends of deflate blocks at levels 4 to 9. There zlib inserts every position into
// its tables, so that a stream with the last 32 KiB as its dictionary goes on as the old one: but
// for a rare search that the old one cut short. So each is tried first: a second stream is started
// there and runs along until a whole block of both is equal. Levels 1 to 3 skip positions, which
// ones depends on all that was before: they have no checkpoints.
//
// Memory: 0.4 MiB; with checkpoints 1.2 MiB, and at most 9 MiB more while blocks hold little but
// repetitions (a block may stand for 4 MiB). Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_ZLIB_ENCODER_H_
#define VARVE_STORAGE_DEFLATE_ZLIB_ENCODER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/deflate/block_boundaries.h"
#include "storage/deflate/encoder.h"
#include "storage/deflate/zlib_deflater.h"

namespace varve {

absl::StatusOr<std::unique_ptr<DeflateEncoder>> StartZlib(const EncoderParameters& parameters,
                                                          uint64_t checkpoint_interval);
absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeZlib(const EncoderParameters& parameters,
                                                           const EncoderCheckpoint& checkpoint,
                                                           std::string_view warm_up);

// Notes the ends of blocks from which a stream of zlib can be gone on with.
class ZlibCheckpoints {
 public:
  // `level` is 4 to 9, `interval` not 0.
  ZlibCheckpoints(int level, uint64_t interval);

  // What was given to zlib, in its pieces, and all that came out for it.
  void Add(std::string_view plain, std::string_view deflate);
  std::vector<EncoderCheckpoint> Take();

 private:
  // A checkpoint that is being tried.
  struct Trial {
    Trial(int level, const BlockBoundary& at) : start(at), stream(level) {}

    BlockBoundary start;
    ZlibDeflater stream;
    uint64_t fed = 0;      // plain bytes
    std::string expected;  // what the stream wrote from the first whole byte after `start` on,
    std::string got;       // and this one from the byte of `start` on
  };

  void AtBoundary(const BlockBoundary& boundary);
  void StartTrial(const BlockBoundary& boundary);
  void FeedTrial();
  void JudgeTrial(const BlockBoundary& boundary);

  const int level_;
  const uint64_t interval_;
  uint64_t next_;  // plain bytes
  BlockBoundaries boundaries_;
  std::string history_;  // the plain bytes from 32 KiB before the last boundary on
  uint64_t history_offset_ = 0;
  std::string_view fresh_;  // what Add was given, not yet looked at by boundaries_
  std::unique_ptr<Trial> trial_;
  std::vector<EncoderCheckpoint> checkpoints_;
};

class ZlibEncoder : public DeflateEncoder {
 public:
  ZlibEncoder(int level, uint64_t checkpoint_interval);
  // Goes on after `warm_up`, with the bits of a byte that is not yet full.
  ZlibEncoder(int level, std::string_view warm_up, int count, int bits);

  void Write(std::string_view plain, std::string& deflate) override;
  void Finish(std::string& deflate) override;
  std::vector<EncoderCheckpoint> TakeCheckpoints() override;

 private:
  void Put(int flush, std::string& deflate);

  ZlibDeflater stream_;
  std::string piece_;
  std::optional<ZlibCheckpoints> checkpoints_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_ZLIB_ENCODER_H_
