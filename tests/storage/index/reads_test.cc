// Page loops, and the two ways to read.
#include "storage/index/reads.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/table_visits.h"
#include "tests/support/tombstone_index.h"

namespace varve {
namespace {

const Digest kImage = HashBytes(DigestAlgorithm::kSha256, "image");
constexpr RepositoryId kRepository = 7;
constexpr size_t kTags = 900;

class ReadsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(index_.Run([](Transaction& txn) -> absl::Status {
      for (size_t i = 0; i < kTags; ++i) RETURN_IF_ERROR(txn.Put(TagEdge(i), ""));
      return absl::OkStatus();
    }),
              absl::OkStatus());
    index_.Reset();
  }

  static std::string Tag(size_t i) { return StrCat("t", 1000 + i); }
  static std::string TagEdge(size_t i) { return TagEdgeKey(kImage, kRepository, Tag(i)); }

  TombstoneIndex index_{NewMemoryIndex()};
};

TEST_F(ReadsTest, AVisitorMayRemoveEachRowAndNoPageWalksOverWhatWent) {
  std::vector<std::string> tags;
  const absl::Status visited =
      VisitEdges(index_, EdgePrefix(kImage), [&](const EdgeSource& edge) -> absl::StatusOr<bool> {
        tags.push_back(edge.name);
        const std::string key = TagEdgeKey(kImage, edge.repository, edge.name);
        RETURN_IF_ERROR(index_.Run([&](Transaction& txn) { return txn.Delete(key); }));
        return true;
      });
  ASSERT_EQ(visited, absl::OkStatus());
  ASSERT_EQ(tags.size(), kTags);
  for (size_t i = 0; i < kTags; ++i) EXPECT_EQ(tags[i], Tag(i));
  EXPECT_FALSE(index_.HasAny(EdgePrefix(kImage)).value());
  index_.Reset();
  EXPECT_EQ(CountRows(index_, EdgePrefix(kImage)).value(), 0u);
}

TEST_F(ReadsTest, PagesCostTheirRowsHoweverManyHaveGoneBeforeThem) {
  const auto remove_page = [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(index_.Run([&](Transaction& txn) -> absl::Status {
      for (const KeyValue& row : rows) RETURN_IF_ERROR(txn.Delete(row.key));
      return absl::OkStatus();
    }));
    return true;
  };
  ASSERT_EQ(VisitPages(index_, PrefixRange(EdgePrefix(kImage)), 10, remove_page), absl::OkStatus());
  EXPECT_LE(index_.steps(), kTags + kTags / 10 + 2);
}

TEST_F(ReadsTest, AVisitEndsWhenItsVisitorSaysSo) {
  for (const size_t wanted : {1u, 16u, 17u, 300u}) {
    size_t seen = 0;
    const absl::Status visited =
        VisitEdges(index_, EdgePrefix(kImage),
                   [&](const EdgeSource&) -> absl::StatusOr<bool> { return ++seen < wanted; });
    EXPECT_EQ(visited, absl::OkStatus());
    EXPECT_EQ(seen, wanted);
    const absl::Status failed = VisitRows(
        index_, PrefixRange(EdgePrefix(kImage)), 100,
        [](const KeyValue&) -> absl::StatusOr<bool> { return absl::AbortedError("enough"); });
    EXPECT_TRUE(absl::IsAborted(failed)) << failed;
  }
}

TEST_F(ReadsTest, DamagedKeysAreTold) {
  ASSERT_EQ(index_.Run([](Transaction& txn) -> absl::Status {
    RETURN_IF_ERROR(txn.Put(StrCat(MemberPrefix(kRepository), "short"), ""));
    return txn.Put(StrCat(EdgePrefix(kImage, EdgeKind::kTag, kRepository).substr(0, 40), "?"), "");
  }),
            absl::OkStatus());
  const auto go_on = [](const auto&...) { return absl::StatusOr<bool>(true); };
  EXPECT_TRUE(absl::IsDataLoss(VisitEdges(index_, EdgePrefix(kImage), go_on)));
  EXPECT_TRUE(absl::IsDataLoss(WalkMembers(index_, go_on)));
}

TEST_F(ReadsTest, ATransactionSeesItsOwnRowsAndTheIndexDoesNot) {
  const std::unique_ptr<Transaction> txn = index_.Begin();
  ASSERT_EQ(txn->Put("key", "value"), absl::OkStatus());
  Reads& inside = *txn;
  EXPECT_TRUE(inside.Has("key").value());
  EXPECT_TRUE(inside.HasAny("ke").value());
  EXPECT_EQ(CountRows(inside, "ke").value(), 1u);
  EXPECT_FALSE(index_.Has("key").value());
  EXPECT_FALSE(index_.HasAny("ke").value());
}

TEST_F(ReadsTest, WhatATransactionReadsGuardedNobodyChangesBeforeItsCommit) {
  for (const bool protect : {false, true}) {
    const std::unique_ptr<Transaction> txn = index_.Begin();
    Reads& inside = *txn;
    if (protect) {
      ASSERT_EQ(inside.Protect("guarded"), absl::OkStatus());
    } else {
      ASSERT_TRUE(inside.HasGuarded("guarded").ok());
    }
    ASSERT_EQ(index_.Run([](Transaction& other) { return other.Put("guarded", "new"); }),
              absl::OkStatus());
    ASSERT_EQ(txn->Put("own", "value"), absl::OkStatus());
    EXPECT_EQ(txn->Commit(Durability::kSynced).value(), CommitOutcome::kConflict);
  }
}

TEST_F(ReadsTest, InPassingProtectReadsNothing) {
  Reads& passing = index_;
  EXPECT_EQ(passing.Protect("key"), absl::OkStatus());
  EXPECT_EQ(index_.round_trips(), 0u);
  EXPECT_FALSE(passing.HasGuarded("key").value());
  EXPECT_EQ(index_.round_trips(), 1u);
}

}  // namespace
}  // namespace varve
