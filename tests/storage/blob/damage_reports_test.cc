#include "storage/blob/damage_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr int64_t kHourNanos = 3600 * kNanosPerSecond;

class DamageReportsTest : public testing::Test {
 protected:
  void Meet(int number) {
    reports_.Report(HashBytes(DigestAlgorithm::kSha256, StrCat("blob ", number)), "it is gone");
  }

  FakeClock clock_;
  std::vector<std::string> told_;
  DamageReports reports_{clock_,
                         [this](std::string_view sentence) { told_.emplace_back(sentence); }};
};

TEST_F(DamageReportsTest, ABlobIsToldWithItsFaultAndWhatToDoOnceAnHour) {
  for (int i = 0; i < 1000; ++i) Meet(1);
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_THAT(told_[0], AllOf(HasSubstr(HashBytes(DigestAlgorithm::kSha256, "blob 1").ToString()),
                              HasSubstr("it is gone"), HasSubstr("varve fsck"),
                              HasSubstr("a push of it"), Not(HasSubstr("not told"))));
  clock_.Advance(kHourNanos - 1);
  Meet(1);
  EXPECT_THAT(told_, SizeIs(1));
  clock_.Advance(1);
  Meet(1);
  EXPECT_THAT(told_, SizeIs(2));
}

TEST_F(DamageReportsTest, OfManyAFewAMinuteAreToldAndHowManyWereNot) {
  for (int i = 0; i < 1000; ++i) Meet(i);
  EXPECT_THAT(told_, SizeIs(30));
  clock_.Advance(60 * kNanosPerSecond);
  Meet(0);
  EXPECT_THAT(told_, SizeIs(30)) << "it was told within the hour";
  Meet(999);  // was left out
  ASSERT_THAT(told_, SizeIs(31));
  EXPECT_THAT(told_[30], HasSubstr("damage was met 970 times and not told"));
  Meet(998);
  ASSERT_THAT(told_, SizeIs(32));
  EXPECT_THAT(told_[31], Not(HasSubstr("not told")));
}

// Nothing is told twice within an hour, however many there are, and later all can be told again.
TEST_F(DamageReportsTest, WhatWasToldIsRememberedForAnHourAndNoLonger) {
  for (int minute = 0; minute < 130; ++minute) {
    for (int i = 0; i < 40; ++i) Meet(minute * 30 + i);
    EXPECT_THAT(told_, SizeIs(30u * static_cast<size_t>(minute + 1)));
    clock_.Advance(60 * kNanosPerSecond);
  }
  Meet(129 * 30);
  EXPECT_THAT(told_, SizeIs(130u * 30));
  Meet(0);
  EXPECT_THAT(told_, SizeIs(130u * 30 + 1));
}

TEST_F(DamageReportsTest, NobodyNeedsToListen) {
  DamageReports reports(clock_, nullptr);
  reports.Report(HashBytes(DigestAlgorithm::kSha256, "a"), "it is gone");
}

}  // namespace
}  // namespace varve
