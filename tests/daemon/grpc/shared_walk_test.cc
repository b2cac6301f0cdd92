#include "daemon/grpc/shared_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

namespace varve {
namespace {

using testing::ElementsAre;

class SharedWalkTest : public testing::Test {
 protected:
  using Walk = SharedWalk<int>;

  // Walks that last until `may_end_` says so.
  std::shared_ptr<Walk> Make() {
    return std::make_shared<Walk>(workers_, [this](std::vector<int> callers) {
      walks_.push_back(std::move(callers));
      begun_.set_value();
      may_end_.get_future().wait();
      begun_ = std::promise<void>();
      may_end_ = std::promise<void>();
      ended_.set_value();
    });
  }
  void Join(Walk& walk, int caller) { ASSERT_TRUE(walk.Join(caller).ok()); }
  void AwaitBegin() { begun_.get_future().wait(); }
  // Lets the walk that runs end.
  void End() {
    ended_ = std::promise<void>();
    may_end_.set_value();
    ended_.get_future().wait();
  }

  std::vector<std::vector<int>> walks_;
  std::promise<void> begun_;
  std::promise<void> may_end_;
  std::promise<void> ended_;
  CallWorkers workers_{4, 4};
};

TEST_F(SharedWalkTest, WhoComesWhileOneRunsGetsTheNext) {
  const std::shared_ptr<Walk> walk = Make();
  Join(*walk, 1);
  AwaitBegin();
  for (int caller = 2; caller <= 5; ++caller) Join(*walk, caller);
  End();
  AwaitBegin();
  Join(*walk, 6);
  End();
  AwaitBegin();
  End();
  EXPECT_THAT(walks_, ElementsAre(ElementsAre(1), ElementsAre(2, 3, 4, 5), ElementsAre(6)));
}

TEST_F(SharedWalkTest, OnlySoManyWait) {
  const std::shared_ptr<Walk> walk = Make();
  Join(*walk, 0);
  AwaitBegin();
  int joined = 0;
  int next = 1;
  while (joined < 100'000 && walk->Join(next).ok()) ++joined, ++next;
  EXPECT_EQ(joined, 4096);
  End();
  AwaitBegin();
  End();
  EXPECT_EQ(walks_.back().size(), 4096u);
}

}  // namespace
}  // namespace varve
