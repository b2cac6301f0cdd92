// The table of jobs with a kind of job that is no prune: it climbs stairs, each when the test
// allows it.
#include "storage/jobs/job_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using Code = absl::StatusCode;

struct Climb {
  int stairs = 0;
};
struct ClimbStep {
  int stair = 0;    // 0: of no stair
  std::string job;  // of the one that begins, and of those that say nothing new
};
struct Climbed {
  int stairs = 0;
};
struct ClimbJob {
  enum class State { kQueued, kRunning, kDone, kCancelled };
  std::string id;
  Climb request;
  State state = State::kQueued;
  int64_t queued_nanos = 0;
  int64_t started_nanos = 0;
  int64_t ended_nanos = 0;
  Climbed report;
  std::string error;
  int callers = 0;
};
using State = ClimbJob::State;

struct ClimbKind {
  using Request = Climb;
  using Step = ClimbStep;
  using Report = Climbed;
  using Job = ClimbJob;

  static constexpr char kNoun[] = "climb";
  static constexpr size_t kMaxJobs = 3;
  static constexpr size_t kMaxSteps = 4;

  static bool Same(const Climb& a, const Climb& b) { return a.stairs == b.stairs; }
  static ClimbStep Started(const std::string& id) { return {0, id}; }
  static ClimbStep Waiting(const std::string& id) { return {0, id}; }
  static bool IsNews(const ClimbStep& step) { return step.stair != 0; }
  static void Count(const ClimbStep& /*step*/, Climbed* report) { ++report->stairs; }
  static std::string Amount(const Climbed& report) { return StrCat(report.stairs, " stairs"); }
};

using Climbs = JobTable<ClimbKind>;

// What one caller was told; its call runs on a thread of its own.
class Caller {
 public:
  template <typename Call>
  explicit Caller(Call call)
      : outcome_(std::async(std::launch::async, [this, call] {
          return call([this](const ClimbStep& step) { return Hear(step); });
        })) {}

  ~Caller() { StopListening(); }  // then the call ends, and the future waits for that

  void StopListening() { listening_ = false; }
  absl::StatusOr<Climbed> outcome() { return outcome_.get(); }
  std::vector<int> stairs() {
    MutexLock lock(mutex_);
    return stairs_;
  }
  std::string job() {
    MutexLock lock(mutex_);
    return job_;
  }

 private:
  bool Hear(const ClimbStep& step) {
    MutexLock lock(mutex_);
    if (!step.job.empty()) job_ = step.job;
    if (step.stair != 0) stairs_.push_back(step.stair);
    return listening_;
  }

  Mutex mutex_;
  std::vector<int> stairs_ ABSL_GUARDED_BY(mutex_);
  std::string job_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> listening_ = true;
  std::future<absl::StatusOr<Climbed>> outcome_;  // last: its thread uses the others
};

class JobTableTest : public testing::Test {
 protected:
  absl::StatusOr<Climbed> DoClimb(const Climb& climb, const Climbs::Observer& observer) {
    if (climb.stairs < 0) return absl::InvalidArgumentError("there are no stairs down");
    const int others = running_.fetch_add(1);
    EXPECT_EQ(others, 0) << "one runs at a time";
    Climbed report;
    bool goes_on = true;
    while (goes_on && report.stairs < climb.stairs) {
      if (allowed_.fetch_sub(1) > 0) {
        goes_on = observer({++report.stairs, ""});
        continue;
      }
      allowed_.fetch_add(1);
      std::this_thread::sleep_for(milliseconds(1));
      goes_on = observer({0, ""});
    }
    running_.fetch_sub(1);
    return report;
  }
  void Allow(int stairs) { allowed_.fetch_add(stairs); }

  std::unique_ptr<Caller> Run(int stairs) {
    return std::make_unique<Caller>([this, stairs](const Climbs::Observer& observer) {
      return climbs_.Run({stairs}, observer);
    });
  }
  std::unique_ptr<Caller> Attach(const std::string& id) {
    return std::make_unique<Caller>(
        [this, id](const Climbs::Observer& observer) { return climbs_.Attach(id, observer); });
  }

  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 10'000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return condition();
  }
  // Until the job at that place of the listing is such.
  bool Reaches(size_t place, State state, int callers) {
    return Eventually([&] {
      const std::vector<ClimbJob> jobs = climbs_.List();
      return jobs.size() > place && jobs[place].state == state && jobs[place].callers == callers;
    });
  }

  FakeClock clock_;
  SeededRandom random_{1};
  std::atomic<int> allowed_ = 0;
  std::atomic<int> running_ = 0;
  Climbs climbs_{clock_, random_, [this](const Climb& climb, const Climbs::Observer& observer) {
                   return DoClimb(climb, observer);
                 }};
};

