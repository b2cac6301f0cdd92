// Level 1 of Go's compress/flate up to 1.26: one table of the last position of each hash, blocks of
// 65535 plain bytes.
//
// The table depends on all that was encoded before, so a checkpoint asks for a warm-up: so many
// blocks right before it that encoding them on an empty table ends with the same table. A second
// finder runs along to see how many that takes.
//
// Memory: 0.7 MiB whatever the stream's length (2 tables of 64 KiB, 160 KiB window, 256 KiB tokens
// and what Write appends). Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_GO_FAST_ENCODER_H_
#define VARVE_STORAGE_DEFLATE_GO_FAST_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/deflate/encoder.h"
#include "storage/deflate/go_block_writer.h"

namespace varve {

// Finds the matches of one block after the other.
class GoFastFinder {
 public:
  GoFastFinder();

  // The tokens of the block window[start, end), which is the next one; the 32 KiB before it are
  // what precedes it in the stream. The window may be read 8 bytes past the end.
  //   room      of one token for each byte
  //   returns   how many were written there
  size_t Encode(const uint8_t* window, size_t start, size_t end, GoToken* room);

  // That no further block can tell the two apart.
  bool SameReach(const GoFastFinder& other) const;

 private:
  uint32_t Exchange(uint32_t hash, size_t position) {
    const uint32_t last = table_[hash];
    table_[hash] = static_cast<uint32_t>(position + shift_);
    return last;
  }
  void Lower();

  std::vector<uint32_t> table_;  // by hash: position of the last one + shift_; 0: none
  size_t shift_;                 // from a window's places to those of the table
  size_t next_ = 0;              // the end of the last block, as the table counts
};

class GoFastEncoder : public DeflateEncoder {
 public:
  explicit GoFastEncoder(uint64_t checkpoint_interval);
  // InvalidArgument for a state that no stream has.
  static absl::StatusOr<std::unique_ptr<DeflateEncoder>> Resume(const EncoderCheckpoint& checkpoint,
                                                                std::string_view warm_up);

  void Write(std::string_view plain, std::string& deflate) override;
  void Finish(std::string& deflate) override;
  std::vector<EncoderCheckpoint> TakeCheckpoints() override;

 private:
  void WriteBlock(std::string& deflate);
  void NoteCheckpoint();

  GoFastFinder finder_;
  std::vector<uint8_t> window_;  // 32 KiB that were encoded, then those that are not
  size_t start_;                 // of the bytes not yet encoded
  size_t end_;
  std::vector<GoToken> tokens_;
  GoBlockWriter blocks_;

  const uint64_t checkpoint_interval_;
  uint64_t next_checkpoint_;  // plain bytes
  uint64_t offset_ = 0;       // plain bytes encoded
  std::vector<EncoderCheckpoint> checkpoints_;
  std::optional<GoFastFinder> warm_up_finder_;
  uint64_t warm_up_offset_ = 0;  // plain bytes; where that one started
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_GO_FAST_ENCODER_H_
