#include "storage/jobs/work_pace.h"

#include <algorithm>
#include <thread>

namespace varve {
namespace {

using std::chrono::milliseconds;

// Shorter rests are mostly the timer's own.
constexpr milliseconds kLeastWork(1);
// One slow piece, which waited for the disk itself, is no reason to stand still.
constexpr milliseconds kLongestRest(20);
constexpr int64_t kPushing = kNanosPerSecond / 2;

}  // namespace

void WorkPace::Rest() {
  const auto worked = SteadyClock::now() - begin_;
  if (worked < kLeastWork) return;
  if (promises_.NanosSincePush() < kPushing) {
    std::this_thread::sleep_for(std::min<SteadyClock::duration>(worked, kLongestRest));
  }
  begin_ = SteadyClock::now();
}

}  // namespace varve
