// Lets many threads use a thing at once, and one close it: whoever is in is waited for, whoever
// comes waits until it is open again. A thread that is in may come in again, also while it is being
// closed, so that nobody waits for itself. Thread-safe.
//
// Coming in costs one atomic addition to a line that few threads share, going out another.
#ifndef VARVE_STORAGE_INDEX_USAGE_GATE_H_
#define VARVE_STORAGE_INDEX_USAGE_GATE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "storage/base/mutex.h"

namespace varve {

class UsageGate {
 public:
  // `patience`: how long one waits for the other, in both directions.
  explicit UsageGate(std::chrono::nanoseconds patience) : patience_(patience) {}

  // False when it stayed closed for the whole of `patience`. Each success needs one Leave, in the
  // same thread.
  [[nodiscard]] bool Enter() ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave();
  // Whether this thread is in.
  bool Inside() const;

  // By one thread at a time, which must not be in. False, and open again, when somebody stayed in
  // for the whole of `patience`.
  [[nodiscard]] bool Close() ABSL_LOCKS_EXCLUDED(mutex_);
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct alignas(64) Count {
    std::atomic<int64_t> inside = 0;
  };

  bool Empty() const;
  bool WaitUntilOpen() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::chrono::nanoseconds patience_;
  std::array<Count, 16> counts_;
  std::atomic<bool> closed_ = false;
  Mutex mutex_;
  ConditionVariable opened_;
};

// In while it lives, if entered() says so. Of one thread.
class GateEntry {
 public:
  explicit GateEntry(UsageGate& gate) : gate_(gate), entered_(gate.Enter()) {}
  ~GateEntry() {
    if (entered_) gate_.Leave();
  }
  GateEntry(const GateEntry&) = delete;
  GateEntry& operator=(const GateEntry&) = delete;

  bool entered() const { return entered_; }

 private:
  UsageGate& gate_;
  const bool entered_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_USAGE_GATE_H_
