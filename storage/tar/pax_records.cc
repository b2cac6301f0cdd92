#include "storage/tar/pax_records.h"

namespace varve {
namespace {

// Far above any real record; what says more is malformed.
constexpr uint64_t kMaxRecordBytes = uint64_t{1} << 40;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<uint64_t> ParseDecimal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (!IsDigit(c) || value > INT64_MAX / 10) return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value > INT64_MAX) return std::nullopt;
  return value;
}

}  // namespace

void PaxRecords::Text::Append(char c) {
  if (size_ < bytes_.size()) bytes_[size_++] = c;
}

void PaxRecords::Feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (state_ == State::kMalformed) return;
    Take(c);
  }
}

void PaxRecords::Take(char c) {
  ++read_bytes_;
  if (state_ == State::kLength) return TakeLength(c);
  const bool last = read_bytes_ == length_bytes_;
  if (last) {
    if (c != '\n' || state_ != State::kValue) {
      state_ = State::kMalformed;
    } else {
      EndRecord();
    }
  } else if (state_ == State::kValue) {
    value_.Append(c);
  } else if (c == '=') {
    state_ = State::kValue;
  } else {
    key_.Append(c);
  }
}

void PaxRecords::TakeLength(char c) {
  if (IsDigit(c) && length_bytes_ < kMaxRecordBytes) {
    length_bytes_ = length_bytes_ * 10 + static_cast<uint64_t>(c - '0');
  } else if (c == ' ' && length_bytes_ > read_bytes_) {
    state_ = State::kKey;
  } else {
    state_ = State::kMalformed;
  }
}

void PaxRecords::EndRecord() {
  const std::optional<uint64_t> number =
      value_.whole() ? ParseDecimal(value_.view()) : std::nullopt;
  if (key_.view() == "size") size_bytes_ = number;
  if (key_.view() == "GNU.sparse.major") sparse_major_ = number;
  if (key_.view() == "GNU.sparse.minor") sparse_minor_ = number;
  state_ = State::kLength;
  length_bytes_ = 0;
  read_bytes_ = 0;
  key_.Clear();
  value_.Clear();
}

}  // namespace varve
