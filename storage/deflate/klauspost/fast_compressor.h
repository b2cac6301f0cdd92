// Levels 1 to 6: blocks of 65535 bytes, each searched by itself in a history of at least 32 KiB.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_FAST_COMPRESSOR_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_FAST_COMPRESSOR_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "storage/deflate/klauspost/compressor.h"
#include "storage/deflate/klauspost/match_finder.h"

namespace varve::klauspost {

class FastCompressor final : public Compressor {
 public:
  FastCompressor(int level, uint64_t flags, BlockWriter& writer);

  void Begin(std::string_view dictionary) override;
  void Write(std::string_view plain) override;
  void End(bool is_stream) override;
  void NoteCheckpoints(CheckpointLog& log) override { log_ = &log; }
  bool Resume(const EncoderCheckpoint& checkpoint, ByteReader& state,
              std::string_view warm_up) override;

 private:
  static constexpr uint32_t kBlockBytes = kMaxStoredBytes;
  static constexpr uint32_t kHistoryBytes = 5 * kBlockBytes;

  void WriteBlock(bool closes, bool is_stream);
  void CompressBlock(bool closes, bool is_stream);
  void MakeRoom();
  void ForgetInTime();
  void NoteCheckpoint();
  // History that a checkpoint needs of the `history` bytes that there are.
  uint32_t WarmUpBytes(uint32_t history) const;
  static uint32_t HistoryAt(uint64_t plain_offset);
  Block CurrentBlock() const;

  const uint64_t flags_;
  const bool needs_whole_history_;
  BlockWriter& writer_;
  CheckpointLog* log_ = nullptr;
  const std::unique_ptr<MatchFinder> finder_;
  Tokens tokens_;

  uint64_t plain_offset_ = 0;                             // of the block at hand
  uint32_t base_position_ = MatchFinder::kFirstPosition;  // of the first byte of the buffer
  uint32_t forgotten_position_ = 0;                       // of the last MatchFinder::Forget
  uint32_t history_ = 0;                                  // bytes before the block at hand
  uint32_t filled_ = 0;                                   // bytes of it
  std::array<uint8_t, kHistoryBytes + kBlockBytes + sizeof(uint64_t)> buffer_;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_FAST_COMPRESSOR_H_
