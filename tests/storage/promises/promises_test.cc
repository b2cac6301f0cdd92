#include "storage/promises/promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "storage/image/hasher.h"
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

constexpr int64_t kMinute = 60 * kNanosPerSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kPromise = 10 * kMinute;
constexpr int64_t kRenew = kHour;
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
  // As a door does: what was read before the grant, and whether that still holds.
  bool Grant(RepositoryId repository, const Digest& digest, int64_t read_nanos = 0,
             Promises::Answer answer = Promises::Answer::kContent) {
    const absl::StatusOr<bool> granted = promises_.Grant(repository, digest, answer, read_nanos);
    EXPECT_TRUE(granted.ok()) << granted.status();
    return granted.value_or(false);
  }
  // `nanos` in which something happens in the repository every two minutes.
  void PassBusy(int64_t nanos, const std::function<void()>& happens) {
    for (int64_t passed = 0; passed < nanos; passed += 2 * kMinute) {
      happens();
      clock_.Advance(std::min(2 * kMinute, nanos - passed));
    }
  }

  FakeClock clock_;
  bool space_is_short_ = false;
  Promises promises_{clock_, kPromise, kRenew, [this] { return space_is_short_; }};
  const Digest digest_ = Numbered(0);
};

TEST_F(PromisesTest, HoldsForItsTimeExactly) {
  EXPECT_TRUE(Free(digest_));
  Grant(kHere, digest_);
  EXPECT_TRUE(promises_.IsPromised(kHere, digest_));
  EXPECT_FALSE(promises_.IsPromised(kHere + 1, digest_));
  EXPECT_EQ(promises_.BeginReclaim(digest_), kPromise);
  clock_.Advance(kPromise - 1);
  EXPECT_FALSE(Free(digest_));
  clock_.Advance(1);
  EXPECT_FALSE(promises_.IsPromised(kHere, digest_));
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, OneAnswerIsEnoughForHoweverManyWhoRelyOnIt) {
  Grant(kHere, digest_);
  Grant(kHere + 1, digest_);
  clock_.Advance(kPromise / 2);
  Grant(kHere + 1, digest_);
  clock_.Advance(kPromise / 2);
  // The first repository's has ended, the other one's keeps the bytes.
  EXPECT_FALSE(promises_.IsPromised(kHere, digest_));
  EXPECT_TRUE(promises_.IsPromised(kHere + 1, digest_));
  EXPECT_EQ(promises_.KeptNanos(digest_), kPromise / 2);
}

TEST_F(PromisesTest, EachGrantLastsAWholePromiseHoweverLongTheyGoOn) {
  for (int i = 0; i < 192; ++i) {  // a day
    Grant(kHere, digest_);
    clock_.Advance(450 * kNanosPerSecond);
  }
  clock_.Advance(100 * kNanosPerSecond);
  Grant(kHere, digest_);
  clock_.Advance(kPromise - 1);
  EXPECT_FALSE(Free(digest_));
  clock_.Advance(1);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, ActivityRenewsItsRepositoryOnlyAndUpToTheRenewalTime) {
  const Digest other = Numbered(1);
  Grant(kHere, digest_);
  Grant(kHere + 1, other);
  PassBusy(kRenew - 1, [&] { promises_.RenewRepository(kHere); });
  EXPECT_TRUE(promises_.IsPromised(kHere, digest_));
  EXPECT_FALSE(Free(digest_));
  EXPECT_TRUE(Free(other));
  promises_.RenewRepository(kHere);
  clock_.Advance(1);
  EXPECT_FALSE(promises_.IsPromised(kHere, digest_));
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, ActivityRenewsForOnePromiseTimeAfterIt) {
  Grant(kHere, digest_);
  clock_.Advance(kPromise - 1);
  promises_.RenewRepository(kHere);
  EXPECT_EQ(promises_.KeptNanos(digest_), kPromise);
  clock_.Advance(kPromise);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, WritesDoNotRenewWhatHasEnded) {
  Grant(kHere, digest_);
  clock_.Advance(kPromise);
  promises_.RenewRepository(kHere);
  EXPECT_EQ(promises_.KeptNanos(digest_), 0);
  EXPECT_FALSE(promises_.IsPromised(kHere, digest_));
  // Also not when there was work before it was promised, and a pause since.
  Grant(kHere, digest_);
  clock_.Advance(kPromise + kMinute);
  promises_.RenewRepository(kHere);
  clock_.Advance(kMinute);
  promises_.RenewRepository(kHere);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, WhatWasRemovedIsNotRenewed) {
  Grant(kHere, digest_, 0, Promises::Answer::kManifestRead);
  clock_.Advance(kPromise);
  EXPECT_TRUE(Free(digest_));
  promises_.activity().NoteRead(kHere);
  EXPECT_FALSE(promises_.IsPromised(kHere, digest_));
}

