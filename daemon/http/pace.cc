#include "daemon/http/pace.h"

#include <algorithm>

#include "daemon/http/socket.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr milliseconds kMoment{2};
// A peer that was slow and then moves so much at once is worth waiting for again.
constexpr size_t kPromptBytes = 64 * 1024;

}  // namespace

nanoseconds Pace::Allowed() const {
  if (min_bytes_per_second_ == 0) return stall_;
  const auto earned = milliseconds(bytes_ * 1000 / min_bytes_per_second_);
  return std::min<nanoseconds>(stall_, stall_ + earned - waited_);
}

void Patience::Moved(size_t bytes) {
  moved_bytes_ += bytes;
  if (moved_bytes_ >= kPromptBytes) prompt_ = true;
}

bool Patience::Wait(int fd, short events, Pace* pace) {
  if (!prompt_ || others_wait_() || (pace != nullptr && pace->Allowed() < kMoment)) return false;
  const auto start = steady_clock::now();
  const bool ready = PollOne(fd, events, kMoment);
  if (pace != nullptr) pace->Waited(steady_clock::now() - start);
  if (!ready) {
    prompt_ = false;
    moved_bytes_ = 0;
  }
  return ready;
}

}  // namespace varve
