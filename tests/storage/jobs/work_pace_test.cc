#include "storage/jobs/work_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using SteadyClock = std::chrono::steady_clock;

class WorkPaceTest : public testing::Test {
 protected:
  // How long the rest after a piece of work lasts that took `work`.
  nanoseconds RestAfter(milliseconds work) {
    WorkPace pace(promises_);
    std::this_thread::sleep_for(work);
    const SteadyClock::time_point begin = SteadyClock::now();
    pace.Rest();
    return SteadyClock::now() - begin;
  }
  // Of several, because the machine may be busy with something else.
  nanoseconds ShortestRestAfter(milliseconds work) {
    nanoseconds shortest = RestAfter(work);
    for (int i = 0; i < 20; ++i) shortest = std::min(shortest, RestAfter(work));
    return shortest;
  }

  FakeClock clock_;
  Promises promises_{clock_, 600 * kNanosPerSecond};
};

TEST_F(WorkPaceTest, RestsAsLongAsItWorkedWhileClientsPush) {
  promises_.NotePush();
  EXPECT_GE(RestAfter(milliseconds(5)), milliseconds(5));
  EXPECT_LT(ShortestRestAfter(milliseconds(60)), milliseconds(60)) << "one slow piece";
}

TEST_F(WorkPaceTest, GoesOnWhenNobodyPushes) {
  EXPECT_LT(ShortestRestAfter(milliseconds(5)), milliseconds(5)) << "nothing was ever granted";
  promises_.NotePush();
  clock_.Advance(kNanosPerSecond);
  EXPECT_LT(ShortestRestAfter(milliseconds(5)), milliseconds(5));
}

TEST_F(WorkPaceTest, APushIsNoticed) {
  clock_.Advance(kNanosPerSecond);
  promises_.NotePush();
  clock_.Advance(kNanosPerSecond / 4);
  EXPECT_EQ(promises_.NanosSincePush(), kNanosPerSecond / 4);
}

}  // namespace
}  // namespace varve
