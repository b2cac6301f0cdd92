#include "storage/index/usage_gate.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "storage/base/check.h"

namespace varve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{1};

// The gates that this thread is in, with how often. Nearly always one.
using Entries = absl::InlinedVector<std::pair<const UsageGate*, int>, 2>;

Entries& EntriesOfThisThread() {
  thread_local Entries entries;
  return entries;
}

std::pair<const UsageGate*, int>* FindEntry(const UsageGate* gate) {
  Entries& entries = EntriesOfThisThread();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [gate](const auto& entry) { return entry.first == gate; });
  return found == entries.end() ? nullptr : &*found;
}

size_t NumberOfThisThread() {
  static std::atomic<size_t> next = 0;
  thread_local const size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

bool UsageGate::Enter() {
  if (auto* const entry = FindEntry(this); entry != nullptr) {
    ++entry->second;
    return true;
  }
  std::atomic<int64_t>& inside = counts_[NumberOfThisThread() % counts_.size()].inside;
  for (;;) {
    // Sequentially consistent, like the other side: either this thread sees that it is closed, or
    // Close sees that this thread is in.
    inside.fetch_add(1);
    if (!closed_.load()) break;
    inside.fetch_sub(1);
    if (!WaitUntilOpen()) return false;
  }
  EntriesOfThisThread().emplace_back(this, 1);
  return true;
}

void UsageGate::Leave() {
  auto* const entry = FindEntry(this);
  CheckInvariant(entry != nullptr, "who leaves a gate is in");
  if (--entry->second > 0) return;
  Entries& entries = EntriesOfThisThread();
  *entry = entries.back();
  entries.pop_back();
  const int64_t inside = counts_[NumberOfThisThread() % counts_.size()].inside.fetch_sub(1);
  CheckInvariant(inside > 0, "who leaves a gate was counted");
}

bool UsageGate::Inside() const { return FindEntry(this) != nullptr; }

bool UsageGate::Empty() const {
  return std::all_of(counts_.begin(), counts_.end(),
                     [](const Count& count) { return count.inside.load() == 0; });
}

bool UsageGate::Close() {
  CheckInvariant(!Inside(), "who closes a gate is not in, or waits for itself");
  closed_.store(true);
  const Clock::time_point deadline = Clock::now() + patience_;
  while (!Empty()) {
    if (Clock::now() >= deadline) {
      Open();
      return false;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

void UsageGate::Open() {
  MutexLock lock(mutex_);
  closed_.store(false);
  opened_.NotifyAll();
}

bool UsageGate::WaitUntilOpen() {
  const Clock::time_point deadline = Clock::now() + patience_;
  MutexLock lock(mutex_);
  while (closed_.load()) {
    const auto left = deadline - Clock::now();
    if (left <= left.zero()) return false;
    opened_.WaitFor(mutex_, left);
  }
  return true;
}

}  // namespace varve