TEST_F(PromisesTest, ABlobThatIsBeingSentRenewsTheManifestsThatWereRead) {
  const Digest blob = Numbered(1);
  const Digest elsewhere = Numbered(2);
  Grant(kHere, digest_, 0, Promises::Answer::kManifestRead);
  Grant(kHere + 1, elsewhere, 0, Promises::Answer::kManifestRead);
  Grant(kHere, blob);
  std::optional reading = promises_.activity().BeginRead(kHere);
  clock_.Advance(3 * kPromise);
  EXPECT_FALSE(Free(digest_));
  EXPECT_TRUE(Free(elsewhere));
  EXPECT_TRUE(Free(blob));
  reading.reset();
  EXPECT_EQ(promises_.KeptNanos(digest_), kPromise);
  reading.emplace(promises_.activity().BeginRead(kHere));
  clock_.Advance(kRenew);
  EXPECT_TRUE(Free(digest_));
  reading.reset();
}

// As an open blob may outlive its store. The sanitizer would tell.
TEST_F(PromisesTest, ABlobMayBeSentForLongerThanItIsNoted) {
  auto activity = std::make_unique<RepositoryActivity>(clock_, kPromise, nullptr);
  const RepositoryActivity::Reading reading = activity->BeginRead(kHere);
  activity.reset();
}

TEST_F(PromisesTest, AShortBlobRenewsTheManifestsThatWereRead) {
  Grant(kHere, digest_, 0, Promises::Answer::kManifestRead);
  Grant(kHere, digest_);  // also when it was pushed again since
  clock_.Advance(kPromise + kMinute);
  promises_.activity().NoteRead(kHere);
  EXPECT_EQ(promises_.KeptNanos(digest_), kPromise);
}

TEST_F(PromisesTest, AnUploadKeepsWhatWasPromisedBeforeIt) {
  Grant(kHere, digest_);
  clock_.Advance(kPromise - 1);
  const int64_t began = clock_.MonotonicNanos();
  PassBusy(5 * kHour, [&] { promises_.activity().NoteUpload(kHere, began); });
  EXPECT_TRUE(promises_.IsPromised(kHere, digest_));
  promises_.activity().NoteUpload(kHere, began);
  EXPECT_EQ(promises_.KeptNanos(digest_), kPromise);
  clock_.Advance(kPromise);
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, AnUploadThatBeganTooLateKeepsNothing) {
  Grant(kHere, digest_);
  clock_.Advance(kPromise);
  promises_.activity().NoteUpload(kHere + 1, clock_.MonotonicNanos());
  EXPECT_TRUE(Free(digest_));
  Grant(kHere, digest_);
  clock_.Advance(kRenew);
  promises_.activity().NoteUpload(kHere, clock_.MonotonicNanos());
  EXPECT_TRUE(Free(digest_));
}

TEST_F(PromisesTest, AnUploadKeepsForADayAtMost) {
  Grant(kHere, digest_);
  const int64_t began = clock_.MonotonicNanos();
  PassBusy(24 * kHour - 1, [&] { promises_.activity().NoteUpload(kHere, began); });
  EXPECT_FALSE(Free(digest_));
  promises_.activity().NoteUpload(kHere, began);
  clock_.Advance(1);
  EXPECT_TRUE(Free(digest_));
}

// A busy repository has an upload at any moment; none of them goes on for long.
TEST_F(PromisesTest, UploadsThatFollowEachOtherDoNotKeepForADay) {
  Grant(kHere, digest_);
  const int64_t granted = clock_.MonotonicNanos();
  int64_t ended = 0;
  for (int minute = 0; minute < 24 * 60 && ended == 0; ++minute) {
    for (int64_t i = 0; i < 20; ++i) {
      const int64_t began = clock_.MonotonicNanos();
      promises_.activity().NoteUpload(kHere, began);
      clock_.Advance(3 * kNanosPerSecond);
      promises_.activity().NoteUpload(kHere, began);
    }
    if (Free(digest_)) ended = clock_.MonotonicNanos();
  }
  ASSERT_NE(ended, 0);
  EXPECT_LE(ended - granted, kRenew + 3 * kPromise);
}

