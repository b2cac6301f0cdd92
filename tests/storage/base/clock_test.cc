// The machine's clock and randomness, and the ones that tests use in their place.
#include "storage/base/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace varve {
namespace {

TEST(SystemClockTest, WallTimeIsUnixTime) {
  using std::chrono::system_clock;
  const auto unix_nanos = [] {
    return std::chrono::nanoseconds(system_clock::now().time_since_epoch()).count();
  };
  const int64_t before = unix_nanos();
  const int64_t wall = SystemClock().WallNanos();
  const int64_t after = unix_nanos();
  EXPECT_GE(wall, before);
  EXPECT_LE(wall, after);
}

TEST(SystemClockTest, MonotonicTimePasses) {
  const int64_t before = SystemClock().MonotonicNanos();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_GE(SystemClock().MonotonicNanos() - before, 2'000'000);
}

TEST(SystemRandomTest, DoesNotRepeat) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(SystemRandom().Next());
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(FakeClockTest, MovesOnlyWhenTold) {
  FakeClock clock(5 * kNanosPerSecond);
  const int64_t monotonic = clock.MonotonicNanos();
  EXPECT_EQ(clock.WallNanos(), 5 * kNanosPerSecond);
  EXPECT_EQ(clock.MonotonicNanos(), monotonic);
  clock.Advance(3);
  EXPECT_EQ(clock.WallNanos(), 5 * kNanosPerSecond + 3);
  EXPECT_EQ(clock.MonotonicNanos(), monotonic + 3);
}

TEST(FakeClockTest, AJumpIsNotTime) {
  FakeClock clock;
  const int64_t monotonic = clock.MonotonicNanos();
  const int64_t wall = clock.WallNanos();
  clock.JumpWall(-100);
  EXPECT_EQ(clock.WallNanos(), wall - 100);
  clock.SetWall(42);
  EXPECT_EQ(clock.WallNanos(), 42);
  EXPECT_EQ(clock.MonotonicNanos(), monotonic);
}

TEST(SeededRandomTest, IsSplitMix64) {
  SeededRandom random(1234567);  // the published test vector of the algorithm
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
}

TEST(SeededRandomTest, ThreadsShareOneSequence) {
  constexpr int kDraws = 1000;
  SeededRandom shared(9);
  std::vector<std::vector<uint64_t>> drawn(2);
  std::vector<std::thread> threads;
  for (auto& values : drawn) {
    threads.emplace_back([&shared, &values] {
      for (int i = 0; i < kDraws; ++i) values.push_back(shared.Next());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> all(drawn[0].begin(), drawn[0].end());
  all.insert(drawn[1].begin(), drawn[1].end());
  SeededRandom again(9);
  std::set<uint64_t> expected;
  for (int i = 0; i < 2 * kDraws; ++i) expected.insert(again.Next());
  EXPECT_EQ(all, expected);
}

TEST(SeededRandomTest, BelowReachesEveryValueAndNoOther) {
  SeededRandom random(0);
  std::set<uint64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.Below(5));
  EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace varve
