#include "storage/blob/page_cache_budget.h"

#include <gtest/gtest.h>

#include "storage/limits.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

TEST(PageCacheBudgetTest, GivesItsCapacityAndFillsAgainWithTime) {
  FakeClock clock;
  PageCacheBudget budget(clock, 100);
  EXPECT_TRUE(budget.Take(60));
  EXPECT_FALSE(budget.Take(41));
  EXPECT_TRUE(budget.Take(40));
  EXPECT_FALSE(budget.Take(1));
  clock.Advance(kPageCacheRefillNanos / 2);
  EXPECT_TRUE(budget.Take(50));
  EXPECT_FALSE(budget.Take(1));
  clock.Advance(100 * kPageCacheRefillNanos);
  EXPECT_FALSE(budget.Take(101));
  EXPECT_TRUE(budget.Take(100));
  EXPECT_FALSE(budget.Take(1));
}

// Often asked, it fills no slower: the time since the last question is counted each time.
TEST(PageCacheBudgetTest, QuestionsCostNothing) {
  FakeClock clock;
  PageCacheBudget budget(clock, kGiB);
  EXPECT_EQ(budget.capacity_bytes(), kGiB);
  ASSERT_TRUE(budget.Take(kGiB));
  for (int i = 0; i < 1000; ++i) {
    clock.Advance(kPageCacheRefillNanos / 1000);
    if (i < 499) EXPECT_FALSE(budget.Take(kGiB / 2)) << i;
  }
  EXPECT_TRUE(budget.Take(kGiB - kMiB));
}

TEST(PageCacheBudgetTest, TheDefaultIsAPartOfMemoryAndBounded) {
  EXPECT_GT(PageCacheBudget::DefaultCapacity(), 0u);
  EXPECT_LE(PageCacheBudget::DefaultCapacity(), kMaxPageCacheBytes);
}

}  // namespace
}  // namespace varve
