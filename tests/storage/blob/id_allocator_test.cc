#include "storage/blob/id_allocator.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/flaky_index.h"

namespace varve {
namespace {

TEST(IdAllocatorTest, CountsFromOne) {
  const auto index = NewMemoryIndex();
  IdAllocator ids(*index);
  EXPECT_EQ(ids.UpperBound().value(), 1u);
  for (uint64_t want = 1; want <= 3 * kIdBlock; ++want) ASSERT_EQ(ids.Next().value(), want);
  EXPECT_EQ(ids.UpperBound().value(), 3 * kIdBlock + 1);
}

TEST(IdAllocatorTest, CanBeRaisedAndNeverLowered) {
  const auto index = NewMemoryIndex();
  {
    IdAllocator ids(*index);
    EXPECT_EQ(ids.Reserved().value(), 1u);
    ASSERT_TRUE(ids.RaiseTo(5000).ok());
    EXPECT_EQ(ids.Next().value(), 5000u);
    EXPECT_EQ(ids.Reserved().value(), 5000u + kIdBlock);
  }
  IdAllocator ids(*index);
  ASSERT_TRUE(ids.RaiseTo(10).ok());
  EXPECT_EQ(ids.Next().value(), 5000u + kIdBlock);
}

TEST(IdAllocatorTest, NeverRepeatsAfterAReopen) {
  const auto index = NewMemoryIndex();
  uint64_t last = 0;
  for (int open = 0; open < 5; ++open) {
    IdAllocator ids(*index);
    const uint64_t bound = ids.UpperBound().value();
    EXPECT_GT(bound, last);
    for (int i = 0; i < 700; ++i) {
      const uint64_t id = ids.Next().value();
      ASSERT_GT(id, last);
      ASSERT_GE(id, bound);
      last = id;
    }
  }
}

TEST(IdAllocatorTest, NeverRepeatsWhenOutcomesAreUnknown) {
  FlakyOptions options;
  options.commit_unknown_applied_rate = 0.4;
  const auto index = NewFlakyIndex(NewMemoryIndex(), options);
  std::set<uint64_t> seen;
  for (int open = 0; open < 20; ++open) {
    IdAllocator ids(*index);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(seen.insert(ids.Next().value()).second);
  }
}

// GUARDS.md: next-id
TEST(IdAllocatorTest, ThreadsGetDifferentIds) {
  const auto index = NewMemoryIndex();
  IdAllocator ids(*index);
  std::vector<std::vector<uint64_t>> taken(4);
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) mine.push_back(ids.Next().value());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> all;
  for (const auto& mine : taken) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 8000u);
}

TEST(IdAllocatorTest, DamagedRowIsNoReasonToStartOver) {
  const auto index = NewMemoryIndex();
  ASSERT_TRUE(index->Run([](Transaction& txn) { return txn.Put(MetaKey("next_id"), "x"); }).ok());
  IdAllocator ids(*index);
  EXPECT_EQ(ids.Next().status().code(), absl::StatusCode::kDataLoss);
}

TEST(IdAllocatorTest, ARowThatWentBackIsDamaged) {
  const auto index = NewMemoryIndex();
  IdAllocator ids(*index);
  for (uint64_t i = 0; i < kIdBlock; ++i) ASSERT_TRUE(ids.Next().ok());
  for (const uint64_t damaged : {uint64_t{0}, uint64_t{5}, ~uint64_t{0}}) {
    const auto put = [&](Transaction& txn) {
      return txn.Put(MetaKey("next_id"), EncodeNumber(damaged));
    };
    ASSERT_TRUE(index->Run(put).ok());
    EXPECT_EQ(ids.Next().status().code(), absl::StatusCode::kDataLoss) << damaged;
  }
}

}  // namespace
}  // namespace varve
