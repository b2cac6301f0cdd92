// Levels 7 to 9: hash chains in a window of 64 KiB, and a match that is only taken when the next
// byte has no better one. Every position is inserted, so that the chains are those of the last
// 32 KiB whatever was found before.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_LAZY_COMPRESSOR_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_LAZY_COMPRESSOR_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/deflate/klauspost/compressor.h"
#include "storage/deflate/klauspost/hash_table.h"
#include "storage/deflate/klauspost/match_length.h"

namespace varve::klauspost {

class LazyCompressor final : public Compressor {
 public:
  LazyCompressor(int level, uint64_t flags, BlockWriter& writer);

  void Begin(std::string_view dictionary) override;
  void Write(std::string_view plain) override;
  void End(bool is_stream) override;
  void NoteCheckpoints(CheckpointLog& log) override { log_ = &log; }
  bool Resume(const EncoderCheckpoint& checkpoint, ByteReader& state,
              std::string_view warm_up) override;

 private:
  static constexpr uint32_t kWindowBytes = 2 * kMaxDistance;
  static constexpr uint32_t kBlockTokens = 32768;
  static constexpr uint32_t kMinLength = 4;
  static constexpr uint32_t kNoLength = kMinLength - 1;
  // A step of the search ends with less ahead, unless it is the last.
  static constexpr uint32_t kLookahead = kMinLength + kMaxMatchBytes;

  struct Effort {
    uint32_t lazy;   // from this length on the next byte is not searched
    uint32_t nice;   // such a match ends a search
    uint32_t chain;  // candidates of a search
    bool weighs_literals;
  };
  struct Match {
    uint32_t length = kNoLength;
    uint32_t distance = 0;
  };

  static Effort EffortOf(int level);

  void Restart();
  void MoveWindow();
  void Step(bool is_last);
  void FillChains();
  void Advance(uint32_t lookahead);
  Match Search(int32_t candidate, uint32_t lookahead) const;
  int64_t Gain(uint32_t length, uint32_t distance) const;
  void WeighLiterals();
  void TakePrevious(Match previous, uint32_t lookahead);
  // A longer match at the end of `previous`; what it leaves of that's front becomes literals.
  Match LookAtEnd(Match previous, uint32_t lookahead);
  void EmitPending();
  void AddLiteralBefore(uint32_t index);
  void EndFullBlock();
  void WriteBlock();
  uint32_t Head(uint32_t index) { return Hash4<17>(Load32(&window_[index])); }
  void Insert(uint32_t index);
  void InsertCurrent();
  int32_t Index(uint32_t position) const { return static_cast<int32_t>(position - base_position_); }
  int32_t Reach() const {
    return index_ < kMaxDistance ? 0 : static_cast<int32_t>(index_ - kMaxDistance);
  }
  void NoteCheckpoint();

  const uint64_t flags_;
  const Effort effort_;
  BlockWriter& writer_;
  CheckpointLog* log_ = nullptr;

  uint64_t plain_offset_ = 0;                             // of the first byte of the window
  uint32_t base_position_ = MatchFinder::kFirstPosition;  // the same for the tables, modulo 2^32
  uint32_t forgotten_position_ = 0;

  // Indexes of the window.
  uint32_t end_ = 0;                         // of what is filled
  uint32_t index_ = 0;                       // of the search
  uint32_t insert_end_ = 0;                  // positions from here on have too few bytes for a hash
  std::optional<uint32_t> block_begin_ = 0;  // unless it left the window
  uint32_t step_begin_ = 0;                  // where the step of the search began
  bool goes_on_in_step_ = false;             // of the encoder whose checkpoint it was
  bool closes_ = false;                      // the step is the last

  Match match_;               // the one found last, not taken yet
  bool is_pending_ = false;   // the byte before `index_` has no token yet
  uint16_t literal_run_ = 0;  // literals since the last match
  uint32_t chain_head_ = 0;   // position with the hash of the last one inserted by itself

  HashTable<uint32_t, 17> heads_;
  std::array<uint32_t, kMaxDistance> before_;  // of a position: the last one with its hash
  std::vector<uint32_t> literal_bits_;         // of the window's bytes before an index, as literals
  Tokens tokens_;
  std::array<uint8_t, kWindowBytes> window_;
};

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_LAZY_COMPRESSOR_H_
