// An index that conflicts, and that cannot say whether it committed: after every scenario the store
// shows what was acknowledged, and nothing leaks, with a power cut and without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/crash/replay.h"
#include "tests/support/flaky_index.h"

namespace varve {
namespace {

using ::testing::IsEmpty;

Sabotage Unreliable(uint64_t seed) {
  Sabotage unreliable;
  unreliable.index = [seed](std::unique_ptr<Index> index, FileSystem&) {
    FlakyOptions options;
    options.seed = seed;
    return NewFlakyIndex(std::move(index), options);
  };
  return unreliable;
}

TEST(UnreliableIndexTest, EveryScenarioEndsAsIfNothingHadHappened) {
  const Cut never{.calls = uint64_t{1} << 40};
  const uint64_t seeds = LongRun() ? 50 : 3;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const Scenario& scenario :
         {InlinePushes(), LoosePushes(), PiecewisePushes(), ManifestsAndTags(), LargeManifests(),
          Deletions(), Removals(), Cleaning(), Claims(), Uploads(), Mixed(seed, 30)}) {
      EXPECT_THAT(Replay(scenario, never, Unreliable(seed)), IsEmpty())
          << Describe(scenario, never) << ", index seed " << seed;
    }
  }
}

TEST(UnreliableIndexTest, PowerCutsLoseNothingEither) {
  const Scenario scenario = Removals();
  for (const Cut& cut : CutsOf(scenario, {.cuts = 6, .seed = 8})) {
    EXPECT_THAT(Replay(scenario, cut, Unreliable(cut.seed)), IsEmpty())
        << Describe(scenario, cut) << ", index seed " << cut.seed;
  }
}

}  // namespace
}  // namespace varve
