// Levels 4 to 9 of Go's compress/flate up to 1.26: chains of equal hashes, one position of lazy
// evaluation, blocks of 16384 tokens.
//
// Memory: 1 MiB whatever the stream's length (512 KiB heads, 64 KiB chains, 256 KiB window, 64 KiB
// tokens and what Write appends). Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_GO_CHAIN_ENCODER_H_
#define VARVE_STORAGE_DEFLATE_GO_CHAIN_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/deflate/encoder.h"
#include "storage/deflate/go_block_writer.h"

namespace varve {

class GoChainEncoder : public DeflateEncoder {
 public:
  // `level` is 4 to 9.
  GoChainEncoder(int level, uint64_t checkpoint_interval);
  // InvalidArgument for a state that no stream has.
  static absl::StatusOr<std::unique_ptr<DeflateEncoder>> Resume(int level,
                                                                const EncoderCheckpoint& checkpoint,
                                                                std::string_view warm_up);

  void Write(std::string_view plain, std::string& deflate) override;
  void Finish(std::string& deflate) override;
  std::vector<EncoderCheckpoint> TakeCheckpoints() override;

 private:
  struct Effort {
    uint32_t lazy;   // matches as long as this are not tried to be beaten
    uint32_t nice;   // matches as long as this end a search
    uint32_t chain;  // candidates of a search
  };
  struct Match {
    uint32_t length;    // 3: none
    uint32_t distance;  // 0: none
  };
  struct State;

  static Effort EffortOf(int level);

  // All positions below are places of window_, whose first byte is at a multiple of 32768 of the
  // stream.
  void Run(bool last, std::string& deflate);
  void Step(bool last, std::string& deflate);
  // From the candidate `distance` before index_ on, to `reach` before it; none when no match is
  // longer than `longer_than`, which is at least 3 and less than `lookahead`.
  Match Search(uint32_t distance, uint32_t reach, uint32_t longer_than, uint32_t lookahead) const;
  // Makes the position the head of its chain; how far before it the last one with the same hash is,
  // or a distance beyond all reach.
  uint32_t Insert(size_t position);
  void InsertWarmUp(size_t insertable_end);
  void MoveBase();
  void DropOldBytes();
  void LowerHeads();
  void WriteBlock(std::string& deflate);
  void NoteCheckpoint();

  const Effort effort_;
  const uint64_t checkpoint_interval_;
  uint64_t next_checkpoint_;  // plain bytes
  std::vector<EncoderCheckpoint> checkpoints_;
  bool at_block_end_ = false;

  // The bytes from `base_` on can be matched, and those from `block_start_` on are not yet written.
  std::vector<uint8_t> window_;
  uint64_t window_offset_ = 0;  // of the stream, of the first byte of window_
  size_t end_ = 0;              // of the bytes in window_
  size_t index_ = 0;            // the next position to search
  size_t base_ = 0;
  size_t block_start_ = 0;
  bool block_start_lost_ = false;  // the window moved past the block's start

  size_t warm_up_start_ = 0;  // positions from here to index_ are still to be inserted
  bool warm_ = true;
  bool pending_ = false;  // the byte before index_ is in no token yet
  Match previous_{kMinMatchBytes, 0};

  std::vector<uint32_t> heads_;   // by hash: position + head_shift_ of the last one; 0: none
  size_t head_shift_;             // a multiple of 32768, never 0
  std::vector<uint16_t> chains_;  // by position: how far before it the last of its hash is
  std::vector<GoToken> tokens_;
  GoBlockWriter blocks_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_GO_CHAIN_ENCODER_H_
