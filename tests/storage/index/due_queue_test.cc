#include "storage/index/due_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/base/bytes.h"
#include "storage/index/memory_index.h"
#include "tests/support/tombstone_index.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kSecond = kNanosPerSecond;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kStart = 1'000'000 * kSecond;
constexpr int64_t kHorizon = 25 * kHour;

class DueQueueTest : public testing::Test {
 protected:
  static std::string KeyAt(int64_t nanos) {
    std::string key = "q";
    AppendU64(&key, static_cast<uint64_t>(nanos));
    return key;
  }
  void Add(int64_t nanos) {
    ASSERT_TRUE(index_.Run([&](Transaction& txn) { return txn.Put(KeyAt(nanos), ""); }).ok());
  }
  // The times of the rows that a pass at `now` met, less kStart; they are taken away.
  std::vector<int64_t> Take(int64_t now, size_t page_rows = 100) {
    std::vector<int64_t> met;
    const absl::Status status = queue_.Visit(
        index_, now, page_rows, [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
          EXPECT_LE(rows.size(), page_rows);
          const absl::Status deleted = index_.Run([&](Transaction& txn) {
            absl::Status first_error;
            for (const KeyValue& row : rows) first_error.Update(txn.Delete(row.key));
            return first_error;
          });
          for (const KeyValue& row : rows) {
            met.push_back(ByteReader(std::string_view(row.key).substr(1)).I64() - kStart);
          }
          return deleted.ok();
        });
    EXPECT_TRUE(status.ok()) << status;
    return met;
  }

  TombstoneIndex index_{NewMemoryIndex()};
  DueQueue queue_{"q", kHorizon};
};

TEST_F(DueQueueTest, VisitsWhatIsDueInOrder) {
  for (const int64_t at : {3, 1, 2, 4, 5}) Add(kStart + at);
  EXPECT_THAT(Take(kStart + 4, 2), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Take(kStart + 5), ElementsAre(5));
  EXPECT_THAT(Take(kStart + 5), IsEmpty());
}

TEST_F(DueQueueTest, DoesNotWalkAgainOverWhatItTookAway) {
  constexpr int64_t kRows = 1000;
  for (int64_t i = 0; i < kRows; ++i) Add(kStart + i);
  EXPECT_EQ(Take(kStart + kRows, 50).size(), 1000u);
  const int64_t later = kStart + DueQueue::kLatestCommitNanos + kRows + 1;
  EXPECT_THAT(Take(later), IsEmpty());
  index_.Reset();
  EXPECT_THAT(Take(later + kSecond), IsEmpty());
  EXPECT_LE(index_.steps(), 10u);
}

TEST_F(DueQueueTest, MeetsWhatWasCommittedLate) {
  EXPECT_THAT(Take(kStart), IsEmpty());
  Add(kStart - DueQueue::kLatestCommitNanos + 1);
  EXPECT_THAT(Take(kStart + 1), ElementsAre(1 - DueQueue::kLatestCommitNanos));
}

TEST_F(DueQueueTest, BeginsAtTheFrontOnceAnHour) {
  EXPECT_THAT(Take(kStart), IsEmpty());
  const int64_t long_ago = -2 * DueQueue::kLatestCommitNanos;
  Add(kStart + long_ago);
  EXPECT_THAT(Take(kStart + kSecond), IsEmpty());
  EXPECT_THAT(Take(kStart + DueQueue::kFrontAgainNanos), ElementsAre(long_ago));
}

TEST_F(DueQueueTest, BeginsAtTheFrontWhenTheClockWentBack) {
  EXPECT_THAT(Take(kStart + 10 * kHour), IsEmpty());
  Add(kStart);
  EXPECT_THAT(Take(kStart + 1), ElementsAre(0));
}

TEST_F(DueQueueTest, TakesWhatLiesFurtherAheadThanAnythingIsPutOff) {
  Add(kStart + kHorizon);
  Add(kStart + kHorizon + 2);
  EXPECT_THAT(Take(kStart + 1), ElementsAre(kHorizon + 2));
}

TEST_F(DueQueueTest, MeetsAgainWhatStayed) {
  Add(kStart);
  const auto visit = [&](int64_t now, const absl::StatusOr<bool>& answer) {
    size_t met = 0;
    queue_
        .Visit(index_, now, 100,
               [&](absl::Span<const KeyValue> rows) {
                 met += rows.size();
                 return answer;
               })
        .IgnoreError();
    return met;
  };
  EXPECT_EQ(visit(kStart + 1, false), 1u);
  EXPECT_EQ(visit(kStart + kHour / 4, absl::UnavailableError("no")), 1u);
  EXPECT_EQ(visit(kStart + kHour / 2, false), 1u);
  EXPECT_THAT(Take(kStart + kHour / 2 + 1), ElementsAre(0));
}

// A machine without a battery for its clock begins in 1970.
TEST_F(DueQueueTest, GoesOnFromTheBeginningOfTime) {
  for (const int64_t now : {-kSecond, int64_t{-1}, int64_t{0}, kSecond}) Take(now);
  Add(kSecond);
  EXPECT_THAT(Take(2 * kSecond), ElementsAre(kSecond - kStart));
}

}  // namespace
}  // namespace varve
