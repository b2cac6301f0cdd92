// Threads that serve connections, started when there is work and no thread for it, ended when they
// have had none for a while. Thread-safe.
#ifndef VARVE_DAEMON_HTTP_WORKER_POOL_H_
#define VARVE_DAEMON_HTTP_WORKER_POOL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "daemon/http/connection.h"
#include "daemon/http/request_reader.h"
#include "storage/base/mutex.h"

namespace varve {

class WorkerPool {
 public:
  // Serves one connection as far as it goes, with a buffer that is the thread's own.
  using Serve = std::function<void(std::unique_ptr<Connection>, IoBuffer&)>;

  WorkerPool(size_t max_workers, Serve serve);
  ~WorkerPool();  // as Stop
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Connections wait in order when all threads are busy. After Stop the connection is closed.
  void Submit(std::unique_ptr<Connection> connection);
  // True when a connection waits for a thread: whoever has one should not linger.
  bool has_waiting() const { return waiting_.load(std::memory_order_relaxed) > 0; }

  // Serves what waits, then ends all threads.
  void Stop();

 private:
  void Run();
  void StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::thread> TakeFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_workers_;
  const Serve serve_;

  std::atomic<size_t> waiting_{0};  // queue_.size(), readable without the lock
  Mutex mutex_;
  ConditionVariable work_;   // queue_ or stopping_ changed
  ConditionVariable ended_;  // a thread has
  std::deque<std::unique_ptr<Connection>> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<std::thread::id, std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> finished_ ABSL_GUARDED_BY(mutex_);  // to be joined
  size_t free_ ABSL_GUARDED_BY(mutex_) = 0;                    // threads waiting for work
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_WORKER_POOL_H_
