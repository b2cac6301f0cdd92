#include "daemon/grpc/call_workers.h"

#include <system_error>
#include <utility>

#include "daemon/log.h"

namespace varve {

CallWorkers::CallWorkers(size_t max_threads, size_t max_queued)
    : max_threads_(max_threads), max_queued_(max_queued) {}

CallWorkers::~CallWorkers() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads) thread.join();
}

void CallWorkers::Submit(std::function<void()> task) {
  MutexLock lock(mutex_);
  Enqueue(std::move(task));
}

bool CallWorkers::TrySubmit(std::function<void()> task) {
  MutexLock lock(mutex_);
  if (queue_.size() >= max_queued_) return false;
  Enqueue(std::move(task));
  return true;
}

void CallWorkers::Enqueue(std::function<void()> task) {
  queue_.push_back(std::move(task));
  if (queue_.size() > idle_ && threads_.size() < max_threads_) {
    try {
      threads_.emplace_back([this] { Work(); });
    } catch (const std::system_error& error) {
      // The threads there are will come to it; without any, the task waits for the next start.
      Log(LogLevel::kWarning, "cannot start a thread", {{"reason", error.what()}});
    }
  }
  changed_.NotifyOne();
}

void CallWorkers::Work() {
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
      --idle_;
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace varve