// More than are told apart, with the one that matters among them.
TEST_F(PromisesTest, ALongUploadBesideManyShortOnes) {
  Grant(kHere, digest_);
  const int64_t began = clock_.MonotonicNanos();
  int64_t number = 0;
  PassBusy(3 * kHour, [&] {
    promises_.activity().NoteUpload(kHere, began);
    for (int i = 0; i < 30; ++i) {
      promises_.activity().NoteUpload(kHere, clock_.MonotonicNanos() - ++number % 97);
    }
  });
  EXPECT_FALSE(Free(digest_));
}

TEST_F(PromisesTest, WhileSpaceIsShortOnlyUploadsRenew) {
  const Digest other = Numbered(1);
  Grant(kHere, digest_, 0, Promises::Answer::kManifestRead);
  Grant(kHere + 1, other);
  const int64_t began = clock_.MonotonicNanos();
  clock_.Advance(kPromise - 1);
  space_is_short_ = true;
  promises_.RenewRepository(kHere);
  std::optional reading = promises_.activity().BeginRead(kHere);
  promises_.activity().NoteUpload(kHere + 1, began);
  EXPECT_EQ(promises_.KeptNanos(digest_), 1);
  EXPECT_EQ(promises_.KeptNanos(other), kPromise);
  space_is_short_ = false;
  clock_.Advance(kNanosPerSecond);  // an answer about space is a second old at most
  EXPECT_EQ(promises_.KeptNanos(digest_), kPromise);
  reading.reset();
}

TEST_F(PromisesTest, TellsWhetherWhatWasReadBeforeStillHolds) {
  const auto read = [&] {
    clock_.Advance(1);
    const int64_t now = clock_.MonotonicNanos();
    clock_.Advance(1);
    return now;
  };
  EXPECT_FALSE(Grant(kHere, digest_, read()));
  EXPECT_TRUE(Grant(kHere, digest_, read()));
  EXPECT_FALSE(Grant(kHere + 1, digest_, read()));
  clock_.Advance(kPromise - kMinute);
  EXPECT_TRUE(Grant(kHere, digest_, read()));
  clock_.Advance(kPromise);
  EXPECT_FALSE(Grant(kHere, digest_, read()));  // there was a gap
  clock_.Advance(kPromise);
  const int64_t before = read();
  EXPECT_TRUE(Free(digest_));
  promises_.RenewRepository(kHere);
  EXPECT_FALSE(Grant(kHere, digest_, before));
  // The clock's reading was the same: nobody knows which came first.
  const Digest other = Numbered(1);
  EXPECT_FALSE(Grant(kHere, other, clock_.MonotonicNanos()));
  EXPECT_FALSE(Grant(kHere, other, clock_.MonotonicNanos()));
}

TEST_F(PromisesTest, AnOperatorEndsThemAll) {
  Promises promises(clock_, kPromise);
  ASSERT_TRUE(promises.Grant(kHere, digest_).ok());
  EXPECT_TRUE(promises.KeepsEverything());
  promises.EndAll();
  EXPECT_FALSE(promises.KeepsEverything());
  EXPECT_FALSE(promises.IsPromised(kHere, digest_));
  EXPECT_EQ(promises.KeptNanos(digest_), 0);
  ASSERT_TRUE(promises.Grant(kHere, digest_).ok());
  EXPECT_EQ(promises.KeptNanos(digest_), kPromise);
}

TEST_F(PromisesTest, KnowsWhereSomethingHappenedLately) {
  promises_.RenewRepository(3);
  clock_.Advance(kMinute);
  promises_.RenewRepository(kHere);
  std::optional reading = promises_.activity().BeginRead(5);
  clock_.Advance(kMinute);
  EXPECT_THAT(promises_.activity().ActiveSince(clock_.MonotonicNanos() - kMinute),
              testing::ElementsAre(5, kHere));
  reading.reset();
  clock_.Advance(kMinute + 1);
  EXPECT_THAT(promises_.activity().ActiveSince(clock_.MonotonicNanos() - kMinute),
              testing::IsEmpty());
}

TEST_F(PromisesTest, NothingIsFreeAfterAStart) {
  Promises fresh(clock_, kPromise);
  EXPECT_EQ(fresh.BeginReclaim(digest_), kPromise);
  clock_.Advance(kPromise);
  EXPECT_FALSE(fresh.BeginReclaim(digest_).has_value());
  fresh.EndReclaim(digest_);
}

