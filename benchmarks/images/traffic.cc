#include "benchmarks/images/traffic.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "storage/base/mutex.h"

namespace varve::load {

std::vector<PacedOperation> RunAtRate(
    double per_second, int connections, const std::function<bool()>& stopped,
    const std::function<PreparedOperation(int connection, size_t number)>& prepare) {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  const Clock::time_point begin = Clock::now();
  std::atomic<size_t> next = 0;
  Mutex mutex;
  std::vector<PacedOperation> all;
  const auto work = [&](int connection) {
    std::vector<PacedOperation> done;
    for (;;) {
      const size_t number = next.fetch_add(1);
      const PreparedOperation operation = prepare(connection, number);
      const Clock::time_point due = begin + std::chrono::duration_cast<Clock::duration>(
                                                Seconds(static_cast<double>(number) / per_second));
      std::this_thread::sleep_until(due);
      if (stopped()) break;
      const absl::Status status = operation();
      const double took_ms = std::chrono::duration<double, std::milli>(Clock::now() - due).count();
      done.push_back({Seconds(due.time_since_epoch()).count(), took_ms, number, status});
    }
    MutexLock lock(mutex);
    all.insert(all.end(), done.begin(), done.end());
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < connections; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  return all;
}

}  // namespace varve::load
