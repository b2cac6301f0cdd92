// Where an encoder notes its checkpoints.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_CHECKPOINT_LOG_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_CHECKPOINT_LOG_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "storage/deflate/encoder.h"

namespace varve::klauspost {

class CheckpointLog {
 public:
  // 0: none is ever due.
  explicit CheckpointLog(uint64_t interval) : interval_(interval), due_(interval) {}

  bool Due(uint64_t plain_offset) const { return interval_ != 0 && plain_offset >= due_; }
  void Note(EncoderCheckpoint checkpoint) {
    due_ = (checkpoint.plain_offset / interval_ + 1) * interval_;
    checkpoints_.push_back(std::move(checkpoint));
  }
  std::vector<EncoderCheckpoint> Take() { return std::exchange(checkpoints_, {}); }

 private:
  const uint64_t interval_;
  uint64_t due_;
  std::vector<EncoderCheckpoint> checkpoints_;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_CHECKPOINT_LOG_H_
