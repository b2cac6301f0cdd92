#include "storage/base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace varve {
namespace {

TEST(MutexTest, OneThreadAtATime) {
  struct {
    Mutex mutex;
    int count ABSL_GUARDED_BY(mutex) = 0;
  } shared;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&shared] {
      for (int round = 0; round < 10'000; ++round) {
        const MutexLock lock(shared.mutex);
        ++shared.count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const MutexLock lock(shared.mutex);
  EXPECT_EQ(shared.count, 40'000);
}

TEST(ConditionVariableTest, WaitsForANotification) {
  Mutex mutex;
  ConditionVariable changed;
  bool ready = false;
  bool answered = false;
  std::thread other([&] {
    const MutexLock lock(mutex);
    while (!ready) changed.Wait(mutex);
    answered = true;
    changed.NotifyAll();
  });
  {
    const MutexLock lock(mutex);
    ready = true;
    changed.NotifyOne();
    while (!answered) changed.Wait(mutex);
    EXPECT_TRUE(answered);
  }
  other.join();
}

TEST(ConditionVariableTest, WaitForEndsWithTheTime) {
  Mutex mutex;
  ConditionVariable changed;
  const MutexLock lock(mutex);
  const auto begin = std::chrono::steady_clock::now();
  bool notified = true;
  while (notified) notified = changed.WaitFor(mutex, std::chrono::milliseconds(20));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(15));
}

}  // namespace
}  // namespace varve
