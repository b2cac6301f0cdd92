#include "storage/tar/tar_body.h"

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/tar/tar_header.h"

namespace varve {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kBufferBytes = 4096;
constexpr unsigned kKindBits = 2;

void AppendVarint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Small numbers of either sign to small ones without: 0, -1, 1, -2, …
uint64_t ToZigzag(uint64_t difference) {
  return (difference << 1) ^ (difference >> 63 != 0 ? ~uint64_t{0} : 0);
}
uint64_t FromZigzag(uint64_t value) { return (value >> 1) ^ ((value & 1) != 0 ? ~uint64_t{0} : 0); }

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(StrCat("the body of a packed archive is damaged: ", what));
}

}  // namespace

uint64_t TarOperation::size_bytes() const {
  return kind == Kind::kHeaders ? count * kTarBlockBytes : count;
}

TarBodyWriter::TarBodyWriter() : operations_(1, static_cast<char>(kVersion)) {}

void TarBodyWriter::Add(TarOperation::Kind kind, uint64_t count) {
  if (count == 0) return;
  if (kind != last_.kind) {
    Write();
    last_.kind = kind;
  }
  last_.count += count;
}

void TarBodyWriter::Header(uint64_t seconds) {
  CheckInvariant(seconds < kEndOfTarTimes, "a time comes from a field of a header");
  Add(TarOperation::Kind::kHeaders, 1);
  AppendVarint(&times_, ToZigzag(seconds - last_seconds_));
  last_seconds_ = seconds;
}

void TarBodyWriter::Write() {
  if (last_.count == 0) return;
  CheckInvariant(last_.count >> (64 - kKindBits) == 0, "a run of an archive has 62 bits");
  AppendVarint(&operations_, (last_.count << kKindBits) | static_cast<uint64_t>(last_.kind));
  archive_bytes_ += last_.size_bytes();
  last_.count = 0;
}

void TarBodyWriter::Finish() {
  Write();
  AppendVarint(&operations_, 0);
  AppendVarint(&operations_, archive_bytes_);
}

VarintReader::VarintReader(TarStream stream, std::string name)
    : stream_(std::move(stream)), name_(std::move(name)), buffer_(kBufferBytes) {}

absl::Status VarintReader::Fill() {
  if (begin_ < end_) return absl::OkStatus();
  begin_ = 0;
  ASSIGN_OR_RETURN(end_, stream_(absl::MakeSpan(buffer_)));
  return absl::OkStatus();
}

absl::StatusOr<bool> VarintReader::AtEnd() {
  RETURN_IF_ERROR(Fill());
  return begin_ == end_;
}

absl::StatusOr<uint8_t> VarintReader::Byte() {
  RETURN_IF_ERROR(Fill());
  if (begin_ == end_) return Damaged(StrCat("its ", name_, " break off"));
  return static_cast<uint8_t>(buffer_[begin_++]);
}

absl::StatusOr<uint64_t> VarintReader::Varint() {
  uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    ASSIGN_OR_RETURN(const uint8_t byte, Byte());
    const uint64_t bits = byte & 0x7f;
    const bool too_long = shift == 63 && byte > 1;
    const bool not_shortest = shift > 0 && byte == 0;
    if (too_long || not_shortest) return Damaged(StrCat("a number of its ", name_));
    value |= bits << shift;
    if (byte < 0x80) return value;
  }
}

TarBodyReader::TarBodyReader(TarStream operations, TarStream times, uint64_t max_bytes)
    : operations_(std::move(operations), "operations"),
      times_(std::move(times), "times"),
      max_bytes_(max_bytes) {}

absl::Status TarBodyReader::ReadVersion() {
  begun_ = true;
  ASSIGN_OR_RETURN(const uint8_t version, operations_.Byte());
  if (version == kVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("the body of a packed archive has version ", static_cast<unsigned>(version),
             ", which this build does not know; use the one that packed it or a later one"));
}

absl::Status TarBodyReader::ReadEnd() {
  ended_ = true;
  ASSIGN_OR_RETURN(const uint64_t archive_bytes, operations_.Varint());
  if (archive_bytes != archive_bytes_) return Damaged("its operations make another size");
  ASSIGN_OR_RETURN(const bool no_operations, operations_.AtEnd());
  if (!no_operations) return Damaged("it goes on after its end");
  ASSIGN_OR_RETURN(const bool no_times, times_.AtEnd());
  if (!no_times) return Damaged("it has more times than headers");
  return absl::OkStatus();
}

absl::StatusOr<std::optional<TarOperation>> TarBodyReader::Next() {
  if (ended_) return std::nullopt;
  if (!begun_) RETURN_IF_ERROR(ReadVersion());
  ASSIGN_OR_RETURN(const uint64_t value, operations_.Varint());
  if (value == 0) {
    RETURN_IF_ERROR(ReadEnd());
    return std::nullopt;
  }
  const TarOperation operation{
      .kind = static_cast<TarOperation::Kind>(value & ((1 << kKindBits) - 1)),
      .count = value >> kKindBits};
  if (operation.count == 0) return Damaged("an operation that does nothing");
  if (operation.kind == last_kind_) return Damaged("two operations where one would do");
  const uint64_t left_bytes = max_bytes_ - archive_bytes_;
  if (operation.count > left_bytes || operation.size_bytes() > left_bytes) {
    return Damaged("it makes more bytes than it may");
  }
  last_kind_ = operation.kind;
  archive_bytes_ += operation.size_bytes();
  return operation;
}

absl::StatusOr<uint64_t> TarBodyReader::NextSeconds() {
  ASSIGN_OR_RETURN(const uint64_t value, times_.Varint());
  seconds_ += FromZigzag(value);
  if (seconds_ >= kEndOfTarTimes) return Damaged("a time that no header has");
  return seconds_;
}

}  // namespace varve
