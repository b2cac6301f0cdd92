#include "daemon/http/worker_pool.h"

#include <system_error>
#include <utility>

#include "daemon/log.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kIdleThreadLife{10};

}  // namespace

WorkerPool::WorkerPool(size_t max_workers, Serve serve)
    : max_workers_(max_workers), serve_(std::move(serve)) {}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::StartThread() {
  std::thread thread;
  try {
    thread = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    // No more threads to be had: the running ones will come to it. With none at all it waits for
    // the next connection.
    Log(LogLevel::kWarning, "no_thread", {{"reason", error.what()}});
    return;
  }
  const std::thread::id id = thread.get_id();
  threads_.emplace(id, std::move(thread));
}

std::vector<std::thread> WorkerPool::TakeFinished() {
  std::vector<std::thread> finished;
  finished.swap(finished_);
  return finished;
}

void WorkerPool::Submit(std::unique_ptr<Connection> connection) {
  std::vector<std::thread> finished;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    finished = TakeFinished();
    queue_.push_back(std::move(connection));
    waiting_.store(queue_.size(), std::memory_order_relaxed);
    if (free_ < queue_.size() && threads_.size() < max_workers_) StartThread();
    work_.NotifyOne();
  }
  for (std::thread& thread : finished) thread.join();
}

void WorkerPool::Run() {
  IoBuffer buffer;
  while (true) {
    std::unique_ptr<Connection> connection;
    {
      MutexLock lock(mutex_);
      ++free_;
      bool in_time = true;
      while (queue_.empty() && !stopping_ && in_time) {
        in_time = work_.WaitFor(mutex_, kIdleThreadLife);
      }
      --free_;
      if (queue_.empty()) {  // told to stop, or nothing to do for long
        const auto self = threads_.find(std::this_thread::get_id());
        finished_.push_back(std::move(self->second));
        threads_.erase(self);
        ended_.NotifyAll();
        return;
      }
      connection = std::move(queue_.front());
      queue_.pop_front();
      waiting_.store(queue_.size(), std::memory_order_relaxed);
    }
    serve_(std::move(connection), buffer);
  }
}

void WorkerPool::Stop() {
  std::vector<std::thread> finished;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    work_.NotifyAll();
    while (!threads_.empty()) ended_.Wait(mutex_);
    finished = TakeFinished();
  }
  for (std::thread& thread : finished) thread.join();
}

}  // namespace varve
