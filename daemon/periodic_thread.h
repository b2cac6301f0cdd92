// A background thread that does one thing again and again, with a pause before each time.
#ifndef VARVE_DAEMON_PERIODIC_THREAD_H_
#define VARVE_DAEMON_PERIODIC_THREAD_H_

#include <chrono>
#include <functional>
#include <thread>

#include "storage/base/mutex.h"

namespace varve {

class PeriodicThread {
 public:
  // Starts the thread; `work` runs on it, first after `pause`.
  PeriodicThread(std::chrono::nanoseconds pause, std::function<void()> work);
  // Waits for running work to end.
  ~PeriodicThread();
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;

  // For long work: it is time to end. From `work` only.
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // False when it is time to end.
  bool Pause() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::chrono::nanoseconds pause_;
  const std::function<void()> work_;
  mutable Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace varve

#endif  // VARVE_DAEMON_PERIODIC_THREAD_H_
