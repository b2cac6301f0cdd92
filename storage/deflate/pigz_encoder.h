// The family kPigz: pigz with two threads or more, levels 1 to 9, `block_bytes` a multiple of
// 32 KiB (128 KiB unless told otherwise), without flags. Pieces of the plain bytes are compressed
// on their own by zlib, with the 32 KiB before them as dictionary, and joined at byte borders.
//
// Checkpoints are starts of pieces. Memory: 0.4 MiB. Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_PIGZ_ENCODER_H_
#define VARVE_STORAGE_DEFLATE_PIGZ_ENCODER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/deflate/encoder.h"
#include "storage/deflate/zlib_deflater.h"

namespace varve {

absl::StatusOr<std::unique_ptr<DeflateEncoder>> StartPigz(const EncoderParameters& parameters,
                                                          uint64_t checkpoint_interval);
absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumePigz(const EncoderParameters& parameters,
                                                           const EncoderCheckpoint& checkpoint,
                                                           std::string_view warm_up);

class PigzEncoder : public DeflateEncoder {
 public:
  PigzEncoder(int level, uint32_t block_bytes, uint64_t checkpoint_interval);
  // At the start of a piece that is not the first.
  PigzEncoder(int level, uint32_t block_bytes, std::string_view warm_up);

  void Write(std::string_view plain, std::string& deflate) override;
  void Finish(std::string& deflate) override;
  std::vector<EncoderCheckpoint> TakeCheckpoints() override;

 private:
  void Put(int flush, std::string& deflate);
  void EndPiece(std::string& deflate);
  void NoteCheckpoint();

  ZlibDeflater stream_;
  const uint32_t block_bytes_;
  uint32_t in_piece_ = 0;  // plain bytes of the piece that zlib was given
  std::string waiting_;    // those that it was not; at most kZlibPieceBytes
  std::string last_;       // the 32 KiB before those

  const uint64_t checkpoint_interval_;
  uint64_t next_checkpoint_;  // plain bytes
  uint64_t plain_bytes_ = 0;  // that zlib was given
  uint64_t deflate_bytes_ = 0;
  std::vector<EncoderCheckpoint> checkpoints_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_PIGZ_ENCODER_H_
