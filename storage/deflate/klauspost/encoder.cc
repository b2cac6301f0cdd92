#include "storage/deflate/klauspost/encoder.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/deflate/klauspost/compressor.h"
#include "storage/deflate/klauspost/fast_compressor.h"
#include "storage/deflate/klauspost/flags.h"
#include "storage/deflate/klauspost/lazy_compressor.h"

namespace varve::klauspost {
namespace {

constexpr int kMaxFastLevel = 6;
// Fed at once: what a longer Write makes does not gather in the bit writer.
constexpr size_t kPieceBytes = 64 << 10;

// What a new code is thought to cost more, as a shift.
constexpr uint32_t PenaltyShift(int level) { return level <= kMaxFastLevel ? 7 : 8; }

absl::Status CheckParameters(const EncoderParameters& parameters) {
  if (parameters.revision != 1 || parameters.level < 1 || parameters.level > 9 ||
      (parameters.flags & ~kKnownFlags) != 0 ||
      (parameters.block_bytes != 0 && parameters.block_bytes <= kDictionaryBytes)) {
    return absl::InvalidArgumentError(
        StrCat("this build has no encoder \"", Describe(parameters),
               "\": use one that was released after the data was packed"));
  }
  return absl::OkStatus();
}

absl::Status DamagedCheckpoint(const EncoderCheckpoint& checkpoint) {
  return absl::InvalidArgumentError(StrCat("the checkpoint at plain byte ", checkpoint.plain_offset,
                                           " is damaged: go on at an earlier one"));
}

// One section is the whole stream.
class StreamEncoder final : public DeflateEncoder {
 public:
  StreamEncoder(const EncoderParameters& parameters, uint64_t checkpoint_interval)
      : log_(checkpoint_interval),
        writer_(parameters.flags, PenaltyShift(parameters.level)),
        compressor_(NewCompressor(parameters.level, parameters.flags, writer_)) {
    compressor_->NoteCheckpoints(log_);
  }

  void Write(std::string_view plain, std::string& deflate) override {
    while (!plain.empty()) {
      const std::string_view piece = plain.substr(0, kPieceBytes);
      compressor_->Write(piece);
      writer_.out().Drain(deflate);
      plain.remove_prefix(piece.size());
    }
  }

  void Finish(std::string& deflate) override {
    compressor_->End(/*is_stream=*/true);
    writer_.WriteEnd();
    writer_.out().Drain(deflate);
  }

  std::vector<EncoderCheckpoint> TakeCheckpoints() override { return log_.Take(); }

  bool Resume(const EncoderCheckpoint& checkpoint, ByteReader& state, std::string_view warm_up) {
    return writer_.ReadState(state, checkpoint.deflate_bits) &&
           compressor_->Resume(checkpoint, state, warm_up) && state.done();
  }

 private:
  CheckpointLog log_;
  BlockWriter writer_;
  const std::unique_ptr<Compressor> compressor_;
};

// pgzip: each block is a section behind the last bytes of the one before, and ends at a byte. After
// a last block that is full there is an empty one.
class BlockedEncoder final : public DeflateEncoder {
 public:
  BlockedEncoder(const EncoderParameters& parameters, uint64_t checkpoint_interval)
      : block_bytes_(parameters.block_bytes),
        log_(checkpoint_interval),
        writer_(parameters.flags, PenaltyShift(parameters.level)),
        compressor_(NewCompressor(parameters.level, parameters.flags, writer_)) {}

  void Write(std::string_view plain, std::string& deflate) override {
    while (!plain.empty()) {
      const size_t size = std::min({plain.size(), kPieceBytes, size_t{block_bytes_ - filled_}});
      const std::string_view piece = plain.substr(0, size);
      compressor_->Write(piece);
      KeepDictionary(piece);
      filled_ += static_cast<uint32_t>(size);
      plain.remove_prefix(size);
      if (filled_ == block_bytes_) EndBlock();
      writer_.out().Drain(deflate);
    }
  }

