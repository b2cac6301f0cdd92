#include "storage/blob/damage_reports.h"

#include <string>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int64_t kMinuteNanos = 60 * kNanosPerSecond;
constexpr int64_t kRepeatNanos = 3600 * kNanosPerSecond;
constexpr uint64_t kMaxPerMinute = 30;
// So many are told within an hour at most: with those of the hour before, which go when the table
// is full, 1,860 x ~100 B = 190 kB.
constexpr size_t kMaxTold = kMaxPerMinute * 61;

}  // namespace

bool DamageReports::Admit(const Digest& digest, uint64_t* left_out) {
  const int64_t now = clock_.MonotonicNanos();
  MutexLock lock(mutex_);
  const auto found = told_.find(digest);
  if (found != told_.end() && now - found->second < kRepeatNanos) return false;
  if (told_this_minute_ == 0 || now - minute_began_nanos_ >= kMinuteNanos) {
    minute_began_nanos_ = now;
    told_this_minute_ = 0;
  }
  if (told_this_minute_ == kMaxPerMinute) {
    ++left_out_;
    return false;
  }
  if (told_.size() >= kMaxTold) {
    absl::erase_if(told_, [now](const auto& told) { return now - told.second >= kRepeatNanos; });
  }
  ++told_this_minute_;
  told_[digest] = now;
  *left_out = std::exchange(left_out_, 0);
  return true;
}

void DamageReports::Report(const Digest& digest, std::string_view fault) {
  if (tell_ == nullptr) return;
  uint64_t left_out = 0;
  if (!Admit(digest, &left_out)) return;
  std::string sentence = StrCat("blob ", digest.ToString(), " answers absent: ", fault,
                                "; a push of it heals that, and `varve fsck` tells what else is "
                                "damaged");
  if (left_out > 0) {
    sentence += StrCat("; before it, damage was met ", left_out, " times and not told");
  }
  tell_(sentence);
}

}  // namespace varve
