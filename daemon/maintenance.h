// The background thread that keeps a store tidy: it asks the store, at a fixed pause, to give back
// what nothing refers to any more, and logs what that freed. Owned by main.
#ifndef VARVE_DAEMON_MAINTENANCE_H_
#define VARVE_DAEMON_MAINTENANCE_H_

#include <chrono>
#include <thread>

#include "storage/base/mutex.h"
#include "storage/store.h"

namespace varve {

class Maintenance {
 public:
  // Starts the thread. `store` must outlive this object.
  Maintenance(Store& store, std::chrono::nanoseconds interval);
  // Waits for a running round to end.
  ~Maintenance();
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when it is time to end.
  bool Pause() ABSL_LOCKS_EXCLUDED(mutex_);
  void Reclaim();

  Store& store_;
  const std::chrono::nanoseconds interval_;
  Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace varve

#endif  // VARVE_DAEMON_MAINTENANCE_H_
