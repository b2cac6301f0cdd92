#include "storage/deflate/zlib_encoder.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "storage/base/bytes.h"
#include "storage/base/str_cat.h"
#include "storage/deflate/deflate_alphabet.h"

namespace varve {
namespace {

constexpr size_t kReach = kMaxDistanceBytes;
// A trial that agreed over so many plain bytes holds: both have the same positions within reach.
constexpr uint64_t kTrialBytes = 2 * kReach;
constexpr uint8_t kFirstRestartingLevel = 4;

absl::Status CheckParameters(const EncoderParameters& parameters) {
  if (parameters.level >= 1 && parameters.level <= 9 && parameters.revision == 1 &&
      parameters.flags == 0 && parameters.block_bytes == 0) {
    return CheckZlib();
  }
  return absl::InvalidArgumentError(
      StrCat("there is no model of ", Describe(parameters),
             "; of zlib there are levels 1 to 9, one stream, without flags"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeflateEncoder>> StartZlib(const EncoderParameters& parameters,
                                                          uint64_t checkpoint_interval) {
  if (absl::Status status = CheckParameters(parameters); !status.ok()) return status;
  return std::make_unique<ZlibEncoder>(parameters.level, checkpoint_interval);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumeZlib(const EncoderParameters& parameters,
                                                           const EncoderCheckpoint& checkpoint,
                                                           std::string_view warm_up) {
  if (absl::Status status = CheckParameters(parameters); !status.ok()) return status;
  ByteReader reader(checkpoint.state);
  const uint8_t partial = reader.U8();
  const auto count = static_cast<int>(checkpoint.deflate_bits % 8);
  if (!reader.done() || partial >> count != 0 || parameters.level < kFirstRestartingLevel ||
      checkpoint.warm_up_bytes != warm_up.size() ||
      warm_up.size() != std::min<uint64_t>(checkpoint.plain_offset, kReach)) {
    return absl::InvalidArgumentError("the checkpoint is not one of zlib at levels 4 to 9");
  }
  return std::make_unique<ZlibEncoder>(parameters.level, warm_up, count, partial);
}

ZlibEncoder::ZlibEncoder(int level, uint64_t checkpoint_interval) : stream_(level) {
  if (checkpoint_interval > 0 && level >= kFirstRestartingLevel) {
    checkpoints_.emplace(level, checkpoint_interval);
  }
}

ZlibEncoder::ZlibEncoder(int level, std::string_view warm_up, int count, int bits)
    : stream_(level) {
  stream_.SetDictionary(warm_up);
  stream_.Prime(count, bits);
}

void ZlibEncoder::Write(std::string_view plain, std::string& deflate) {
  while (!plain.empty()) {
    const size_t part = std::min(plain.size(), kZlibPieceBytes - piece_.size());
    piece_.append(plain.substr(0, part));
    plain.remove_prefix(part);
    if (piece_.size() == kZlibPieceBytes) Put(Z_NO_FLUSH, deflate);
  }
}

void ZlibEncoder::Finish(std::string& deflate) { Put(Z_FINISH, deflate); }

std::vector<EncoderCheckpoint> ZlibEncoder::TakeCheckpoints() {
  return checkpoints_.has_value() ? checkpoints_->Take() : std::vector<EncoderCheckpoint>();
}

void ZlibEncoder::Put(int flush, std::string& deflate) {
  const size_t before = deflate.size();
  stream_.Put(piece_, flush, deflate);
  if (checkpoints_.has_value() && flush == Z_NO_FLUSH) {
    checkpoints_->Add(piece_, std::string_view(deflate).substr(before));
  }
  piece_.clear();
}

// --- checkpoints -------------------------------------------------------------------------------

ZlibCheckpoints::ZlibCheckpoints(int level, uint64_t interval)
    : level_(level), interval_(interval), next_(interval) {}

void ZlibCheckpoints::Add(std::string_view plain, std::string_view deflate) {
  history_.append(plain);
  if (trial_ != nullptr) {
    trial_->expected.append(deflate);
    FeedTrial();
  }
  fresh_ = deflate;
  while (const auto boundary = boundaries_.Next(fresh_)) AtBoundary(*boundary);
}

std::vector<EncoderCheckpoint> ZlibCheckpoints::Take() { return std::exchange(checkpoints_, {}); }

void ZlibCheckpoints::AtBoundary(const BlockBoundary& boundary) {
  if (trial_ != nullptr) JudgeTrial(boundary);
  const uint64_t reach = std::min<uint64_t>(boundary.plain_offset, kReach);
  const uint64_t kept_from = boundary.plain_offset - reach;
  history_.erase(0, static_cast<size_t>(kept_from - history_offset_));
  history_offset_ = kept_from;
  if (trial_ == nullptr && boundary.plain_offset >= next_) StartTrial(boundary);
}

// Both streams have written what they are certain of, the one perhaps more than the other.
void ZlibCheckpoints::JudgeTrial(const BlockBoundary& boundary) {
  const BlockBoundary& start = trial_->start;
  const size_t shared = std::min<size_t>(start.deflate_bits % 8 != 0 ? 1 : 0, trial_->got.size());
  const std::string_view got = std::string_view(trial_->got).substr(shared);
  const size_t common = std::min(got.size(), trial_->expected.size());
  if (got.substr(0, common) != std::string_view(trial_->expected).substr(0, common)) {
    trial_.reset();
    return;
  }
  if (boundary.plain_offset < start.plain_offset + kTrialBytes ||
      common < (boundary.deflate_bits - start.deflate_bits) / 8) {
    return;
  }
  EncoderCheckpoint checkpoint;
  checkpoint.plain_offset = start.plain_offset;
  checkpoint.deflate_bits = start.deflate_bits;
  checkpoint.warm_up_bytes = static_cast<uint32_t>(std::min<uint64_t>(start.plain_offset, kReach));
  AppendU8(&checkpoint.state, start.partial);
  checkpoints_.push_back(std::move(checkpoint));
  next_ = start.plain_offset + interval_;
  trial_.reset();
}

void ZlibCheckpoints::StartTrial(const BlockBoundary& boundary) {
  trial_ = std::make_unique<Trial>(level_, boundary);
  const auto before = static_cast<size_t>(boundary.plain_offset - history_offset_);
  trial_->stream.SetDictionary(std::string_view(history_).substr(0, before));
  trial_->stream.Prime(static_cast<int>(boundary.deflate_bits % 8), boundary.partial);
  trial_->fed = boundary.plain_offset;
  trial_->expected.assign(fresh_);
  FeedTrial();
}

void ZlibCheckpoints::FeedTrial() {
  const uint64_t end = history_offset_ + history_.size();
  while (end - trial_->fed >= kZlibPieceBytes) {
    const auto from = static_cast<size_t>(trial_->fed - history_offset_);
    trial_->stream.Put(std::string_view(history_).substr(from, kZlibPieceBytes), Z_NO_FLUSH,
                       trial_->got);
    trial_->fed += kZlibPieceBytes;
  }
}

}  // namespace varve
