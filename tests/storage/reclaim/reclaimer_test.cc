#include "storage/reclaim/reclaimer.h"

#include <gtest/gtest.h>

#include "storage/digest/hasher.h"
#include "storage/index/memory_index.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/flaky_index.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

constexpr int64_t kPromise = 600 * kNanosPerSecond;
constexpr RepositoryId kHere = 7;

class ReclaimerTest : public testing::Test {
 protected:
  explicit ReclaimerTest(std::unique_ptr<Index> index = NewMemoryIndex())
      : index_(std::move(index)) {}
  void SetUp() override {
    ASSERT_TRUE(disk_.CreateDirectory("/blobs").ok());
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
  ReclaimReport Run() {
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

  MemoryFileSystem disk_;
  FakeClock clock_;
  const std::unique_ptr<Index> index_;
  IdAllocator ids_{*index_};
  UnnamedFiles unnamed_{ids_};
  BlobFiles files_{disk_, "/blobs"};
  Removals removals_{*index_, files_};
  Space space_{disk_, "/", {}, 0};
  BlobStore blobs_{{*index_, files_, unnamed_, removals_, space_, clock_, kPromise}};
  Promises promises_{clock_, kPromise};
  Reclaimer reclaimer_{{*index_, blobs_, removals_, promises_, space_, clock_}};
};

TEST_F(ReclaimerTest, TakesWhatIsDueAndNothingElse) {
  clock_.Advance(kPromise);
  Commit(std::string(100'000, 'a'));
  clock_.Advance(kPromise / 2);
  Commit(std::string(100'000, 'b'));
  EXPECT_EQ(Run().blobs, 0u);
  clock_.Advance(kPromise / 2);
  EXPECT_EQ(Run().blobs, 1u);
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(Condemned(), 1u);
  EXPECT_EQ(space_.used_bytes(), 100'000u);
}

TEST_F(ReclaimerTest, DropsTheRowOfWhatIsNamed) {
  const Digest digest = Commit(std::string(100'000, 'a'));
  ASSERT_TRUE(Edge(digest, true).ok());
  clock_.Advance(2 * kPromise);
  EXPECT_EQ(Run().blobs, 0u);
  EXPECT_EQ(Condemned(), 0u);
  EXPECT_EQ(Files(), 1u);
}

TEST_F(ReclaimerTest, PostponesWhatIsPromised) {
  const Digest digest = Commit("small");
  clock_.Advance(2 * kPromise);
  promises_.Grant(kHere, digest);
  EXPECT_EQ(Run().deferred, 1u);
  EXPECT_EQ(Run().deferred, 0u);  // not looked at again before its time
  EXPECT_EQ(Condemned(), 1u);
  clock_.Advance(kPromise);
  EXPECT_EQ(Run().blobs, 1u);
  EXPECT_EQ(Condemned(), 0u);
}

TEST_F(ReclaimerTest, DamagedRowDoesNotStopTheRest) {
  const Digest bad = Commit("first");
  clock_.Advance(1);
  Commit(std::string(100'000, 'a'));
  ASSERT_TRUE(index_->Run([&](Transaction& txn) { return txn.Put(BlobKey(bad), "?"); }).ok());
  clock_.Advance(2 * kPromise);
  EXPECT_EQ(reclaimer_.Run().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Files(), 0u);
}

TEST_F(ReclaimerTest, FailedUnlinkIsMadeGood) {
  Commit(std::string(100'000, 'a'));
  clock_.Advance(2 * kPromise);
  disk_.Inject({FileCall::kRemove, absl::UnavailableError("failed"), 1, {}, false});
  EXPECT_EQ(Run().blobs, 1u);
  EXPECT_EQ(Files(), 0u);
  EXPECT_TRUE(index_->Scan(PrefixRange(RemovingPrefix()), 10)->empty());
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
  const ReclaimReport report = Run();
  EXPECT_EQ(report.blobs, 60u);
  EXPECT_EQ(Files(), 0u);
  EXPECT_EQ(space_.used_bytes(), 0u);
  EXPECT_EQ(disk_.used_bytes(), 0u);
}

}  // namespace
}  // namespace varve