  void Finish(std::string& deflate) override {
    compressor_->End(/*is_stream=*/false);
    writer_.WriteSyncMarker();
    writer_.WriteEnd();
    writer_.out().Drain(deflate);
  }

  std::vector<EncoderCheckpoint> TakeCheckpoints() override { return log_.Take(); }

  bool Resume(const EncoderCheckpoint& checkpoint, ByteReader& state, std::string_view warm_up) {
    if (checkpoint.plain_offset == 0 || checkpoint.plain_offset % block_bytes_ != 0 ||
        checkpoint.deflate_bits % 8 != 0 || warm_up.size() != kDictionaryBytes ||
        !writer_.ReadState(state, checkpoint.deflate_bits) || !state.done()) {
      return false;
    }
    plain_offset_ = checkpoint.plain_offset;
    compressor_->Begin(warm_up);
    return true;
  }

 private:
  // The end of what was written, for the next block.
  void KeepDictionary(std::string_view piece) {
    if (piece.size() > kDictionaryBytes) piece.remove_prefix(piece.size() - kDictionaryBytes);
    if (dictionary_.size() + piece.size() > 2 * kDictionaryBytes) {
      dictionary_.erase(0, dictionary_.size() - kDictionaryBytes);
    }
    dictionary_.append(piece);
  }

  void EndBlock() {
    compressor_->End(/*is_stream=*/false);
    writer_.WriteSyncMarker();
    plain_offset_ += std::exchange(filled_, 0);
    compressor_->Begin(std::string_view(dictionary_).substr(dictionary_.size() - kDictionaryBytes));
    if (!log_.Due(plain_offset_)) return;
    EncoderCheckpoint checkpoint{.plain_offset = plain_offset_,
                                 .deflate_bits = writer_.out().bits(),
                                 .warm_up_bytes = kDictionaryBytes};
    writer_.AppendState(checkpoint.state);
    log_.Note(std::move(checkpoint));
  }

  const uint32_t block_bytes_;
  uint64_t plain_offset_ = 0;  // of the block at hand
  uint32_t filled_ = 0;        // bytes of it
  std::string dictionary_;     // what was fed last, at least a dictionary of it
  CheckpointLog log_;
  BlockWriter writer_;
  const std::unique_ptr<Compressor> compressor_;
};

template <typename Encoder>
absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeAs(const EncoderParameters& parameters,
                                                         const EncoderCheckpoint& checkpoint,
                                                         std::string_view warm_up) {
  ByteReader state(checkpoint.state);
  auto encoder = std::make_unique<Encoder>(parameters, 0);
  if (checkpoint.warm_up_bytes != warm_up.size() || !encoder->Resume(checkpoint, state, warm_up)) {
    return DamagedCheckpoint(checkpoint);
  }
  return encoder;
}

}  // namespace

std::unique_ptr<Compressor> NewCompressor(int level, uint64_t flags, BlockWriter& writer) {
  if (level <= kMaxFastLevel) return std::make_unique<FastCompressor>(level, flags, writer);
  return std::make_unique<LazyCompressor>(level, flags, writer);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> Start(const EncoderParameters& parameters,
                                                      uint64_t checkpoint_interval) {
  RETURN_IF_ERROR(CheckParameters(parameters));
  if (parameters.block_bytes == 0) {
    return std::make_unique<StreamEncoder>(parameters, checkpoint_interval);
  }
  return std::make_unique<BlockedEncoder>(parameters, checkpoint_interval);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> Resume(const EncoderParameters& parameters,
                                                       const EncoderCheckpoint& checkpoint,
                                                       std::string_view warm_up) {
  RETURN_IF_ERROR(CheckParameters(parameters));
  if (parameters.block_bytes == 0) return ResumeAs<StreamEncoder>(parameters, checkpoint, warm_up);
  return ResumeAs<BlockedEncoder>(parameters, checkpoint, warm_up);
}

}  // namespace varve::klauspost
