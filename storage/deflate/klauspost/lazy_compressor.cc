#include "storage/deflate/klauspost/lazy_compressor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/base/check.h"
#include "storage/deflate/klauspost/flags.h"

namespace varve::klauspost {
namespace {

// The window moves when its search came so far.
constexpr uint32_t kBytesBehindMove = 2 * kMaxDistance - (4 + kMaxMatchBytes);
// A match weighs its literals against its own bits and these.
constexpr int64_t kMatchCost = 3;
constexpr int64_t kMinGain = 4;
constexpr uint32_t kWrappedDistanceCode = 14;
// Bytes at the front of a match that the look at its end does not ask for.
constexpr uint32_t kSkippedBytes = 2;

}  // namespace

LazyCompressor::Effort LazyCompressor::EffortOf(int level) {
  switch (level) {
    case 7:
      return {.lazy = 12, .nice = 16, .chain = 24, .weighs_literals = false};
    case 8:
      return {.lazy = 30, .nice = 40, .chain = 64, .weighs_literals = false};
    default:
      return {.lazy = 258, .nice = 258, .chain = 1024, .weighs_literals = true};
  }
}

LazyCompressor::LazyCompressor(int level, uint64_t flags, BlockWriter& writer)
    : flags_(flags), effort_(EffortOf(level)), writer_(writer) {
  if (effort_.weighs_literals) literal_bits_.resize(kWindowBytes + 1);
}

void LazyCompressor::Begin(std::string_view dictionary) {
  base_position_ += end_ + MatchFinder::kFirstPosition;
  end_ = static_cast<uint32_t>(dictionary.size());
  std::memcpy(window_.data(), dictionary.data(), dictionary.size());
  for (uint32_t i = 0; i + kNoLength < end_; ++i) Insert(i);
  index_ = end_;
  block_begin_ = (flags_ & kBlockAfterDictionary) != 0 ? index_ : 0;
  match_ = {};
  is_pending_ = false;
  literal_run_ = 0;
  chain_head_ = 0;
}

void LazyCompressor::Write(std::string_view plain) {
  while (!plain.empty()) {
    if (end_ == kWindowBytes) {
      Step(/*is_last=*/false);
      MoveWindow();
    }
    const size_t size = std::min<size_t>(plain.size(), kWindowBytes - end_);
    std::memcpy(&window_[end_], plain.data(), size);
    end_ += static_cast<uint32_t>(size);
    plain.remove_prefix(size);
  }
}

void LazyCompressor::End(bool /*is_stream*/) { Step(/*is_last=*/true); }

void LazyCompressor::MoveWindow() {
  CheckInvariant(index_ >= kBytesBehindMove, "a step of the search goes to the end of its window");
  std::memcpy(window_.data(), &window_[kMaxDistance], kMaxDistance);
  plain_offset_ += kMaxDistance;
  base_position_ += kMaxDistance;
  end_ -= kMaxDistance;
  index_ -= kMaxDistance;
  if (block_begin_.has_value() && *block_begin_ >= kMaxDistance) {
    *block_begin_ -= kMaxDistance;
  } else {
    block_begin_.reset();
  }
  if (base_position_ - forgotten_position_ >= MatchFinder::kMaxForgetBytes) {
    heads_.Forget(base_position_ + kMaxDistance);
    forgotten_position_ = base_position_;
  }
}

void LazyCompressor::Step(bool is_last) {
  closes_ = is_last;
  insert_end_ = end_ < kNoLength ? 0 : end_ - kNoLength;
  if (goes_on_in_step_) {
    FillChains();
  } else {
    step_begin_ = index_;
  }
  goes_on_in_step_ = false;
  if (effort_.weighs_literals && end_ != step_begin_) WeighLiterals();
  for (;;) {
    const uint32_t lookahead = end_ - index_;
    if (lookahead < kLookahead && !is_last) return;
    if (lookahead == 0) break;
    if (tokens_.size() == 0 && log_ != nullptr && lookahead >= kLookahead &&
        log_->Due(plain_offset_ + index_)) {
      NoteCheckpoint();
    }
    Advance(lookahead);
  }
  if (is_pending_) tokens_.AddLiteral(window_[index_ - 1]);
  is_pending_ = false;
  if (tokens_.size() != 0) WriteBlock();
}

// After Resume: hashes of the last bytes reach into what was fed since.
void LazyCompressor::FillChains() {
  const auto reach = static_cast<uint32_t>(Reach());
  for (uint32_t i = reach; i < std::min(index_, insert_end_); ++i) Insert(i);
  // The match was found with so much ahead; with less, it is of another stream.
  if (end_ - index_ < kLookahead) match_ = {};
}

// The search at one byte.
void LazyCompressor::Advance(uint32_t lookahead) {
  InsertCurrent();
  const Match previous = std::exchange(match_, {});
  const int32_t candidate = Index(chain_head_);
  if (candidate >= Reach() && lookahead > previous.length && previous.length < effort_.lazy) {
    match_ = Search(candidate, lookahead);
  }
  if (previous.length >= kMinLength && match_.length <= previous.length) {
    TakePrevious(previous, lookahead);
    return;
  }
  if (match_.length >= kMinLength) literal_run_ = 0;
  if (is_pending_) {
    EmitPending();
  } else {
    ++index_;
    is_pending_ = true;
  }
}

LazyCompressor::Match LazyCompressor::Search(int32_t candidate, uint32_t lookahead) const {
  const uint32_t limit = std::min(lookahead, kMaxMatchBytes);
  const uint32_t nice = std::min(limit, effort_.nice);
  const uint8_t* const here = &window_[index_];
  const int32_t reach = Reach();
  Match best;
  int64_t best_gain = kMinGain;
  for (uint32_t tries = effort_.chain; tries > 0; --tries) {
    const uint8_t* const there = &window_[static_cast<uint32_t>(candidate)];
    if (there[best.length] == here[best.length]) {
      const uint32_t length = MatchLength(here, there, limit);
      if (length > best.length) {
        const uint32_t distance = index_ - static_cast<uint32_t>(candidate);
        const int64_t gain = effort_.weighs_literals ? Gain(length, distance) : best_gain + 1;
        if (gain > best_gain) {
          best = {.length = length, .distance = distance};
          best_gain = gain;
          if (length >= nice) break;
        }
      }
    }
    if (candidate <= reach) break;
    candidate = Index(before_[static_cast<uint32_t>(candidate) % kMaxDistance]);
    if (candidate < reach) break;
  }
  return best;
}

int64_t LazyCompressor::Gain(uint32_t length, uint32_t distance) const {
  // The producer looks up the distance itself, not the distance - 1: the greatest wraps.
  const uint32_t distance_code =
      distance == kMaxDistance ? kWrappedDistanceCode : DistanceCode(distance);
  const uint32_t length_code = kMatchCodes.length_code[length - kMinMatchBytes];
  const int64_t literals = int64_t{literal_bits_[index_ + length]} - literal_bits_[index_];
  return literals - kDistanceExtraBits[distance_code] - kMatchCost - kLengthExtraBits[length_code];
}

// The bits of all bytes ahead as literals, with the code that those ahead would have.
void LazyCompressor::WeighLiterals() {
  std::array<uint32_t, 256> counts{};
  uint32_t counted_end = end_;
  if ((flags_ & kShortHistogram) != 0) counted_end = std::min(end_, step_begin_ + kBlockTokens);
  for (uint32_t i = step_begin_; i < counted_end; ++i) ++counts[window_[i]];
  for (uint32_t& count : counts) count &= 0xffff;
  std::array<uint8_t, 256> lengths;
  BuildLengths(counts, kMaxCodeBits,
               (flags_ & kLeafFirst) != 0 ? TieRule::kLeafFirst : TieRule::kPairFirst,
               absl::MakeSpan(lengths));
  if ((flags_ & kUnseenLiteralCosts) != 0) {
    std::replace(lengths.begin(), lengths.end(), uint8_t{0}, uint8_t{1});
  }
  literal_bits_[step_begin_] = 0;
  for (uint32_t i = step_begin_; i < end_; ++i) {
    literal_bits_[i + 1] = literal_bits_[i] + lengths[window_[i]];
  }
}

void LazyCompressor::TakePrevious(Match previous, uint32_t lookahead) {
  previous = LookAtEnd(previous, lookahead);
  tokens_.AddMatch(previous.length, previous.distance);
  // `index_` is inserted, and the match began before it.
  const uint32_t match_end = index_ + previous.length - 1;
  for (uint32_t i = index_ + 1; i < std::min(match_end, insert_end_); ++i) Insert(i);
  index_ = match_end;
  is_pending_ = false;
  match_ = {};
  literal_run_ = 0;
  EndFullBlock();
}

LazyCompressor::Match LazyCompressor::LookAtEnd(Match previous, uint32_t lookahead) {
  if (previous.length >= kMaxMatchBytes - kSkippedBytes) return previous;
  const uint32_t begin = index_ - 1;
  if (begin + previous.length >= insert_end_) return previous;
  const int32_t candidate =
      Index(heads_[Head(begin + previous.length)]) - static_cast<int32_t>(previous.length);
  if (candidate <= Reach() + static_cast<int32_t>(kSkippedBytes)) return previous;
  const auto source = static_cast<uint32_t>(candidate);
  if (begin - source == previous.distance) return previous;
  const uint32_t limit = std::min(lookahead, kMaxMatchBytes + kSkippedBytes) - kSkippedBytes;
  Match longer = {.length = MatchLength(&window_[begin + kSkippedBytes],
                                        &window_[source + kSkippedBytes], limit),
                  .distance = begin - source};
  if (longer.length <= previous.length) return previous;
  for (uint32_t skipped = kSkippedBytes; skipped > 0; --skipped) {
    if (longer.length < kMaxMatchBytes &&
        window_[begin + skipped - 1] == window_[source + skipped - 1]) {
      ++longer.length;
      continue;
    }
    for (uint32_t i = begin; i < begin + skipped; ++i) {
      tokens_.AddLiteral(window_[i]);
      EndFullBlock();
      ++index_;
      InsertCurrent();
    }
    break;
  }
  return longer;
}

// The pending byte becomes a literal, and more with it the longer nothing is found.
void LazyCompressor::EmitPending() {
  ++literal_run_;
  AddLiteralBefore(index_);
  ++index_;
  if (literal_run_ <= effort_.chain) return;
  const uint32_t skipped = 1 + ((literal_run_ - effort_.chain) >> 6);
  for (uint32_t i = 0; i < skipped && index_ + 1 < end_; ++i) {
    AddLiteralBefore(index_);
    InsertCurrent();
    ++index_;
  }
  AddLiteralBefore(index_);
  is_pending_ = false;
}

void LazyCompressor::AddLiteralBefore(uint32_t index) {
  tokens_.AddLiteral(window_[index - 1]);
  EndFullBlock();
}

void LazyCompressor::EndFullBlock() {
  if (tokens_.size() == kBlockTokens) WriteBlock();
}

void LazyCompressor::WriteBlock() {
  std::optional<std::string_view> input;
  if (block_begin_.has_value() && *block_begin_ <= index_) {
    input = std::string_view(reinterpret_cast<const char*>(&window_[*block_begin_]),
                             index_ - *block_begin_);
  }
  writer_.WriteTokens(tokens_, input, closes_);
  tokens_.Clear();
  block_begin_ = index_;
}

void LazyCompressor::Insert(uint32_t index) {
  uint32_t& head = heads_[Head(index)];
  before_[index % kMaxDistance] = head;
  head = base_position_ + index;
}

void LazyCompressor::InsertCurrent() {
  if (index_ >= insert_end_) return;
  chain_head_ = heads_[Head(index_)];
  Insert(index_);
}

// The window up to `index_` is the warm-up, and its last 32 KiB give the chains again.
void LazyCompressor::NoteCheckpoint() {
  EncoderCheckpoint checkpoint{.plain_offset = plain_offset_ + index_,
                               .deflate_bits = writer_.out().bits(),
                               .warm_up_bytes = index_};
  writer_.AppendState(checkpoint.state);
  AppendU32(&checkpoint.state, *block_begin_);
  AppendU32(&checkpoint.state, step_begin_);
  AppendU32(&checkpoint.state, match_.length);
  AppendU32(&checkpoint.state, match_.distance);
  AppendU32(&checkpoint.state, literal_run_);
  AppendU8(&checkpoint.state, is_pending_ ? 1 : 0);
  log_->Note(std::move(checkpoint));
}

bool LazyCompressor::Resume(const EncoderCheckpoint& checkpoint, ByteReader& state,
                            std::string_view warm_up) {
  const uint32_t block_begin = state.U32();
  step_begin_ = state.U32();
  match_.length = state.U32();
  match_.distance = state.U32();
  const uint32_t literal_run = state.U32();
  const uint8_t is_pending = state.U8();
  if (!state.ok() || warm_up.empty() || warm_up.size() > kWindowBytes - kLookahead ||
      warm_up.size() > checkpoint.plain_offset) {
    return false;
  }
  index_ = static_cast<uint32_t>(warm_up.size());
  plain_offset_ = checkpoint.plain_offset - index_;
  if (plain_offset_ % kMaxDistance != 0 || block_begin > index_ || step_begin_ > index_ ||
      literal_run > UINT16_MAX || is_pending > 1) {
    return false;
  }
  const bool has_match = match_.length != kNoLength;
  if (has_match
          ? match_.length < kMinLength || match_.length > kMaxMatchBytes || match_.distance == 0 ||
                match_.distance > kMaxDistance || match_.distance >= index_ || is_pending == 0
          : match_.distance != 0) {
    return false;
  }
  block_begin_ = block_begin;
  literal_run_ = static_cast<uint16_t>(literal_run);
  is_pending_ = is_pending == 1;
  goes_on_in_step_ = true;
  std::memcpy(window_.data(), warm_up.data(), warm_up.size());
  end_ = index_;
  return true;
}

}  // namespace varve::klauspost
