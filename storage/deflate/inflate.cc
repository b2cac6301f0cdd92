#include "storage/deflate/inflate.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kRawWindowBits = -15;
constexpr size_t kPlainBytes = 64 << 10;
constexpr size_t kMaxInput = 1 << 30;  // of one call of zlib, whose sizes have 32 bits
constexpr size_t kMaxHeaderBytes = 128 << 10;
constexpr size_t kFixedHeaderBytes = 10;
constexpr size_t kTrailerBytes = 8;
constexpr std::string_view kMagic = "\x1f\x8b\x08";

// Flags of a header (RFC 1952, 2.3.1).
constexpr uint8_t kHeaderChecksum = 2;
constexpr uint8_t kExtra = 4;
constexpr uint8_t kName = 8;
constexpr uint8_t kComment = 16;
constexpr uint8_t kReservedFlags = 0xe0;

uint32_t Little(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// Past the field of zero-terminated text at `offset`, or one past all bytes when it is not whole.
size_t AfterText(std::string_view bytes, size_t offset) {
  const size_t end = bytes.find('\0', std::min(offset, bytes.size()));
  return end == std::string_view::npos ? std::max(offset, bytes.size()) + 1 : end + 1;
}

// How long the header is that `bytes` start with; when they are not enough to say, or not all of
// it, more than they are.
size_t HeaderBytes(std::string_view bytes) {
  if (bytes.size() < kFixedHeaderBytes) return kFixedHeaderBytes;
  const auto flags = static_cast<uint8_t>(bytes[3]);
  size_t size = kFixedHeaderBytes;
  if ((flags & kExtra) != 0) {
    if (bytes.size() < size + 2) return size + 2;
    size += 2 + Little(bytes.substr(size, 2));
  }
  if ((flags & kName) != 0) size = AfterText(bytes, size);
  if ((flags & kComment) != 0) size = AfterText(bytes, size);
  if ((flags & kHeaderChecksum) != 0) size += 2;
  return size;
}

}  // namespace

GzipInflater::GzipInflater(const Limits& limits) : limits_(limits), plain_(kPlainBytes) {
  CheckInvariant(inflateInit2(&stream_, kRawWindowBits) == Z_OK, "zlib has memory for a stream");
}

GzipInflater::~GzipInflater() { inflateEnd(&stream_); }

void GzipInflater::Feed(std::string_view input) {
  CheckInvariant(input_.empty() && !input_ended_, "input is fed when it is asked for");
  input_ = input;
}

absl::StatusOr<GzipPiece> GzipInflater::Next() {
  if (!failure_.ok()) return failure_;
  auto piece = Step();
  if (piece.ok()) {
    position_ += piece->bytes.size();
  } else {
    failure_ = piece.status();
  }
  return piece;
}

absl::StatusOr<GzipPiece> GzipInflater::Step() {
  switch (state_) {
    case State::kBetween: {
      const bool whole = Hold(kMagic.size());
      if (!whole && !input_ended_) return GzipPiece{};
      if (held_.empty() && members_ > 0) return GzipPiece{.kind = GzipPiece::Kind::kEnd};
      if (whole && held_ == kMagic) {
        state_ = State::kHeader;
        return ReadHeader();
      }
      if (members_ == 0) return Damaged("is no gzip");
      state_ = State::kTrailing;
      return ShowHeld(GzipPiece::Kind::kTrailing);
    }
    case State::kHeader:
      return ReadHeader();
    case State::kData:
      return ReadData();
    case State::kTrailer:
      return ReadTrailer();
    case State::kTrailing:
      break;
  }
  return ReadTrailing();
}

bool GzipInflater::Hold(size_t size) {
  if (held_.size() < size) {
    const size_t part = std::min(size - held_.size(), input_.size());
    held_.append(input_.substr(0, part));
    input_.remove_prefix(part);
  }
  return held_.size() >= size;
}

GzipPiece GzipInflater::ShowHeld(GzipPiece::Kind kind) {
  shown_.swap(held_);
  held_.clear();
  return GzipPiece{.kind = kind, .bytes = shown_};
}

