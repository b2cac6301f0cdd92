#include "storage/reclaim/reclaimer.h"

#include <gtest/gtest.h>

#include <functional>

#include "storage/base/status.h"
#include "storage/image/hasher.h"
#include "storage/index/memory_index.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/flaky_index.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/stepped_index.h"
#include "tests/support/tombstone_index.h"

namespace varve {
namespace {

constexpr int64_t kPromise = 600 * kNanosPerSecond;
constexpr RepositoryId kHere = 7;

// What the reclaimer needs of a store.
class World {
 public:
  explicit World(std::unique_ptr<Index> index = NewMemoryIndex()) : index_(std::move(index)) {
    EXPECT_TRUE(disk_.CreateDirectory("/blobs").ok());
    clock_.Advance(kPromise);
  }

  Digest Commit(const std::string& bytes) {
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
    const auto blob = blobs_.Stage(digest, bytes);
    EXPECT_TRUE(blob.ok()) << blob.status();
    const auto info = blobs_.Commit(*blob, [](Transaction&) { return absl::OkStatus(); });
    EXPECT_TRUE(info.ok()) << info.status();
    return digest;
  }
  ReclaimReport Pass() {
    const auto report = reclaimer_.Run();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(ReclaimReport());
  }
  size_t Condemned() { return index_->Scan(PrefixRange(CondemnedPrefix()), 10'000).value().size(); }
  size_t Files() { return files_.List(1, 100'000).value().size(); }
  absl::Status Edge(const Digest& digest, bool there) {
    return index_->Run([&](Transaction& txn) {
      const std::string key = MemberEdgeKey(digest, kHere);
      return there ? txn.Put(key, "") : txn.Delete(key);
    });
  }
  // As a deletion does it: the blob is condemned with the edge that goes.
  absl::Status DeleteEdge(const Digest& digest, RepositoryId repository) {
    return index_->Run([&](Transaction& txn) -> absl::Status {
      RETURN_IF_ERROR(txn.Delete(MemberEdgeKey(digest, repository)));
      return txn.Put(CondemnedKey(clock_.WallNanos(), digest), "");
    });
  }
  // As a push does it.
  absl::Status AddEdgeIfThere(const Digest& digest) {
    return index_->Run([&](Transaction& txn) -> absl::Status {
      ASSIGN_OR_RETURN(const std::optional<std::string> blob,
                       txn.GetForUpdate(BlobKey(digest), Guard::kShared));
      return blob.has_value() ? txn.Put(MemberEdgeKey(digest, kHere), "") : absl::OkStatus();
    });
  }
  bool IsHere(const Digest& digest) { return index_->Get(BlobKey(digest)).value().has_value(); }
  bool HasEdge(const Digest& digest) {
    return !index_->Scan(PrefixRange(EdgePrefix(digest)), 1).value().empty();
  }

  MemoryFileSystem disk_;
  FakeClock clock_;
  const std::unique_ptr<Index> index_;
  IdAllocator ids_{*index_};
  UnnamedFiles unnamed_{ids_};
  BlobFiles files_{disk_, "/blobs"};
  Removals removals_{*index_, {&files_}, unnamed_, clock_};
  Space space_{disk_, "/", {}, 0};
  DamageReports damage_{clock_, nullptr};
  BlobStore blobs_{{*index_, ids_, files_, unnamed_, removals_, space_, clock_, damage_, kPromise}};
  Promises promises_{clock_, kPromise};
  Reclaimer reclaimer_{{*index_, blobs_, removals_, promises_, space_, clock_}};
};

class ReclaimerTest : public testing::Test, public World {
 protected:
  using World::World;
};

TEST_F(ReclaimerTest, TakesWhatIsDueAndNothingElse) {
  clock_.Advance(kPromise);
  Commit(std::string(100'000, 'a'));
  clock_.Advance(kPromise / 2);
  Commit(std::string(100'000, 'b'));
  EXPECT_EQ(Pass().blobs, 0u);
  clock_.Advance(kPromise / 2);
  EXPECT_EQ(Pass().blobs, 1u);
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(Condemned(), 1u);
  EXPECT_EQ(space_.logical_bytes(), 100'000u);
}

TEST_F(ReclaimerTest, DropsTheRowOfWhatIsNamed) {
  const Digest digest = Commit(std::string(100'000, 'a'));
  ASSERT_TRUE(Edge(digest, true).ok());
  clock_.Advance(2 * kPromise);
  EXPECT_EQ(Pass().blobs, 0u);
  EXPECT_EQ(Condemned(), 0u);
  EXPECT_EQ(Files(), 1u);
}

// Promises that ended early have put rows off, which nobody would look at before their time.
TEST_F(ReclaimerTest, LooksAtEverythingWhenPromisesHaveEndedEarly) {
  const Digest put_off = Commit("small");
  const Digest promised = Commit("other");
  clock_.Advance(2 * kPromise);
  ASSERT_TRUE(promises_.Grant(kHere, put_off).ok());
  ASSERT_TRUE(promises_.Grant(kHere, promised).ok());
  EXPECT_EQ(Pass().deferred, 2u);
  promises_.EndAll();
  EXPECT_EQ(Pass().blobs, 0u);
  reclaimer_.LookAtEverything();
  ASSERT_TRUE(promises_.Grant(kHere, promised).ok());
  const ReclaimReport report = Pass();
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_EQ(report.deferred, 1u);
  EXPECT_EQ(Condemned(), 1u);
  clock_.Advance(kPromise);
  EXPECT_EQ(Pass().blobs, 1u);
}

TEST_F(ReclaimerTest, PostponesWhatIsPromised) {
  const Digest digest = Commit("small");
  clock_.Advance(2 * kPromise);
  ASSERT_TRUE(promises_.Grant(kHere, digest).ok());
  EXPECT_EQ(Pass().deferred, 1u);
  EXPECT_EQ(Pass().deferred, 0u);  // not looked at again before its time
  EXPECT_EQ(Condemned(), 1u);
  clock_.Advance(kPromise);
  EXPECT_EQ(Pass().blobs, 1u);
  EXPECT_EQ(Condemned(), 0u);
}

TEST_F(ReclaimerTest, DamagedRowDoesNotStopTheRest) {
  const Digest bad = Commit("first");
  clock_.Advance(1);
  Commit(std::string(100'000, 'a'));
  ASSERT_TRUE(index_->Run([&](Transaction& txn) { return txn.Put(BlobKey(bad), "?"); }).ok());
  clock_.Advance(2 * kPromise);
  // It is kept aside and told, once an hour, and costs later passes nothing.
  const ReclaimReport report = Pass();
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_EQ(report.kept_aside, 1u);
  EXPECT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.deferred, 0u);
  EXPECT_EQ(Files(), 0u);
  EXPECT_EQ(Condemned(), 1u);
  clock_.Advance(3500 * kNanosPerSecond);
  EXPECT_EQ(Pass().kept_aside, 0u);
  clock_.Advance(200 * kNanosPerSecond);
  EXPECT_EQ(Pass().kept_aside, 1u);
}

TEST_F(ReclaimerTest, FailedUnlinkIsMadeGood) {
  Commit(std::string(100'000, 'a'));
  clock_.Advance(2 * kPromise);
  disk_.Inject({FileCall::kRemove, absl::UnavailableError("failed"), 1, {}, false});
  EXPECT_EQ(Pass().blobs, 1u);
  EXPECT_EQ(Files(), 1u);
  clock_.Advance(kNanosPerSecond);
  Pass();
  EXPECT_EQ(Files(), 0u);
  EXPECT_TRUE(index_->Scan(PrefixRange(RemovingPrefix()), 10)->empty());
}

// Deletes `images` that share a layer which one more image keeps; returns what the pass afterwards
// read.
size_t StepsAfterDeletionsOfASharedLayer(RepositoryId images) {
  auto counted = std::make_unique<TombstoneIndex>(NewMemoryIndex());
  TombstoneIndex& index = *counted;
  World world(std::move(counted));
  const Digest layer = world.Commit("layer");
  for (RepositoryId image = 1; image <= images + 1; ++image) {
    EXPECT_TRUE(
        index.Run([&](Transaction& txn) { return txn.Put(MemberEdgeKey(layer, image), ""); }).ok());
  }
  for (RepositoryId image = 1; image <= images; ++image) {
    world.clock_.Advance(1);
    EXPECT_TRUE(world.DeleteEdge(layer, image).ok());
  }
  world.clock_.Advance(2 * kPromise);
  index.Reset();
  EXPECT_EQ(world.Pass().blobs, 0u);
  const size_t steps = index.steps();
  EXPECT_EQ(world.Condemned(), 0u);
  EXPECT_TRUE(world.IsHere(layer));
  return steps;
}

TEST(ReclaimCostTest, GrowsWithTheDeletionsOfASharedLayerAndNotTheirSquare) {
  const size_t some = StepsAfterDeletionsOfASharedLayer(500);
  const size_t four_times = StepsAfterDeletionsOfASharedLayer(2000);
  EXPECT_LE(four_times, 5 * some);
  EXPECT_LE(four_times, 20u * 2000);
}

TEST(ReclaimCostTest, AnIdlePassDoesNotWalkOverWhatEarlierOnesTookAway) {
  auto counted = std::make_unique<TombstoneIndex>(NewMemoryIndex());
  TombstoneIndex& index = *counted;
  World world(std::move(counted));
  for (int i = 0; i < 500; ++i) world.Commit(std::to_string(i));
  world.clock_.Advance(2 * kPromise);
  EXPECT_EQ(world.Pass().blobs, 500u);
  world.clock_.Advance(kPromise);
  EXPECT_EQ(world.Pass().blobs, 0u);
  index.Reset();
  world.clock_.Advance(kNanosPerSecond);
  EXPECT_EQ(world.Pass().blobs, 0u);
  EXPECT_LE(index.steps(), 20u);
}

// Runs `meanwhile` before and after each call that a pass makes of the index, each in a new world
// that `prepare` has made, and hands that world to `check`.
void AtEveryStep(const std::function<void(World&)>& prepare,
                 const std::function<void(World&)>& meanwhile,
                 const std::function<void(World&)>& check) {
  for (const bool after : {false, true}) {
    bool reached = true;
    for (size_t call = 0; reached; ++call) {
      SCOPED_TRACE(testing::Message() << (after ? "after" : "before") << " call " << call);
      const std::unique_ptr<Index> base = NewMemoryIndex();
      Step step;
      World world(std::make_unique<SteppedIndex>(*base, &step));
      prepare(world);
      step = {[&] { meanwhile(world); }, call, after};
      world.Pass();
      reached = step.action == nullptr;
      step.action = nullptr;
      check(world);
      if (testing::Test::HasFailure()) return;
      ASSERT_LT(call, 1000u);
    }
  }
}

// GUARDS.md: blob-edge
TEST(ReclaimRacesTest, APushThatNamesTheBlobMeanwhileKeepsIt) {
  Digest digest;
  bool seen_added = false;
  bool seen_removed = false;
  AtEveryStep(
      [&](World& world) {
        digest = world.Commit("blob");
        world.clock_.Advance(2 * kPromise);
      },
      [&](World& world) { EXPECT_TRUE(world.AddEdgeIfThere(digest).ok()); },
      [&](World& world) {
        EXPECT_EQ(world.IsHere(digest), world.HasEdge(digest));
        (world.HasEdge(digest) ? seen_added : seen_removed) = true;
      });
  EXPECT_TRUE(seen_added);
  EXPECT_TRUE(seen_removed);
}

// GUARDS.md: condemned
TEST(ReclaimRacesTest, AnEdgeThatGoesMeanwhileLeavesNothingBehind) {
  Digest digest;
  AtEveryStep(
      [&](World& world) {
        digest = world.Commit("layer");
        for (RepositoryId image = 1; image <= 3; ++image) {
          ASSERT_TRUE(
              world.index_
                  ->Run([&](Transaction& txn) { return txn.Put(MemberEdgeKey(digest, image), ""); })
                  .ok());
        }
        world.clock_.Advance(2 * kPromise);
        ASSERT_TRUE(world.DeleteEdge(digest, 1).ok());
        world.clock_.Advance(1);
        ASSERT_TRUE(world.DeleteEdge(digest, 2).ok());
      },
      // In the very nanosecond of the deletion before: its row has the same key.
      [&](World& world) { ASSERT_TRUE(world.DeleteEdge(digest, 3).ok()); },
      [&](World& world) {
        if (world.HasEdge(digest)) return;  // the step did not come
        world.clock_.Advance(1);
        world.Pass();
        EXPECT_FALSE(world.IsHere(digest));
        EXPECT_EQ(world.Condemned(), 0u);
      });
}

TEST_F(ReclaimerTest, RowsOfAClockThatWasAheadAreLookedAtWhenItIsRight) {
  clock_.JumpWall(10 * 365 * 24 * 3600 * kNanosPerSecond);
  Commit(std::string(100'000, 'a'));
  clock_.JumpWall(-10 * 365 * 24 * 3600 * kNanosPerSecond);
  clock_.Advance(2 * kPromise);
  EXPECT_EQ(Pass().blobs, 1u);
  EXPECT_EQ(Condemned(), 0u);
}

class UnknownOutcomesTest : public ReclaimerTest {
 protected:
  static FlakyOptions Options() {
    FlakyOptions options;
    options.commit_unknown_applied_rate = 0.4;
    return options;
  }
  UnknownOutcomesTest() : ReclaimerTest(NewFlakyIndex(NewMemoryIndex(), Options())) {}
};

TEST_F(UnknownOutcomesTest, LoseNoFileAndNoCount) {
  for (int i = 0; i < 60; ++i) {
    Commit(std::string(static_cast<size_t>(i % 2 == 0 ? 70'000 + i : 100 + i), 'x'));
  }
  clock_.Advance(2 * kPromise);
  const ReclaimReport report = Pass();
  EXPECT_EQ(report.blobs, 60u);
  EXPECT_EQ(Files(), 0u);
  EXPECT_EQ(space_.logical_bytes(), 0u);
  EXPECT_EQ(disk_.used_bytes(), 0u);
}

}  // namespace
}  // namespace varve