TEST_F(PromisesTest, WallClockDoesNotMatter) {
  Grant(kHere, digest_);
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

// As storage/limits.h says, also when they come and go, which wears hash tables out: 30 MB, and 8
// MiB for the ends.
constexpr size_t kMostBytes = 30'000'000 + 8 * kMiB + 2 * kMiB;

TEST_F(PromisesTest, MemoryHasALimit) {
  const size_t before = AllocatedBytes();
  const auto promises = std::make_unique<Promises>(clock_, kPromise);
  size_t most = 0;
  for (uint64_t i = 0; i < 2 * kMaxPromises; ++i) {
    ASSERT_TRUE(promises->Grant(kHere, Numbered(i)).ok());
    if (i % 1000 == 0) most = std::max(most, AllocatedBytes() - before);
  }
  EXPECT_TRUE(promises->IsPromised(kHere, Numbered(2 * kMaxPromises - 1)));
  RecordProperty("bytes", static_cast<int>(most));
  EXPECT_LE(most, kMostBytes);
  EXPECT_GE(most, 24 * kMiB);
}

TEST_F(PromisesTest, MemoryHasALimitWhateverTheRepositories) {
  const size_t before = AllocatedBytes();
  const auto promises = std::make_unique<Promises>(clock_, kPromise);
  size_t most = 0;
  for (uint64_t i = 0; i < 2 * kMaxPromises; ++i) {
    ASSERT_TRUE(promises->Grant(i % 5 + 1, Numbered(i / 5)).ok());
    if (i % 1000 == 0) most = std::max(most, AllocatedBytes() - before);
  }
  for (uint64_t i = 0; i < 10'000; ++i) ASSERT_TRUE(promises->Grant(i + 1, digest_).ok());
  most = std::max(most, AllocatedBytes() - before);
  RecordProperty("bytes", static_cast<int>(most));
  EXPECT_LE(most, kMostBytes);
}

// Whoever floods the table makes others push again; nobody loses bytes, and what was never promised
// is as free as before.
TEST_F(PromisesTest, WhenThereAreTooManyThoseThatEndFirstAreForgotten) {
  const Digest earlier = Numbered(1'000'000'000);
  const Digest busy = Numbered(1'000'000'001);
  Grant(kHere, earlier);
  Grant(kHere + 1, busy);
  clock_.Advance(kMinute);
  // As many as leave room for half the table again.
  for (uint64_t i = 0; i < kMaxPromises / 2; ++i) Grant(kHere + 2, Numbered(i));
  EXPECT_TRUE(promises_.IsPromised(kHere, earlier));
  clock_.Advance(1);
  promises_.RenewRepository(kHere + 1);
  for (uint64_t i = kMaxPromises / 2; i < kMaxPromises + kMaxPromises / 8; ++i) {
    Grant(kHere + 2, Numbered(i));
  }
  EXPECT_FALSE(promises_.IsPromised(kHere, earlier));
  EXPECT_FALSE(Free(earlier));
  EXPECT_TRUE(promises_.IsPromised(kHere + 1, busy));  // granted as early, but it ends later
  EXPECT_TRUE(promises_.IsPromised(kHere + 2, Numbered(kMaxPromises)));
  uint64_t free = 0;
  for (uint64_t i = 2 * kMaxPromises; i < 2 * kMaxPromises + 1000; ++i) free += Free(Numbered(i));
  EXPECT_GT(free, 500u);  // some share a place with what is promised
  clock_.Advance(2 * kPromise);
  EXPECT_TRUE(Free(earlier));
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
    Grant(kHere, digest_);
    granted = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(granted);
  Grant(kHere, Numbered(1));  // another digest does not wait
  promises_.EndReclaim(digest_);
  client.join();
  EXPECT_FALSE(Free(digest_));
}

// A removal that hangs, on a disk or behind the guards of others, holds nobody up for long.
TEST_F(PromisesTest, GrantGivesUpOnARemovalThatDoesNotEnd) {
  ASSERT_FALSE(promises_.BeginReclaim(digest_).has_value());
  const absl::StatusOr<bool> granted = promises_.Grant(kHere, digest_);
  EXPECT_EQ(granted.status().code(), absl::StatusCode::kUnavailable) << granted.status();
  EXPECT_FALSE(promises_.IsPromised(kHere, digest_));
  promises_.EndReclaim(digest_);
  EXPECT_TRUE(Free(digest_));
  Grant(kHere, digest_);
  EXPECT_FALSE(Free(digest_));
}

TEST_F(PromisesTest, DeathOfARemovalThatEndsTwice) {
  ASSERT_FALSE(promises_.BeginReclaim(digest_).has_value());
  promises_.EndReclaim(digest_);
  EXPECT_DEATH(promises_.EndReclaim(digest_), "a removal that was announced ends once");
}

}  // namespace
}  // namespace varve
