// How fast a transfer goes, smoothed over its last seconds. Not thread-safe; the caller reads the
// clock.
#ifndef VARVE_CLIENT_CLI_TRANSFER_RATE_H_
#define VARVE_CLIENT_CLI_TRANSFER_RATE_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "storage/base/clock.h"

namespace varve {

class TransferRate {
 public:
  // The transfer stands at `bytes` at `now_nanos` (monotonic). The first call is where it starts,
  // which for a resumed one is not zero; after a step back it starts anew.
  void Record(int64_t now_nanos, uint64_t bytes) {
    if (!samples_.empty() && bytes < bytes_) samples_.clear();
    bytes_ = bytes;
    if (samples_.empty() || now_nanos - samples_.back().nanos >= kSpacingNanos) {
      samples_.push_back({now_nanos, bytes});
    }
    while (samples_.size() > 1 && now_nanos - samples_[1].nanos >= kWindowNanos) {
      samples_.pop_front();
    }
  }

  // Sinks towards zero while nothing is recorded. Nothing when it is too early to tell.
  std::optional<uint64_t> BytesPerSecond(int64_t now_nanos) const {
    if (samples_.empty()) return std::nullopt;
    size_t first = 0;
    while (first + 1 < samples_.size() && now_nanos - samples_[first + 1].nanos >= kWindowNanos) {
      ++first;
    }
    const int64_t nanos = now_nanos - samples_[first].nanos;
    if (nanos < kTooEarlyNanos) return std::nullopt;
    const auto bytes = static_cast<double>(bytes_ - samples_[first].bytes);
    return static_cast<uint64_t>(bytes * kNanosPerSecond / static_cast<double>(nanos));
  }

 private:
  static constexpr int64_t kWindowNanos = 5 * kNanosPerSecond;
  static constexpr int64_t kSpacingNanos = kNanosPerSecond / 10;  // so at most 52 samples
  static constexpr int64_t kTooEarlyNanos = kNanosPerSecond / 2;

  struct Sample {
    int64_t nanos;
    uint64_t bytes;
  };
  std::deque<Sample> samples_;
  uint64_t bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_TRANSFER_RATE_H_
