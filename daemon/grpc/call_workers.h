// The threads that do the store's blocking work for the native door. A gRPC stream that waits for
// its client holds none of them, so their number bounds the work in progress, not the streams open.
// Thread-safe. Owned by the server.
#ifndef VARVE_DAEMON_GRPC_CALL_WORKERS_H_
#define VARVE_DAEMON_GRPC_CALL_WORKERS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"

namespace varve {

class CallWorkers {
 public:
  // Starts threads when they are needed, at most `max_threads`; they stay until destruction.
  CallWorkers(size_t max_threads, size_t max_queued);
  ~CallWorkers();  // does all that was submitted, then ends
  CallWorkers(const CallWorkers&) = delete;
  CallWorkers& operator=(const CallWorkers&) = delete;

  // Always takes the task; for streams, which have at most one task each.
  void Submit(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the task unless `max_queued` tasks are waiting already.
  bool TrySubmit(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Enqueue(std::function<void()> task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t max_threads_;
  const size_t max_queued_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CALL_WORKERS_H_
