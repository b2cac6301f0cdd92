#include "storage/deflate/pigz_encoder.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr uint32_t kMaxBlockBytes = 64 << 20;
// Dictionary and piece of zlib are the same 32 KiB.
constexpr size_t kReach = kZlibPieceBytes;
// An empty block of fixed codes: type and end of block.
constexpr int kEmptyFixedBits = 10;
constexpr int kEmptyFixed = 0b010;

absl::Status CheckParameters(const EncoderParameters& parameters) {
  if (parameters.level >= 1 && parameters.level <= 9 && parameters.revision == 1 &&
      parameters.flags == 0 && parameters.block_bytes >= kReach &&
      parameters.block_bytes <= kMaxBlockBytes && parameters.block_bytes % kReach == 0) {
    return CheckZlib();
  }
  return absl::InvalidArgumentError(
      StrCat("there is no model of ", Describe(parameters),
             "; of pigz there are levels 1 to 9, blocks of a multiple of ", kReach, " up to ",
             kMaxBlockBytes, ", without flags"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeflateEncoder>> StartPigz(const EncoderParameters& parameters,
                                                          uint64_t checkpoint_interval) {
  if (absl::Status status = CheckParameters(parameters); !status.ok()) return status;
  return std::make_unique<PigzEncoder>(parameters.level, parameters.block_bytes,
                                       checkpoint_interval);
}

absl::StatusOr<std::unique_ptr<DeflateEncoder>> ResumePigz(const EncoderParameters& parameters,
                                                           const EncoderCheckpoint& checkpoint,
                                                           std::string_view warm_up) {
  if (absl::Status status = CheckParameters(parameters); !status.ok()) return status;
  if (!checkpoint.state.empty() || checkpoint.deflate_bits % 8 != 0 ||
      checkpoint.plain_offset == 0 || checkpoint.plain_offset % parameters.block_bytes != 0 ||
      checkpoint.warm_up_bytes != kReach || warm_up.size() != kReach) {
    return absl::InvalidArgumentError(
        StrCat("the checkpoint is not one of ", Describe(parameters)));
  }
  return std::make_unique<PigzEncoder>(parameters.level, parameters.block_bytes, warm_up);
}

PigzEncoder::PigzEncoder(int level, uint32_t block_bytes, uint64_t checkpoint_interval)
    : stream_(level),
      block_bytes_(block_bytes),
      checkpoint_interval_(checkpoint_interval),
      next_checkpoint_(checkpoint_interval) {}

PigzEncoder::PigzEncoder(int level, uint32_t block_bytes, std::string_view warm_up)
    : PigzEncoder(level, block_bytes, uint64_t{0}) {
  stream_.SetDictionary(warm_up);
}

void PigzEncoder::Write(std::string_view plain, std::string& deflate) {
  while (!plain.empty()) {
    // What is full waits for more: the last piece has another end, also a full one.
    if (waiting_.size() == kZlibPieceBytes) {
      Put(Z_NO_FLUSH, deflate);
      if (in_piece_ == block_bytes_) EndPiece(deflate);
    }
    const size_t part = std::min(plain.size(), kZlibPieceBytes - waiting_.size());
    waiting_.append(plain.substr(0, part));
    plain.remove_prefix(part);
  }
}

void PigzEncoder::Finish(std::string& deflate) { Put(Z_FINISH, deflate); }

std::vector<EncoderCheckpoint> PigzEncoder::TakeCheckpoints() {
  return std::exchange(checkpoints_, {});
}

void PigzEncoder::Put(int flush, std::string& deflate) {
  const size_t before = deflate.size();
  stream_.Put(waiting_, flush, deflate);
  deflate_bytes_ += deflate.size() - before;
  plain_bytes_ += waiting_.size();
  in_piece_ += static_cast<uint32_t>(waiting_.size());
  last_.swap(waiting_);
  waiting_.clear();
}

// The shortest of pigz's three ways to a byte border.
void PigzEncoder::EndPiece(std::string& deflate) {
  const size_t before = deflate.size();
  stream_.Put({}, Z_BLOCK, deflate);
  const int bits = stream_.pending_bits();
  if (bits % 2 != 0) {
    stream_.Put({}, Z_SYNC_FLUSH, deflate);
  } else if (bits % 8 != 0) {
    do {
      stream_.Prime(kEmptyFixedBits, kEmptyFixed);
    } while (stream_.pending_bits() % 8 != 0);
    stream_.Put({}, Z_BLOCK, deflate);
  }
  deflate_bytes_ += deflate.size() - before;
  stream_.Reset();
  stream_.SetDictionary(last_);
  in_piece_ = 0;
  NoteCheckpoint();
}

void PigzEncoder::NoteCheckpoint() {
  if (checkpoint_interval_ == 0 || plain_bytes_ < next_checkpoint_) return;
  next_checkpoint_ = plain_bytes_ + checkpoint_interval_;
  checkpoints_.push_back({plain_bytes_, deflate_bytes_ * 8, static_cast<uint32_t>(kReach), {}});
}

}  // namespace varve