TEST_F(JobTableTest, AnEqualRequestAttachesAndIsToldAllOfIt) {
  const auto first = Run(3);
  Allow(2);
  ASSERT_TRUE(Eventually([&] { return first->stairs().size() == 2; }));
  const auto second = Run(3);
  ASSERT_TRUE(Reaches(0, State::kRunning, 2));
  EXPECT_EQ(climbs_.List().size(), 1u);
  Allow(1);
  EXPECT_EQ(first->outcome()->stairs, 3);
  EXPECT_EQ(second->outcome()->stairs, 3);
  EXPECT_THAT(first->stairs(), ElementsAre(1, 2, 3));
  EXPECT_THAT(second->stairs(), ElementsAre(1, 2, 3));
  EXPECT_EQ(climbs_.List()[0].state, State::kDone);
  EXPECT_EQ(climbs_.List()[0].error, "");
}

TEST_F(JobTableTest, OthersWaitInOrderUntilThereAreTooMany) {
  const auto first = Run(1);
  ASSERT_TRUE(Reaches(0, State::kRunning, 1));
  const auto second = Run(2);
  ASSERT_TRUE(Reaches(1, State::kQueued, 1));
  const auto third = Run(3);
  ASSERT_TRUE(Reaches(2, State::kQueued, 1));
  const absl::Status refused = climbs_.Run({4}, nullptr).status();
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.message(), "3 climbs are running or waiting; try again later");
  Allow(6);
  EXPECT_EQ(third->outcome()->stairs, 3);
  // The latest first.
  const std::vector<ClimbJob> ended = climbs_.List();
  ASSERT_EQ(ended.size(), 3u);
  EXPECT_EQ(ended[0].request.stairs, 3);
  EXPECT_EQ(ended[2].request.stairs, 1);
}

TEST_F(JobTableTest, WhoAttachesLateIsToldTheNewestSteps) {
  const auto first = Run(7);
  Allow(6);
  ASSERT_TRUE(Eventually([&] { return first->stairs().size() == 6; }));
  const auto late = Attach(first->job());
  ASSERT_TRUE(Reaches(0, State::kRunning, 2));
  ASSERT_TRUE(Eventually([&] { return late->stairs().size() == 4; }));
  EXPECT_THAT(late->stairs(), ElementsAre(3, 4, 5, 6));
  Allow(1);
  EXPECT_EQ(late->outcome()->stairs, 7);
  EXPECT_EQ(climbs_.Attach(first->job(), nullptr).status().message(),
            StrCat("no climb ", first->job(), " is running or waiting"));
}

TEST_F(JobTableTest, TheLastCallerThatLeavesEndsIt) {
  const auto first = Run(5);
  Allow(1);
  ASSERT_TRUE(Eventually([&] { return first->stairs().size() == 1; }));
  const auto second = Run(5);
  ASSERT_TRUE(Reaches(0, State::kRunning, 2));
  first->StopListening();
  ASSERT_TRUE(Reaches(0, State::kRunning, 1));
  second->StopListening();
  EXPECT_EQ(second->outcome()->stairs, 1);
  EXPECT_EQ(first->outcome()->stairs, 1);
  ASSERT_TRUE(Reaches(0, State::kCancelled, 0));
  EXPECT_EQ(climbs_.List()[0].error, "the climb was cancelled after 1 stairs");
}

TEST_F(JobTableTest, WhatIsCancelledIsNobodysSuccess) {
  const auto running = Run(5);
  Allow(1);
  ASSERT_TRUE(Eventually([&] { return running->stairs().size() == 1; }));
  const auto waiting = Run(6);
  ASSERT_TRUE(Reaches(1, State::kQueued, 1));
  EXPECT_TRUE(climbs_.Cancel(climbs_.List()[1].id).ok());
  EXPECT_EQ(waiting->outcome().status().message(), "the climb was cancelled before it began");
  EXPECT_TRUE(climbs_.Cancel(running->job()).ok());
  EXPECT_EQ(running->outcome().status(),
            absl::CancelledError("the climb was cancelled after 1 stairs"));
  EXPECT_EQ(climbs_.Cancel(running->job()).code(), Code::kNotFound);
}

TEST_F(JobTableTest, AFailureIsToldAndListed) {
  EXPECT_EQ(climbs_.Run({-1}, nullptr).status(),
            absl::InvalidArgumentError("there are no stairs down"));
  const std::vector<ClimbJob> ended = climbs_.List();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].state, State::kDone);
  EXPECT_EQ(ended[0].error, "there are no stairs down");
}

}  // namespace
}  // namespace varve
