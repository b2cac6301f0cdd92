#include "storage/deflate/go_fast_encoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "storage/base/bytes.h"
#include "storage/deflate/match_length.h"

namespace varve {
namespace {

constexpr size_t kReach = kMaxDistanceBytes;
constexpr size_t kBlockBytes = kMaxStoredBytes;
constexpr uint32_t kHashBits = 14;
// The last bytes of a block start no match.
constexpr size_t kMarginBytes = 15;
// A last block shorter than this is not searched, and stored when it is not longer than that.
constexpr size_t kMinSearchedBytes = 128;
constexpr size_t kMaxTinyBytes = 16;
constexpr size_t kWindowSlack = 8;
// After every so many positions without a match, the steps grow by one.
constexpr unsigned kSkipShift = 5;

constexpr size_t kMinWarmUpBytes = 8 * kBlockBytes;
constexpr size_t kMaxWarmUpBytes = 64 * kBlockBytes;
// Positions in the table have 32 bits; lowered long before they are full, so that it is an everyday
// path, not one of streams of 4 GiB.
constexpr size_t kMaxPosition = 16 << 20;

uint32_t Hash(uint32_t word) { return (word * 0x1e35a7bdU) >> (32 - kHashBits); }

GoToken* PutLiterals(const uint8_t* from, const uint8_t* to, GoToken* tokens) {
  while (from < to) *tokens++ = *from++;
  return tokens;
}

}  // namespace

GoFastFinder::GoFastFinder() : table_(size_t{1} << kHashBits), shift_(0), next_(2 * kReach) {}

size_t GoFastFinder::Encode(const uint8_t* window, size_t start, size_t end, GoToken* room) {
  if (next_ > kMaxPosition) Lower();
  shift_ = next_ - start;
  next_ += end - start;

  const size_t limit = end - kMarginBytes;
  GoToken* tokens = room;
  size_t emitted = start;
  size_t s = start;
  uint32_t word = Load32(window + s);
  uint32_t distance = 0;
  // The distance of the last one with the hash of `word` when that is a match, else 0.
  const auto look_up = [&](size_t position) {
    const auto back = static_cast<uint32_t>(position + shift_) - Exchange(Hash(word), position);
    return back <= kReach && Load32(window + position - back) == word ? back : 0;
  };
  for (;;) {
    for (size_t skip = size_t{1} << kSkipShift, next = s;;) {
      s = next;
      const size_t step = skip >> kSkipShift;
      next = s + step;
      skip += step;
      if (next > limit)
        return static_cast<size_t>(PutLiterals(window + emitted, window + end, tokens) - room);
      distance = look_up(s);
      if (distance != 0) break;
      word = Load32(window + next);
    }
    tokens = PutLiterals(window + emitted, window + s, tokens);
    do {
      const auto longest = static_cast<uint32_t>(std::min<size_t>(kMaxMatchBytes, end - s));
      const uint32_t length =
          4 + MatchLength(window + s + 4, window + s - distance + 4, longest - 4);
      *tokens++ = GoMatch(length, distance);
      s += length;
      emitted = s;
      if (s >= limit)
        return static_cast<size_t>(PutLiterals(window + emitted, window + end, tokens) - room);
      Exchange(Hash(Load32(window + s - 1)), s - 1);
      word = Load32(window + s);
      distance = look_up(s);
    } while (distance != 0);
    ++s;
    word = Load32(window + s);
  }
}

void GoFastFinder::Lower() {
  const auto lowered = static_cast<uint32_t>(next_ - 2 * kReach);
  for (uint32_t& position : table_) position = position > lowered ? position - lowered : 0;
  next_ -= lowered;
}

bool GoFastFinder::SameReach(const GoFastFinder& other) const {
  for (size_t i = 0; i < table_.size(); ++i) {
    const size_t distance = next_ - table_[i];
    const size_t other_distance = other.next_ - other.table_[i];
    if (distance != other_distance && std::min(distance, other_distance) <= kReach) return false;
  }
  return true;
}

GoFastEncoder::GoFastEncoder(uint64_t checkpoint_interval)
    : window_(kReach + 2 * kBlockBytes + kWindowSlack),
      start_(kReach),
      end_(kReach),
      tokens_(kBlockBytes),
      checkpoint_interval_(checkpoint_interval),
      next_checkpoint_(checkpoint_interval) {}

void GoFastEncoder::Write(std::string_view plain, std::string& deflate) {
  while (!plain.empty()) {
    // A full block waits for more: the last one has other rules.
    if (end_ - start_ == kBlockBytes) WriteBlock(deflate);
    const size_t part = std::min(plain.size(), kBlockBytes - (end_ - start_));
    std::memcpy(window_.data() + end_, plain.data(), part);
    end_ += part;
    plain.remove_prefix(part);
  }
}

void GoFastEncoder::Finish(std::string& deflate) {
  const std::string_view rest(reinterpret_cast<const char*>(window_.data()) + start_,
                              end_ - start_);
  if (rest.size() >= kMinSearchedBytes) {
    WriteBlock(deflate);
  } else if (rest.size() > kMaxTinyBytes) {
    blocks_.WriteLiterals(rest, deflate);
  } else if (!rest.empty()) {
    blocks_.WriteStored(rest, deflate);
  }
  blocks_.WriteEnd(deflate);
}

std::vector<EncoderCheckpoint> GoFastEncoder::TakeCheckpoints() {
  return std::exchange(checkpoints_, {});
}

void GoFastEncoder::WriteBlock(std::string& deflate) {
  const std::string_view plain(reinterpret_cast<const char*>(window_.data()) + start_,
                               end_ - start_);
  if (warm_up_finder_.has_value()) {
    warm_up_finder_->Encode(window_.data(), start_, end_, tokens_.data());
  }
  const size_t count = finder_.Encode(window_.data(), start_, end_, tokens_.data());
  if (count > plain.size() - plain.size() / 16) {
    blocks_.WriteLiterals(plain, deflate);
  } else {
    blocks_.WriteDynamic(absl::MakeConstSpan(tokens_.data(), count), plain, deflate);
  }
  offset_ += plain.size();
  // The next block is put behind the 32 KiB that it can reach.
  if (end_ + kBlockBytes > window_.size() - kWindowSlack) {
    std::memmove(window_.data(), window_.data() + end_ - kReach, kReach);
    end_ = kReach;
  }
  start_ = end_;
  NoteCheckpoint();
}

void GoFastEncoder::NoteCheckpoint() {
  if (checkpoint_interval_ == 0) return;
  if (!warm_up_finder_.has_value()) {
    if (offset_ + kMinWarmUpBytes < next_checkpoint_) return;
    warm_up_finder_.emplace();
    warm_up_offset_ = offset_;
    return;
  }
  if (offset_ < next_checkpoint_ || offset_ - warm_up_offset_ < kMinWarmUpBytes) return;
  if (!finder_.SameReach(*warm_up_finder_)) {
    if (offset_ - warm_up_offset_ == kMaxWarmUpBytes) warm_up_finder_.reset();
    return;
  }
  EncoderCheckpoint checkpoint;
  checkpoint.plain_offset = offset_;
  checkpoint.deflate_bits = blocks_.bits();
  checkpoint.warm_up_bytes = static_cast<uint32_t>(offset_ - warm_up_offset_);
  AppendU8(&checkpoint.state, blocks_.partial());
  checkpoints_.push_back(std::move(checkpoint));
  next_checkpoint_ = offset_ + checkpoint_interval_;
  warm_up_finder_.reset();
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> GoFastEncoder::Resume(
    const EncoderCheckpoint& checkpoint, std::string_view warm_up) {
  ByteReader reader(checkpoint.state);
  const uint8_t partial = reader.U8();
  if (!reader.done() || partial >> (checkpoint.deflate_bits % 8) != 0 || warm_up.empty() ||
      warm_up.size() > kMaxWarmUpBytes || warm_up.size() % kBlockBytes != 0 ||
      checkpoint.warm_up_bytes != warm_up.size() || checkpoint.plain_offset % kBlockBytes != 0 ||
      checkpoint.plain_offset < warm_up.size()) {
    return absl::InvalidArgumentError(
        "the checkpoint is not one of Go's compress/flate at level 1");
  }
  auto encoder = std::make_unique<GoFastEncoder>(0);
  std::string written;
  // What is written is that of other bits: only the table is wanted.
  encoder->Write(warm_up, written);
  encoder->WriteBlock(written);
  encoder->blocks_ = GoBlockWriter(checkpoint.deflate_bits, partial);
  return encoder;
}

}  // namespace varve
