#include "storage/deflate/klauspost/fast_compressor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/deflate/klauspost/flags.h"
#include "storage/deflate/klauspost/levels.h"

namespace varve::klauspost {
namespace {

// A last block below this many bytes is not searched, or only in the newer epoch.
constexpr uint32_t kShortBytes = 128;
constexpr uint32_t kMaxShortStoredBytes = 32;

}  // namespace

std::unique_ptr<MatchFinder> NewMatchFinder(int level, uint64_t flags) {
  switch (level) {
    case 1:
      return NewLevel1();
    case 2:
      return NewLevel2();
    case 3:
      return NewLevel3();
    case 4:
      return NewLevel4((flags & kMisplacedSecondMatch) != 0);
    case 5:
      return NewLevel5();
    default:
      return NewLevel6();
  }
}

FastCompressor::FastCompressor(int level, uint64_t flags, BlockWriter& writer)
    : flags_(flags),
      needs_whole_history_(level == 4 && (flags & kMisplacedSecondMatch) != 0),
      writer_(writer),
      finder_(NewMatchFinder(level, flags)) {}

void FastCompressor::Begin(std::string_view dictionary) {
  base_position_ += history_ + filled_ + MatchFinder::kFirstPosition;
  history_ = 0;
  ForgetInTime();
  std::memcpy(buffer_.data(), dictionary.data(), dictionary.size());
  filled_ = static_cast<uint32_t>(dictionary.size());
  finder_->Find(CurrentBlock(), tokens_);
  tokens_.Clear();
  history_ = std::exchange(filled_, 0);
}

void FastCompressor::Write(std::string_view plain) {
  while (!plain.empty()) {
    // Only now it is known not to be the last.
    if (filled_ == kBlockBytes) {
      WriteBlock(/*closes=*/false, /*is_stream=*/false);
      if (log_ != nullptr && log_->Due(plain_offset_)) NoteCheckpoint();
    }
    const size_t size = std::min<size_t>(plain.size(), kBlockBytes - filled_);
    std::memcpy(&buffer_[history_ + filled_], plain.data(), size);
    filled_ += static_cast<uint32_t>(size);
    plain.remove_prefix(size);
  }
}

void FastCompressor::End(bool is_stream) {
  if (filled_ != 0) WriteBlock(/*closes=*/true, is_stream);
}

Block FastCompressor::CurrentBlock() const {
  return {.bytes = buffer_.data(),
          .base_position = base_position_,
          .begin = history_,
          .end = history_ + filled_};
}

void FastCompressor::WriteBlock(bool closes, bool is_stream) {
  MakeRoom();
  CompressBlock(closes, is_stream);
  tokens_.Clear();
  plain_offset_ += filled_;
  history_ += std::exchange(filled_, 0);
  ForgetInTime();
}

// A block that does not fit behind the history leaves 32 KiB of that.
void FastCompressor::MakeRoom() {
  if (history_ + filled_ <= kHistoryBytes) return;
  const uint32_t dropped = history_ - kMaxDistance;
  std::memmove(buffer_.data(), &buffer_[dropped], kMaxDistance + filled_);
  base_position_ += dropped;
  history_ = kMaxDistance;
}

void FastCompressor::CompressBlock(bool closes, bool is_stream) {
  const Block block = CurrentBlock();
  const std::string_view input(reinterpret_cast<const char*>(&buffer_[block.begin]), filled_);
  const bool matched_tail = (flags_ & kMatchedTail) != 0;
  if (closes && filled_ < kShortBytes && (!matched_tail || (is_stream && history_ == 0))) {
    if (filled_ <= kMaxShortStoredBytes) {
      writer_.WriteStored(input);
    } else {
      writer_.WriteLiterals(input, closes);
    }
    return;
  }
  finder_->Find(block, tokens_);
  const bool found = tokens_.size() != 0;
  const bool stores_unmatched =
      !matched_tail || filled_ < MatchFinder::kMinBlockBytes || filled_ >= kShortBytes;
  if (!found && stores_unmatched) {
    writer_.WriteStored(input);
  } else if (!found || tokens_.size() > filled_ - filled_ / 16) {
    writer_.WriteLiterals(input, closes);
  } else {
    writer_.WriteTokens(tokens_, input, closes);
  }
}

void FastCompressor::ForgetInTime() {
  const uint32_t position = base_position_ + history_;
  if (position - forgotten_position_ < MatchFinder::kMaxForgetBytes) return;
  finder_->Forget(position);
  forgotten_position_ = position;
}

uint32_t FastCompressor::WarmUpBytes(uint32_t history) const {
  return needs_whole_history_ ? history : std::min(history, kMaxDistance);
}

void FastCompressor::NoteCheckpoint() {
  EncoderCheckpoint checkpoint{.plain_offset = plain_offset_,
                               .deflate_bits = writer_.out().bits(),
                               .warm_up_bytes = WarmUpBytes(history_)};
  writer_.AppendState(checkpoint.state);
  finder_->AppendState(CurrentBlock(), checkpoint.state);
  log_->Note(std::move(checkpoint));
}

// What MakeRoom leaves before the block that begins at `plain_offset`.
uint32_t FastCompressor::HistoryAt(uint64_t plain_offset) {
  constexpr uint64_t kFirstBlocks = kHistoryBytes / kBlockBytes;
  constexpr uint64_t kLaterBlocks = (kHistoryBytes - kMaxDistance) / kBlockBytes;
  const uint64_t blocks = plain_offset / kBlockBytes;
  if (blocks <= kFirstBlocks) return static_cast<uint32_t>(plain_offset);
  const uint64_t since_move = (blocks - kFirstBlocks - 1) % kLaterBlocks + 1;
  return static_cast<uint32_t>(kMaxDistance + since_move * kBlockBytes);
}

bool FastCompressor::Resume(const EncoderCheckpoint& checkpoint, ByteReader& state,
                            std::string_view warm_up) {
  if (checkpoint.plain_offset == 0 || checkpoint.plain_offset % kBlockBytes != 0) return false;
  plain_offset_ = checkpoint.plain_offset;
  history_ = HistoryAt(plain_offset_);
  if (warm_up.size() != WarmUpBytes(history_)) return false;
  // What is before the warm-up is never looked at.
  std::memset(buffer_.data(), 0, history_ - warm_up.size());
  std::memcpy(&buffer_[history_ - warm_up.size()], warm_up.data(), warm_up.size());
  return finder_->ReadState(CurrentBlock(), state);
}

}  // namespace varve::klauspost
