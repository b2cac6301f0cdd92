// The write order of storage/FORMAT.md, rule by rule. Every test replays scenarios with the power
// cut at calls to the disk, of ours and of RocksDB, and compares what is there again with a model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/store_file.h"
#include "tests/crash/replay.h"

namespace varve {
namespace {

using ::testing::IsEmpty;

void ReplayAll(const Scenario& scenario, const Sampling& sampling) {
  const std::vector<Cut> cuts = CutsOf(scenario, sampling);
  ASSERT_GT(cuts.size(), 1u) << scenario.name << " does not run without a power cut";
  for (const Cut& cut : cuts) {
    EXPECT_THAT(Replay(scenario, cut), IsEmpty()) << Describe(scenario, cut);
  }
}

// Runs the whole scenario, stops, and loses the power after `calls` calls of the next start.
std::vector<std::string> ReplayCutOpening(const Scenario& scenario, uint64_t calls, uint64_t seed) {
  CrashingStore crashing;
  Model model;
  EXPECT_EQ(crashing.Open(), absl::OkStatus());
  for (const Step& step : scenario.steps) {
    EXPECT_EQ(step.act(crashing), absl::OkStatus()) << step.name;
    step.effect(model);
  }
  crashing.Close();
  crashing.disk().CutPowerAfter(calls);
  crashing.Open().IgnoreError();
  crashing.PowerCycle(Survival::kRandom, seed);
  const absl::Status opened = crashing.Open();
  if (!opened.ok()) return {opened.ToString()};
  return model.Differences(crashing.store(), scenario.contents);
}

TEST(DurableOrderTest, ScenariosRunWithoutAPowerCut) {
  for (const Scenario& scenario :
       {InlinePushes(), LoosePushes(), PiecewisePushes(), ManifestsAndTags(), LargeManifests(),
        Deletions(), Removals(), Cleaning(), Claims(), Uploads(), Mixed(1, 30)}) {
    const Cut never{.calls = uint64_t{1} << 40};
    EXPECT_THAT(Replay(scenario, never), IsEmpty()) << scenario.name;
  }
}

// 1. Bytes MUST be synced, and their directory entry, before an index transaction names them.
TEST(DurableOrderTest, BytesAndEntryAreDurableBeforeARowNamesThem) {
  const Sampling sampling{.modes = {Survival::kOnlySynced, Survival::kRandom}, .cuts = 12};
  ReplayAll(LoosePushes(), sampling);
  ReplayAll(PiecewisePushes(), sampling);
  ReplayAll(LargeManifests(), sampling);
}

// 2. An index transaction that acknowledges something to a client MUST be synced before that.
TEST(DurableOrderTest, WhatWasAcknowledgedIsInASyncedTransaction) {
  const Sampling sampling{.modes = {Survival::kOnlySynced}, .cuts = 12, .seed = 2};
  ReplayAll(InlinePushes(), sampling);
  ReplayAll(ManifestsAndTags(), sampling);
  ReplayAll(Claims(), sampling);
  ReplayAll(Deletions(), sampling);
}

// 3. A manifest, its edges, its membership and its tag MUST become visible together.
TEST(DurableOrderTest, AManifestItsEdgesMembershipAndTagsAppearTogether) {
  ReplayAll(ManifestsAndTags(), {.cuts = 8, .seed = 3});
  ReplayAll(Deletions(), {.cuts = 8, .seed = 4});
}

// 4. Removal goes the other way: unreference, commit, then unlink; the row of the removed file
// stays until the unlink is synced.
TEST(DurableOrderTest, RemovalCommitsBeforeItUnlinksAndLeaksNothing) {
  ReplayAll(Removals(), {.cuts = 12, .seed = 5});
  ReplayAll(Cleaning(), {.cuts = 16, .seed = 7});
  ReplayAll(Uploads(), {.cuts = 8, .seed = 6});
}

// All of them: after any crash, every acknowledged blob, manifest and tag MUST be there with the
// right bytes, and nothing unacknowledged may be visible.
TEST(DurableOrderTest, AfterAnyCrashAllThatWasAcknowledgedIsThereAndNothingElse) {
  const uint64_t seeds = LongRun() ? 20 : 4;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    ReplayAll(Mixed(seed, 30), {.cuts = 5, .seed = 100 + seed});
  }
}

// Opening writes, too: RocksDB starts a new log and a new manifest each time.
TEST(DurableOrderTest, APowerCutWhileAStoreIsOpenedAgainLosesNothing) {
  const Scenario scenario = ManifestsAndTags();
  const uint64_t seeds = LongRun() ? 32 : 2;
  for (uint64_t calls = 0; calls < 45; ++calls) {
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      const std::vector<std::string> violations = ReplayCutOpening(scenario, calls, seed);
      EXPECT_THAT(violations, IsEmpty()) << "cut after " << calls << " calls, seed " << seed;
    }
  }
}

// A store of format version 1, opened by this one with the power cut after `calls` calls.
std::vector<std::string> ReplayCutUpgrade(const Scenario& scenario, uint64_t calls,
                                          Survival survival) {
  CrashingStore crashing;
  Model model;
  EXPECT_EQ(crashing.Open(), absl::OkStatus());
  for (const Step& step : scenario.steps) {
    EXPECT_EQ(step.act(crashing), absl::OkStatus()) << step.name;
    step.effect(model);
  }
  crashing.Close();
  absl::StatusOr<StoreFile> store = ReadStoreFile(crashing.disk(), kStoreDirectory);
  EXPECT_EQ(store.status(), absl::OkStatus());
  store->format_version = 1;
  EXPECT_EQ(WriteStoreFile(crashing.disk(), kStoreDirectory, *store), absl::OkStatus());

  crashing.disk().CutPowerAfter(calls);
  crashing.Open().IgnoreError();
  crashing.PowerCycle(survival, /*seed=*/calls);
  const absl::StatusOr<StoreFile> left = ReadStoreFile(crashing.disk(), kStoreDirectory);
  if (!left.ok()) return {left.status().ToString()};
  if (left->uuid != store->uuid) return {"STORE names another store"};
  const absl::Status opened = crashing.Open();
  if (!opened.ok()) return {opened.ToString()};
  const absl::StatusOr<StoreFile> upgraded = ReadStoreFile(crashing.disk(), kStoreDirectory);
  if (!upgraded.ok()) return {upgraded.status().ToString()};
  if (upgraded->format_version != kStoreFormatVersion) return {"the store was not upgraded"};
  return model.Differences(crashing.store(), scenario.contents);
}

TEST(DurableOrderTest, APowerCutWhileAStoreOfVersion1IsUpgradedLosesNothing) {
  const Scenario scenario = ManifestsAndTags();
  for (const Survival survival :
       {Survival::kOnlySynced, Survival::kEverything, Survival::kRandom}) {
    for (uint64_t calls = 0; calls < 45; ++calls) {
      EXPECT_THAT(ReplayCutUpgrade(scenario, calls, survival), IsEmpty())
          << "cut after " << calls << " calls";
    }
  }
}

}  // namespace
}  // namespace varve
