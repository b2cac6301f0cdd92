#include "storage/index/usage_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace varve {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(UsageGateTest, CloseWaitsForThoseInside) {
  UsageGate gate{hours(1)};
  std::atomic<bool> in = false;
  std::atomic<bool> out = false;
  std::thread user([&] {
    const GateEntry entry(gate);
    ASSERT_TRUE(entry.entered());
    in = true;
    std::this_thread::sleep_for(milliseconds(50));
    out = true;
  });
  while (!in) std::this_thread::yield();
  ASSERT_TRUE(gate.Close());
  EXPECT_TRUE(out);
  gate.Open();
  user.join();
}

TEST(UsageGateTest, WhoIsInsideComesInAgainWhileItIsBeingClosed) {
  UsageGate gate{hours(1)};
  std::atomic<bool> closed = false;
  ASSERT_TRUE(gate.Enter());
  std::thread closer([&] {
    ASSERT_TRUE(gate.Close());
    closed = true;
    gate.Open();
  });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(closed);
  ASSERT_TRUE(gate.Enter());  // would wait for itself
  EXPECT_TRUE(gate.Inside());
  gate.Leave();
  EXPECT_TRUE(gate.Inside());
  EXPECT_FALSE(closed);
  gate.Leave();
  closer.join();
  EXPECT_FALSE(gate.Inside());
}

TEST(UsageGateTest, NewcomersWaitUntilItIsOpen) {
  UsageGate gate{hours(1)};
  ASSERT_TRUE(gate.Close());
  std::atomic<bool> in = false;
  std::thread user([&] {
    ASSERT_TRUE(gate.Enter());
    in = true;
    gate.Leave();
  });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(in);
  gate.Open();
  user.join();
  EXPECT_TRUE(in);
}

TEST(UsageGateTest, NobodyWaitsForEver) {
  UsageGate gate{milliseconds(30)};
  ASSERT_TRUE(gate.Enter());
  std::thread closer([&] { EXPECT_FALSE(gate.Close()); });
  closer.join();
  gate.Leave();
  ASSERT_TRUE(gate.Enter());  // it is open again
  gate.Leave();
  ASSERT_TRUE(gate.Close());
  std::thread user([&] { EXPECT_FALSE(gate.Enter()); });
  user.join();
  gate.Open();
}

TEST(UsageGateTest, TwoGatesAreApart) {
  UsageGate one{milliseconds(30)};
  UsageGate two{milliseconds(30)};
  ASSERT_TRUE(one.Enter());
  EXPECT_FALSE(two.Inside());
  ASSERT_TRUE(two.Close());
  EXPECT_FALSE(two.Enter());
  two.Open();
  ASSERT_TRUE(two.Enter());
  one.Leave();
  EXPECT_TRUE(two.Inside());
  two.Leave();
}

// What the gate guards is never seen by anybody while one changes it.
TEST(UsageGateTest, ManyUsersAndOneWhoCloses) {
  UsageGate gate{hours(1)};
  int64_t guarded = 0;  // written while it is closed, without an atomic
  std::atomic<bool> stop = false;
  std::vector<std::thread> users;
  for (int i = 0; i < 4; ++i) {
    users.emplace_back([&] {
      while (!stop) {
        const GateEntry entry(gate);
        ASSERT_TRUE(entry.entered());
        ASSERT_EQ(guarded % 2, 0);
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(gate.Close());
    ++guarded;
    std::this_thread::yield();
    ++guarded;
    gate.Open();
  }
  stop = true;
  for (std::thread& user : users) user.join();
}

TEST(UsageGateDeathTest, WhoLeavesIsInAndWhoClosesIsNot) {
  UsageGate gate(std::chrono::milliseconds(1));
  EXPECT_DEATH(gate.Leave(), "who leaves a gate is in");
  ASSERT_TRUE(gate.Enter());
  EXPECT_DEATH((void)gate.Close(), "who closes a gate is not in");
  gate.Leave();
}

}  // namespace
}  // namespace varve
