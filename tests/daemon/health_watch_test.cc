#include "daemon/health_watch.h"

#include <gmock/gmock.h>

#include <vector>

#include "storage/base/clock.h"
#include "tests/support/unplayed_store.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FixedHealth final : public UnplayedSystem {
 public:
  void set_health(StoreHealth health) { health_ = health; }
  StoreHealth Health() override { return health_; }

 private:
  StoreHealth health_ = StoreHealth::kReady;
};

class HealthWatchTest : public testing::Test {
 protected:
  // At so many seconds after the start.
  void LookAt(int64_t second, StoreHealth health) {
    system_.set_health(health);
    watch_.Look(second * kNanosPerSecond);
  }

  FixedHealth system_;
  std::vector<bool> serving_;
  int given_up_ = 0;
  HealthWatch watch_{system_, std::chrono::nanoseconds(0),
                     [this](bool serving) { serving_.push_back(serving); },
                     [this] { ++given_up_; }};
};

TEST_F(HealthWatchTest, AFullDiskIsNotDead) {
  LookAt(1, StoreHealth::kReady);
  LookAt(2, StoreHealth::kFull);
  LookAt(5000, StoreHealth::kFull);
  LookAt(5001, StoreHealth::kReady);
  EXPECT_THAT(serving_, IsEmpty());
  EXPECT_EQ(given_up_, 0);
  EXPECT_FALSE(watch_.gave_up());
}

TEST_F(HealthWatchTest, ADeadStoreIsSaidAtOnceAndGivenUpAfterAMinute) {
  LookAt(1, StoreHealth::kReady);
  LookAt(2, StoreHealth::kDead);
  EXPECT_THAT(serving_, ElementsAre(false));
  LookAt(61, StoreHealth::kDead);
  EXPECT_EQ(given_up_, 0);
  LookAt(62, StoreHealth::kDead);
  EXPECT_EQ(given_up_, 1);
  LookAt(63, StoreHealth::kDead);
  EXPECT_EQ(given_up_, 1);
  EXPECT_TRUE(watch_.gave_up());
  EXPECT_THAT(serving_, ElementsAre(false));
}

TEST_F(HealthWatchTest, ALostStoreIsGivenUpAtOnce) {
  LookAt(1, StoreHealth::kFull);
  LookAt(2, StoreHealth::kLost);
  EXPECT_THAT(serving_, ElementsAre(false));
  EXPECT_EQ(given_up_, 1);
}

TEST_F(HealthWatchTest, TheMinuteBeginsAnewWithEachDeath) {
  LookAt(1, StoreHealth::kDead);
  LookAt(50, StoreHealth::kReady);
  LookAt(60, StoreHealth::kDead);
  LookAt(100, StoreHealth::kDead);
  EXPECT_THAT(serving_, ElementsAre(false, true, false));
  EXPECT_EQ(given_up_, 0);
}

}  // namespace
}  // namespace varve
