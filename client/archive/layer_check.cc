#include "client/archive/layer_check.h"

#include <utility>

#include "storage/limits.h"

namespace varve {
namespace {

// Enough that neither side waits for the other's every step.
constexpr size_t kMaxWaitingBytes = 8 * kMiB;

}  // namespace

LayerCheck::LayerCheck(const InflateLimits& limits)
    : thread_([this, limits] {
        absl::StatusOr<InflatedDigest> answer =
            DigestInflatedTar([this] { return Take(); }, limits);
        MutexLock lock(mutex_);
        answer_ = std::move(answer);
        changed_.NotifyAll();
      }) {}

LayerCheck::~LayerCheck() {
  {
    MutexLock lock(mutex_);
    abandoned_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

absl::Status LayerCheck::Push(std::string_view bytes) {
  MutexLock lock(mutex_);
  while (!answer_ && waiting_bytes_ >= kMaxWaitingBytes) changed_.Wait(mutex_);
  if (answer_) return answer_->status();
  if (bytes.empty()) return absl::OkStatus();
  waiting_.emplace_back(bytes);
  waiting_bytes_ += bytes.size();
  changed_.NotifyAll();
  return absl::OkStatus();
}

absl::StatusOr<InflatedDigest> LayerCheck::Finish() {
  MutexLock lock(mutex_);
  ended_ = true;
  changed_.NotifyAll();
  while (!answer_) changed_.Wait(mutex_);
  return *answer_;
}

absl::StatusOr<std::string_view> LayerCheck::Take() {
  MutexLock lock(mutex_);
  while (waiting_.empty() && !ended_ && !abandoned_) changed_.Wait(mutex_);
  if (abandoned_) return absl::CancelledError("the layer is not wanted any more");
  if (waiting_.empty()) return std::string_view();
  taken_ = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= taken_.size();
  changed_.NotifyAll();
  return std::string_view(taken_);
}

}  // namespace varve
