#include "storage/catalog/promises.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "storage/digest/hasher.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/allocator_interface.h>
#define VARVE_SANITIZED 1
#endif
#endif

namespace varve {
namespace {

constexpr int64_t kPromise = 600 * kNanosPerSecond;
constexpr RepositoryId kHere = 7;

Digest Numbered(uint64_t number) {
  return HashBytes(DigestAlgorithm::kSha256, std::to_string(number));
}

class PromisesTest : public testing::Test {
 protected:
  void SetUp() override { clock_.Advance(kPromise); }
  bool Free(const Digest& digest) {
    const bool free = !promises_.BeginReclaim(digest).has_value();
    if (free) promises_.EndReclaim(digest);
    return free;
  }

  FakeClock clock_;
  Promises promises_{clock_, kPromise};
  const Digest digest_ = Numbered(0);
};

TEST_F(PromisesTest, HoldsForItsTimeExactly) {
  EXPECT_TRUE(Free(digest_));
  promises_.Grant(kHere, digest_);
  EXPECT_TRUE(promises_.Holds(kHere, digest_));
  EXPECT_FALSE(promises_.Holds(kHere + 1, digest_));
  EXPECT_EQ(promises_.BeginReclaim(digest_), kPromise);
  clock_.Advance(kPromise - 1);
  EXPECT_FALSE(Free(digest_));
  clock_.Advance(1);
  EXPECT_FALSE(promises_.Holds(kHere, digest_));
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, CountsAndIsUsedUp) {
  promises_.Grant(kHere, digest_);
  promises_.Grant(kHere, digest_);
  promises_.Grant(kHere + 1, digest_);
  promises_.Consume(kHere, digest_);
  EXPECT_TRUE(promises_.Holds(kHere, digest_));
  promises_.Consume(kHere, digest_);
  EXPECT_FALSE(promises_.Holds(kHere, digest_));
  promises_.Consume(kHere, digest_);
  EXPECT_FALSE(Free(digest_));
  promises_.Consume(kHere + 1, digest_);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, EachGrantLastsAWholePromiseHoweverLongTheyGoOn) {
  for (int i = 0; i < 192; ++i) {  // a day
    promises_.Grant(kHere, digest_);
    clock_.Advance(450 * kNanosPerSecond);
  }
  clock_.Advance(100 * kNanosPerSecond);
  promises_.Grant(kHere, digest_);
  clock_.Advance(kPromise - 1);
  EXPECT_FALSE(Free(digest_));
  clock_.Advance(1);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, WritesRenewTheirRepositoryOnlyAndADayAtMost) {
  const Digest other = Numbered(1);
  promises_.Grant(kHere, digest_);
  promises_.Grant(kHere + 1, other);
  for (int64_t passed = 0; passed < 86'400 * kNanosPerSecond; passed += kPromise / 2) {
    EXPECT_FALSE(Free(digest_));
    clock_.Advance(kPromise / 2);
    promises_.RenewRepository(kHere);
  }
  EXPECT_TRUE(Free(other));
  clock_.Advance(kPromise);
  promises_.RenewRepository(kHere);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, NothingIsFreeAfterAStart) {
  Promises fresh(clock_, kPromise);
  EXPECT_EQ(fresh.BeginReclaim(digest_), kPromise);
  clock_.Advance(kPromise);
  EXPECT_FALSE(fresh.BeginReclaim(digest_).has_value());
  fresh.EndReclaim(digest_);
}

TEST_F(PromisesTest, WallClockDoesNotMatter) {
  promises_.Grant(kHere, digest_);
  clock_.JumpWall(365 * 86'400 * kNanosPerSecond);
  EXPECT_FALSE(Free(digest_));
  clock_.JumpWall(-3 * 365 * 86'400 * kNanosPerSecond);
  EXPECT_FALSE(Free(digest_));
}

// What is allocated now.
size_t AllocatedBytes() {
#ifdef VARVE_SANITIZED
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

// As storage/limits.h says, also when they come and go, which wears hash tables out.
TEST_F(PromisesTest, MemoryHasALimit) {
  const size_t before = AllocatedBytes();
  const auto promises = std::make_unique<Promises>(clock_, kPromise);
  size_t most = 0;
  for (uint64_t i = 0; i < 3 * kMaxPromises; ++i) {
    promises->Grant(kHere, Numbered(i));
    if (i >= kMaxPromises * 3 / 4) promises->Consume(kHere, Numbered(i - kMaxPromises * 3 / 4));
    if (i % 1000 == 0) most = std::max(most, AllocatedBytes() - before);
  }
  EXPECT_FALSE(promises->BeginReclaim(Numbered(3 * kMaxPromises - 1)) == std::nullopt);
  RecordProperty("bytes", static_cast<int>(most));
  EXPECT_LE(most, 32 * kMiB);
  EXPECT_GE(most, 16 * kMiB);
}

TEST_F(PromisesTest, MemoryHasALimitWhateverTheRepositories) {
  const size_t before = AllocatedBytes();
  const auto promises = std::make_unique<Promises>(clock_, kPromise);
  size_t most = 0;
  for (uint64_t i = 0; i < 2 * kMaxPromises; ++i) {
    promises->Grant(i % 5 + 1, Numbered(i / 5));
    if (i % 1000 == 0) most = std::max(most, AllocatedBytes() - before);
  }
  for (uint64_t i = 0; i < 10'000; ++i) promises->Grant(i + 1, digest_);
  most = std::max(most, AllocatedBytes() - before);
  RecordProperty("bytes", static_cast<int>(most));
  EXPECT_LE(most, 32 * kMiB);
}

TEST_F(PromisesTest, TooManyMeanThatNothingIsFree) {
  for (uint64_t i = 0; i < kMaxPromises + kMaxPromises / 8; ++i) {
    promises_.Grant(kHere, Numbered(i));
  }
  EXPECT_FALSE(Free(Numbered(1)));
  EXPECT_FALSE(Free(Numbered(kMaxPromises * 2)));
  clock_.Advance(kPromise);
  EXPECT_TRUE(Free(Numbered(1)));
}

TEST_F(PromisesTest, OneRemovalOfTheSameIsAnnouncedAtATime) {
  ASSERT_FALSE(promises_.BeginReclaim(digest_).has_value());
  EXPECT_TRUE(promises_.BeginReclaim(digest_).has_value());
  EXPECT_TRUE(Free(Numbered(1)));
  promises_.EndReclaim(digest_);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, GrantWaitsForAnAnnouncedReclaim) {
  ASSERT_FALSE(promises_.BeginReclaim(digest_).has_value());
  std::atomic<bool> granted = false;
  std::thread client([&] {
    promises_.Grant(kHere, digest_);
    granted = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(granted);
  promises_.Grant(kHere, Numbered(1));  // another digest does not wait
  promises_.EndReclaim(digest_);
  client.join();
  EXPECT_FALSE(Free(digest_));
}

}  // namespace
}  // namespace varve
