#include "daemon/periodic_thread.h"

#include <utility>

namespace varve {

PeriodicThread::PeriodicThread(std::chrono::nanoseconds pause, std::function<void()> work)
    : pause_(pause), work_(std::move(work)), thread_([this] {
        while (Pause()) work_();
      }) {}

PeriodicThread::~PeriodicThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

bool PeriodicThread::stopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

bool PeriodicThread::Pause() {
  const auto deadline = std::chrono::steady_clock::now() + pause_;
  const MutexLock lock(mutex_);
  while (!stopping_) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) return true;
    wake_.WaitFor(mutex_, left);
  }
  return false;
}

}  // namespace varve
