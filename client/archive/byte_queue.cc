#include "client/archive/byte_queue.h"

#include <utility>

#include "storage/base/status.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Enough that neither side waits for the other's every step.
constexpr size_t kMaxWaitingBytes = 8 * kMiB;

}  // namespace

bool ByteQueue::Push(std::string_view bytes) {
  MutexLock lock(mutex_);
  while (!abandoned_ && waiting_bytes_ >= kMaxWaitingBytes) changed_.Wait(mutex_);
  if (abandoned_) return false;
  if (bytes.empty()) return true;
  waiting_.emplace_back(bytes);
  waiting_bytes_ += bytes.size();
  changed_.NotifyAll();
  return true;
}

void ByteQueue::End(const absl::Status& status) {
  MutexLock lock(mutex_);
  ended_ = true;
  end_status_ = status;
  changed_.NotifyAll();
}

absl::StatusOr<std::string_view> ByteQueue::Take() {
  MutexLock lock(mutex_);
  while (waiting_.empty() && !ended_ && !abandoned_) changed_.Wait(mutex_);
  if (abandoned_) return absl::CancelledError("the bytes are not wanted any more");
  if (waiting_.empty()) {
    RETURN_IF_ERROR(end_status_);
    return std::string_view();
  }
  taken_ = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= taken_.size();
  changed_.NotifyAll();
  return std::string_view(taken_);
}

void ByteQueue::Abandon() {
  MutexLock lock(mutex_);
  abandoned_ = true;
  changed_.NotifyAll();
}

}  // namespace varve