absl::StatusOr<GzipPiece> GzipInflater::ReadHeader() {
  const size_t before = held_.size();
  held_.append(input_.substr(0, kMaxHeaderBytes - before));
  if (held_.size() >= kFixedHeaderBytes && (static_cast<uint8_t>(held_[3]) & kReservedFlags) != 0) {
    return Damaged("has a header with unknown flags");
  }
  const size_t size = HeaderBytes(held_);
  if (size > held_.size()) {
    if (held_.size() == kMaxHeaderBytes) return Damaged("has a header of more than 128 KiB");
    input_ = {};
    if (input_ended_) return Damaged("is cut off within a header");
    return GzipPiece{};
  }
  // The header was not whole without this input.
  input_.remove_prefix(size - before);
  held_.resize(size);
  CheckInvariant(inflateReset(&stream_) == Z_OK, "a stream of zlib starts again");
  state_ = State::kData;
  ++members_;
  checksum_ = 0;
  member_plain_ = 0;
  return ShowHeld(GzipPiece::Kind::kHeader);
}

absl::StatusOr<GzipPiece> GzipInflater::ReadData() {
  const size_t given = std::min(input_.size(), kMaxInput);
  // zlib reads through a pointer that is not const.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input_.data()));
  stream_.avail_in = static_cast<uInt>(given);
  stream_.next_out = plain_.data();
  stream_.avail_out = static_cast<uInt>(plain_.size());
  const int result = inflate(&stream_, Z_NO_FLUSH);
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
    return Damaged("is damaged: its deflate stream is none");
  }
  GzipPiece piece{.kind = GzipPiece::Kind::kData, .last = result == Z_STREAM_END};
  piece.bytes = input_.substr(0, given - stream_.avail_in);
  input_.remove_prefix(piece.bytes.size());
  const size_t plain = plain_.size() - stream_.avail_out;
  piece.plain = {reinterpret_cast<const char*>(plain_.data()), plain};
  checksum_ = static_cast<uint32_t>(crc32(checksum_, plain_.data(), static_cast<uInt>(plain)));
  member_plain_ += static_cast<uint32_t>(plain);
  plain_bytes_ += plain;
  if (absl::Status status = CheckLimits(piece.bytes.size()); !status.ok()) return status;
  if (piece.last) {
    state_ = State::kTrailer;
    return piece;
  }
  if (!piece.bytes.empty() || plain > 0) return piece;
  return input_ended_ ? absl::StatusOr<GzipPiece>(Damaged("is cut off")) : GzipPiece{};
}

absl::StatusOr<GzipPiece> GzipInflater::ReadTrailer() {
  if (!Hold(kTrailerBytes)) {
    return input_ended_ ? absl::StatusOr<GzipPiece>(Damaged("is cut off")) : GzipPiece{};
  }
  const std::string_view trailer = held_;
  if (Little(trailer.substr(0, 4)) != checksum_ || Little(trailer.substr(4)) != member_plain_) {
    return Damaged("is damaged: its checksum is another");
  }
  state_ = State::kBetween;
  return ShowHeld(GzipPiece::Kind::kTrailer);
}

GzipPiece GzipInflater::ReadTrailing() {
  if (input_.empty()) {
    return GzipPiece{.kind = input_ended_ ? GzipPiece::Kind::kEnd : GzipPiece::Kind::kStarved};
  }
  GzipPiece piece{.kind = GzipPiece::Kind::kTrailing, .bytes = input_};
  input_ = {};
  return piece;
}

absl::Status GzipInflater::CheckLimits(size_t taken) const {
  if (plain_bytes_ > limits_.max_plain_bytes) {
    return absl::ResourceExhaustedError(
        StrCat("the blob inflates to more than ", limits_.max_plain_bytes, " bytes"));
  }
  if (plain_bytes_ > limits_.free_plain_bytes &&
      plain_bytes_ / limits_.max_ratio > position_ + taken) {
    return absl::ResourceExhaustedError(
        StrCat("the blob inflates to more than ", limits_.max_ratio, " times its size"));
  }
  return absl::OkStatus();
}

absl::Status GzipInflater::Damaged(std::string_view what) const {
  return absl::InvalidArgumentError(StrCat("the blob ", what, ", at byte ", position_));
}

}  // namespace varve
