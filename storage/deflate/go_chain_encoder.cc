#include "storage/deflate/go_chain_encoder.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/deflate/match_length.h"

namespace varve {
namespace {

constexpr size_t kReach = kMaxDistanceBytes;
constexpr size_t kBlockTokens = 16384;
constexpr uint32_t kHashBits = 17;
constexpr uint32_t kNoMatch = 3;  // the length of the state without one
// A distance that is past every window, also when it is added to another.
constexpr uint32_t kUnreachable = 65535;
constexpr uint32_t kShortMatch = 4;
constexpr uint32_t kShortMatchReach = 4096;
// Before the end of the stream a position is searched with so many bytes from it on.
constexpr size_t kMinLookahead = 4 + kMaxMatchBytes;
// The producer's window is 64 KiB: it moves by a half when the next position is past kMoveFrom and
// there are bytes that it does not hold.
constexpr size_t kWindowBytes = 2 * kReach;
constexpr size_t kMoveFrom = kWindowBytes - kMinLookahead;

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kBufferSlack = 8;  // words are read past the end
// Positions in heads_ have 32 bits; lowered long before they are full, so that it is an everyday
// path, not one of streams of 4 GiB.
constexpr size_t kMaxHeadShift = 16 << 20;

uint32_t HashAt(const uint8_t* bytes) {
  return (__builtin_bswap32(Load32(bytes)) * 0x1e35a7bdU) >> (32 - kHashBits);
}

}  // namespace

GoChainEncoder::Effort GoChainEncoder::EffortOf(int level) {
  static constexpr Effort kEfforts[] = {{4, 16, 16},    {16, 32, 32},     {16, 128, 128},
                                        {32, 128, 256}, {128, 258, 1024}, {258, 258, 4096}};
  return kEfforts[level - 4];
}

GoChainEncoder::GoChainEncoder(int level, uint64_t checkpoint_interval)
    : effort_(EffortOf(level)),
      checkpoint_interval_(checkpoint_interval),
      next_checkpoint_(checkpoint_interval),
      window_(kBufferBytes + kBufferSlack),
      heads_(size_t{1} << kHashBits),
      head_shift_(kReach),
      chains_(kReach, static_cast<uint16_t>(kUnreachable)) {
  tokens_.reserve(kBlockTokens);
}

void GoChainEncoder::Write(std::string_view plain, std::string& deflate) {
  while (!plain.empty()) {
    if (end_ == kBufferBytes) DropOldBytes();
    const size_t part = std::min(plain.size(), kBufferBytes - end_);
    std::memcpy(window_.data() + end_, plain.data(), part);
    end_ += part;
    plain.remove_prefix(part);
    Run(/*last=*/false, deflate);
  }
}

void GoChainEncoder::Finish(std::string& deflate) {
  Run(/*last=*/true, deflate);
  if (pending_) tokens_.push_back(window_[index_ - 1]);
  if (!tokens_.empty()) WriteBlock(deflate);
  blocks_.WriteEnd(deflate);
}

std::vector<EncoderCheckpoint> GoChainEncoder::TakeCheckpoints() {
  return std::exchange(checkpoints_, {});
}

void GoChainEncoder::Run(bool last, std::string& deflate) {
  if (!warm_) {
    if (!last && end_ - index_ < kMinLookahead) return;
    InsertWarmUp(end_ - std::min<size_t>(end_, 3));
  }
  const size_t needed = last ? 1 : kMinLookahead;
  while (index_ + needed <= end_) {
    if (index_ - base_ > kMoveFrom && end_ - base_ > kWindowBytes) MoveBase();
    Step(last, deflate);
    if (at_block_end_) NoteCheckpoint();
  }
}

void GoChainEncoder::Step(bool last, std::string& deflate) {
  const auto lookahead = static_cast<uint32_t>(std::min<size_t>(end_ - index_, kMaxMatchBytes));
  // The last three bytes of a stream have no hash; nor is anything searched there, as a match of
  // three is none.
  uint32_t distance = kUnreachable;
  if (!last || index_ + 3 < end_) distance = Insert(index_);
  const auto reach = static_cast<uint32_t>(std::min(index_ - base_, kReach));
  const Match previous = previous_;
  previous_ = {kNoMatch, 0};
  if (distance <= reach && previous.length < effort_.lazy && lookahead > previous.length) {
    // The producer's search starts from nothing. But what is not longer than the previous match
    // loses to it, whatever it is, and what ends a search is always longer.
    previous_ = Search(distance, reach, previous.length, lookahead);
  }
  if (previous.length > kNoMatch && previous_.length <= previous.length) {
    tokens_.push_back(GoMatch(previous.length, previous.distance));
    const size_t match_end = index_ - 1 + previous.length;
    const size_t insertable_end = last ? std::min(match_end, end_ - 3) : match_end;
    while (++index_ < insertable_end) Insert(index_);
    index_ = match_end;
    pending_ = false;
    previous_ = {kNoMatch, 0};
    if (tokens_.size() == kBlockTokens) WriteBlock(deflate);
    return;
  }
  if (pending_) {
    tokens_.push_back(window_[index_ - 1]);
    if (tokens_.size() == kBlockTokens) WriteBlock(deflate);
  }
  ++index_;
  pending_ = true;
}

GoChainEncoder::Match GoChainEncoder::Search(uint32_t distance, uint32_t reach,
                                             uint32_t longer_than, uint32_t lookahead) const {
  const size_t position = index_;
  const uint8_t* const here = window_.data() + position;
  const uint16_t* const chains = chains_.data();
  const uint32_t nice = std::min(effort_.nice, lookahead);
  uint32_t best = longer_than;
  uint32_t best_distance = 0;
  // A longer match has these four bytes in common too.
  const uint8_t* tail_at = here + best - 3;
  uint32_t tail = Load32(tail_at);
  uint32_t tries = effort_.chain;
  do {
    if (Load32(tail_at - distance) == tail) {
      const uint32_t length = MatchLength(here - distance, here, lookahead);
      if (length > best && (length > kShortMatch || distance <= kShortMatchReach)) {
        best = length;
        best_distance = distance;
        if (length >= nice) break;
        tail_at = here + length - 3;
        tail = Load32(tail_at);
      }
    }
    // At the farthest place this reads the chain of `position`, which leads beyond the reach too.
    distance += chains[(position - distance) % kReach];
  } while (distance <= reach && --tries > 0);
  return best_distance != 0 ? Match{best, best_distance} : Match{kNoMatch, 0};
}

uint32_t GoChainEncoder::Insert(size_t position) {
  uint32_t& head = heads_[HashAt(window_.data() + position)];
  const auto shifted = static_cast<uint32_t>(position + head_shift_);
  const uint32_t distance = std::min(shifted - head, kUnreachable);
  head = shifted;
  chains_[position % kReach] = static_cast<uint16_t>(distance);
  return distance;
}

// The tables are a function of the last 32 KiB: every position is inserted.
void GoChainEncoder::InsertWarmUp(size_t insertable_end) {
  for (size_t i = warm_up_start_; i < std::min(index_, insertable_end); ++i) Insert(i);
  warm_ = true;
}

void GoChainEncoder::MoveBase() {
  base_ += kReach;
  if (block_start_ < base_) block_start_lost_ = true;
}

void GoChainEncoder::DropOldBytes() {
  // What the producer's window holds, but for the block's start when that is lost.
  const size_t dropped = base_;
  std::memmove(window_.data(), window_.data() + dropped, end_ - dropped);
  window_offset_ += dropped;
  end_ -= dropped;
  index_ -= dropped;
  block_start_ -= std::min(block_start_, dropped);
  base_ = 0;
  head_shift_ += dropped;
  if (head_shift_ > kMaxHeadShift) LowerHeads();
}

void GoChainEncoder::LowerHeads() {
  const auto lowered = static_cast<uint32_t>(head_shift_ - kReach);
  for (uint32_t& head : heads_) head = head > lowered ? head - lowered : 0;
  head_shift_ = kReach;
}

void GoChainEncoder::WriteBlock(std::string& deflate) {
  std::optional<std::string_view> plain;
  if (!block_start_lost_) {
    plain.emplace(reinterpret_cast<const char*>(window_.data()) + block_start_,
                  index_ - block_start_);
  }
  blocks_.WriteSmallest(tokens_, plain, deflate);
  tokens_.clear();
  block_start_ = index_;
  block_start_lost_ = false;
  at_block_end_ = true;
}

// --- checkpoints -------------------------------------------------------------------------------

// What goes on between two blocks, beside the last 32 KiB.
struct GoChainEncoder::State {
  uint8_t partial;  // bits of the byte not yet full
  uint32_t index;   // counted from the producer's window
  bool pending;
  Match previous;
};

void GoChainEncoder::NoteCheckpoint() {
  at_block_end_ = false;
  const uint64_t offset = window_offset_ + index_;
  if (checkpoint_interval_ == 0 || offset < next_checkpoint_) return;
  next_checkpoint_ = offset + checkpoint_interval_;
  EncoderCheckpoint checkpoint;
  checkpoint.plain_offset = offset;
  checkpoint.deflate_bits = blocks_.bits();
  checkpoint.warm_up_bytes = static_cast<uint32_t>(std::min<uint64_t>(offset, kReach));
  AppendU8(&checkpoint.state, blocks_.partial());
  AppendU32(&checkpoint.state, static_cast<uint32_t>(index_ - base_));
  AppendU8(&checkpoint.state, pending_ ? 1 : 0);
  AppendU32(&checkpoint.state, previous_.length);
  AppendU32(&checkpoint.state, previous_.distance);
  checkpoints_.push_back(std::move(checkpoint));
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> GoChainEncoder::Resume(
    int level, const EncoderCheckpoint& checkpoint, std::string_view warm_up) {
  ByteReader reader(checkpoint.state);
  State state;
  state.partial = reader.U8();
  state.index = reader.U32();
  const uint8_t pending = reader.U8();
  state.pending = pending == 1;
  state.previous.length = reader.U32();
  state.previous.distance = reader.U32();
  const uint64_t offset = checkpoint.plain_offset;
  const bool has_match = state.previous.length != kNoMatch;
  const bool match_holds =
      has_match ? state.pending && state.previous.length > kNoMatch &&
                      state.previous.length <= kMaxMatchBytes && state.previous.distance > 0 &&
                      state.previous.distance <= std::min<uint64_t>(kReach, offset - 1)
                : state.previous.distance == 0;
  // A match may end past the place from which the window moves, and after a move the index is not
  // far behind that place less a half.
  if (!reader.done() || pending > 1 || offset == 0 || !match_holds ||
      state.partial >> (checkpoint.deflate_bits % 8) != 0 ||
      warm_up.size() != std::min<uint64_t>(offset, kReach) ||
      checkpoint.warm_up_bytes != warm_up.size() || state.index > offset ||
      state.index > kMoveFrom + kMaxMatchBytes || (offset - state.index) % kReach != 0 ||
      (state.index <= kMoveFrom - kReach && state.index != offset)) {
    return absl::InvalidArgumentError(
        "the checkpoint is not one of Go's compress/flate at levels 4 to 9");
  }
  auto encoder = std::make_unique<GoChainEncoder>(level, 0);
  GoChainEncoder& self = *encoder;
  // The window starts a multiple of 32768 before: as far back as base and warm-up need.
  const uint64_t base_offset = offset - state.index;
  const uint64_t warm_up_offset = offset - warm_up.size();
  self.window_offset_ = std::min(base_offset, warm_up_offset / kReach * kReach);
  self.base_ = static_cast<size_t>(base_offset - self.window_offset_);
  self.index_ = static_cast<size_t>(offset - self.window_offset_);
  self.end_ = self.index_;
  self.warm_up_start_ = self.index_ - warm_up.size();
  self.warm_ = false;
  std::memcpy(self.window_.data() + self.warm_up_start_, warm_up.data(), warm_up.size());
  self.pending_ = state.pending;
  self.block_start_ = self.index_ - (state.pending ? 1 : 0);
  self.previous_ = state.previous;
  self.blocks_ = GoBlockWriter(checkpoint.deflate_bits, state.partial);
  return encoder;
}

}  // namespace varve
