#include "client/cli/text.h"

#include "gtest/gtest.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

TEST(TextTest, SizesAreDecimalWithFourDigitsAsDockerWritesThem) {
  EXPECT_EQ(HumanSize(0), "0B");
  EXPECT_EQ(HumanSize(999), "999B");
  EXPECT_EQ(HumanSize(1000), "1kB");
  EXPECT_EQ(HumanSize(8736), "8.736kB");
  EXPECT_EQ(HumanSize(12'736), "12.74kB");
  EXPECT_EQ(HumanSize(1'500'000'000), "1.5GB");
  EXPECT_EQ(HumanSize(UINT64_MAX), "18.45EB");
}

TEST(TextTest, DurationsAreWordedAsDockerWordsThem) {
  const auto seconds = [](int64_t count) { return HumanDuration(count * kNanosPerSecond); };
  EXPECT_EQ(seconds(-5), "Less than a second");
  EXPECT_EQ(seconds(0), "Less than a second");
  EXPECT_EQ(seconds(1), "1 second");
  EXPECT_EQ(seconds(59), "59 seconds");
  EXPECT_EQ(seconds(60), "About a minute");
  EXPECT_EQ(seconds(120), "2 minutes");
  EXPECT_EQ(seconds(3600), "About an hour");
  EXPECT_EQ(seconds(2 * 3600), "2 hours");
  EXPECT_EQ(seconds(48 * 3600), "2 days");
  EXPECT_EQ(seconds(14 * 24 * 3600), "2 weeks");
  EXPECT_EQ(seconds(60 * 24 * 3600), "2 months");
  EXPECT_EQ(seconds(3 * 365 * 24 * 3600ll), "3 years");
}

TEST(TextTest, TimesAreUtcToTheNanosecond) {
  EXPECT_EQ(TimeText(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(TimeText(1'700'000'000'000'000'005), "2023-11-14T22:13:20.000000005Z");
}

TEST(TextTest, TimesThatAConfigMakesUpDoNoHarm) {
  EXPECT_EQ(TimeText(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(TimeText(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(TimeText(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(DockerTimeText(1'700'000'000'000'000'005), "2023-11-14 22:13:20 +0000 UTC");
  EXPECT_EQ(HumanAge(0, 120 * kNanosPerSecond), "2 minutes ago");
  EXPECT_EQ(HumanAge(INT64_MIN, INT64_MAX), "292 years ago");
  EXPECT_EQ(HumanAge(INT64_MAX, 0), "Less than a second ago");
}

TEST(TextTest, WhatComesIsWordedAsAWait) {
  const auto wait = [](int64_t nanos) { return HumanWait(1000 + nanos, 1000); };
  EXPECT_EQ(wait(-1), "now");
  EXPECT_EQ(wait(0), "now");
  EXPECT_EQ(wait(1), "in 1 second");
  EXPECT_EQ(wait(59 * kNanosPerSecond), "in 59 seconds");
  EXPECT_EQ(wait(60 * kNanosPerSecond), "in about a minute");
  EXPECT_EQ(wait(600 * kNanosPerSecond - 1), "in 10 minutes");
  EXPECT_EQ(wait(600 * kNanosPerSecond), "in 10 minutes");
  EXPECT_EQ(wait(600 * kNanosPerSecond + 1), "in 11 minutes");
  EXPECT_EQ(wait(3600 * kNanosPerSecond), "in about an hour");
  EXPECT_EQ(wait(24 * 3600 * kNanosPerSecond), "in 24 hours");
  EXPECT_EQ(HumanWait(INT64_MAX, INT64_MIN), "in 292 years");
  EXPECT_EQ(HumanWait(INT64_MIN, INT64_MAX), "now");
}

TEST(TextTest, TimesAreInWordsOrInFull) {
  const int64_t now = 1'700'000'000'000'000'000;
  const TimeWords words(false, now);
  EXPECT_EQ(words.Past(now - 120 * kNanosPerSecond), "2 minutes ago");
  EXPECT_EQ(words.Future(now + 420 * kNanosPerSecond), "in 7 minutes");
  const TimeWords in_full(true, now);
  EXPECT_EQ(in_full.Past(now - 20 * kNanosPerSecond), "2023-11-14T22:13:00.000000000Z");
  EXPECT_EQ(in_full.Future(now), "2023-11-14T22:13:20.000000000Z");
}

TEST(TextTest, ATableIsAlignedInBatches) {
  Table table({"NAME", "SIZE"});
  EXPECT_EQ(table.Format({{"a", "1B"}, {"a-long-name", "2B"}}),
            "NAME          SIZE\n"
            "a             1B\n"
            "a-long-name   2B\n");
  EXPECT_EQ(table.Format({{"b", "3B"}}), "b             3B\n");
  EXPECT_EQ(Table({"NAME", "SIZE"}).Format({}), "NAME      SIZE\n");
}

TEST(TextTest, CellsCannotCommandTheTerminal) {
  EXPECT_EQ(Table({"NAME", "SIZE"}).Format({{"a\x1b[2J\nb", "1B"}, {"gr\xc3\xb6n"}}),
            "NAME      SIZE\n"
            "a?[2J?b   1B\n"
            "gr\xc3\xb6n\n");
}

}  // namespace
}  // namespace varve
