#include "storage/image/time_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/str_cat.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using testing::HasSubstr;

constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
constexpr int64_t kSecond = kNanosPerSecond;
// 2022-01-01T00:00:00Z.
constexpr int64_t kNewYear = 1'640'995'200 * kSecond;
constexpr TimeReference kReference = {kNewYear, 0};

int64_t Parsed(std::string_view text, const TimeReference& reference = kReference) {
  const absl::StatusOr<int64_t> time = ParseTimeOrDuration(text, reference);
  EXPECT_TRUE(time.ok()) << text << ": " << time.status();
  return time.value_or(0);
}

std::string Refusal(std::string_view text) {
  const absl::StatusOr<int64_t> time = ParseTimeOrDuration(text, kReference);
  EXPECT_EQ(time.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(ToStd(time.status().message()));
}

TEST(TimeTextTest, Rfc3339) {
  const std::vector<std::pair<std::string, int64_t>> times = {
      {"1970-01-01T00:00:00Z", 0},
      {"1969-12-31T23:59:59.5Z", -kSecond / 2},
      {"2022-01-01T00:00:00Z", kNewYear},
      {"2022-01-01T02:30:00+02:30", kNewYear},
      {"2021-12-31T16:00:00-08:00", kNewYear},
      {"2022-01-01T00:00:00.000000001Z", kNewYear + 1},
      {"2022-01-01T00:00:00.1234567899999Z", kNewYear + 123'456'789},
      {"2000-02-29T12:00:00Z", 951'825'600 * kSecond},
      {"2262-04-11T23:47:16.854775807Z", kLast},
      {"0001-01-01T00:00:00Z", kFirst},
      {"9999-12-31T23:59:59Z", kLast},
      {"0000-01-01T00:00:00+24:00", kFirst},
  };
  for (const auto& [text, nanos] : times) {
    const absl::StatusOr<int64_t> time = ParseRfc3339(text);
    ASSERT_TRUE(time.ok()) << text << ": " << time.status();
    EXPECT_EQ(*time, nanos) << text;
  }
}

TEST(TimeTextTest, WhatIsNoRfc3339) {
  const std::vector<std::string> texts = {
      "",
      "2022",
      "2022-01-01",
      "2022-01-01T00:00:00",
      "2022-01-01 00:00:00Z",
      "2022-01-01T00:00:00z",
      "2022-01-01T00:00Z",
      "2022-13-01T00:00:00Z",
      "2022-00-01T00:00:00Z",
      "2022-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z",
      "2022-01-32T00:00:00Z",
      "2022-01-00T00:00:00Z",
      "2022-01-01T24:00:00Z",
      "2022-01-01T00:60:00Z",
      "2022-01-01T00:00:60Z",
      "2022-01-01T00:00:00Z ",
      "2022-01-01T00:00:00+0100",
      "2022-01-01T00:00:00+25:00",
      "2022-01-01T00:00:00.Z",
      "-022-01-01T00:00:00Z",
      "20220-01-01T00:00:00Z",
      std::string("2022-01-01T00:00:00Z\0", 21),
      std::string(100'000, '9'),
  };
  for (const std::string& text : texts) {
    const absl::StatusOr<int64_t> time = ParseRfc3339(text);
    EXPECT_EQ(time.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_LT(time.status().message().size(), 300u);
  }
}

TEST(TimeTextTest, DurationsAreBeforeNow) {
  const std::vector<std::pair<std::string, int64_t>> durations = {
      {"10m", 600 * kSecond},
      {"1h30m10s", 5410 * kSecond},
      {"24h", 86'400 * kSecond},
      {"-1h", -3600 * kSecond},
      {"+1h", 3600 * kSecond},
      {"1.5h", 5400 * kSecond},
      {".5s", kSecond / 2},
      {"1.s", kSecond},
      {"1ns", 1},
      {"1us", 1000},
      {"1\xc2\xb5s", 1000},
      {"1\xce\xbcs", 1000},
      {"3ms", 3'000'000},
      {"0s", 0},
      {"+0", 0},
  };
  for (const auto& [text, nanos] : durations) EXPECT_EQ(Parsed(text), kNewYear - nanos) << text;
  EXPECT_EQ(Parsed("-2562047h", {kLast, 0}), kLast);
  EXPECT_EQ(Parsed("2562047h", {kFirst, 0}), kFirst);
}

TEST(TimeTextTest, DatesAndTimesOfEveryForm) {
  constexpr int64_t kHour = 3600 * kSecond;
  const std::vector<std::pair<std::string, int64_t>> times = {
      {"2022-01-01Z", 0},
      {"2022-01-01+01:00", -kHour},
      {"2022-01-01-01:00", kHour},
      {"2022-01-01T05Z", 5 * kHour},
      {"2022-01-01T5Z", 5 * kHour},
      {"2022-01-01T05+01:00", 4 * kHour},
      {"2022-01-01T05:30Z", 5 * kHour + kHour / 2},
      {"2022-01-01T05:30-01:00", 6 * kHour + kHour / 2},
      {"2022-01-01T05:30:01Z", 5 * kHour + kHour / 2 + kSecond},
      {"2022-01-01T05:30:01.25Z", 5 * kHour + kHour / 2 + kSecond * 5 / 4},
      {"2022-01-01T05:30:01.25+05:30", kSecond * 5 / 4},
      {"2022-01-01", 0},
      {"2022-01-01T05", 5 * kHour},
      {"2022-01-01T05:30", 5 * kHour + kHour / 2},
      {"2022-01-01T05:30:01", 5 * kHour + kHour / 2 + kSecond},
      {"2022-01-01T05:30:01.5", 5 * kHour + kHour / 2 + kSecond * 3 / 2},
  };
  for (const auto& [text, nanos] : times) EXPECT_EQ(Parsed(text), kNewYear + nanos) << text;
}

TEST(TimeTextTest, WithoutAZoneTheLocalOneCounts) {
  const TimeReference east = {kNewYear, 3600};
  EXPECT_EQ(Parsed("2022-01-01", east), kNewYear - 3600 * kSecond);
  EXPECT_EQ(Parsed("2022-01-01T01:00", east), kNewYear);
  EXPECT_EQ(Parsed("2022-01-01T00:00:00Z", east), kNewYear);
  EXPECT_EQ(Parsed("2022-01-01-02:00", east), kNewYear + 7200 * kSecond);
  EXPECT_EQ(Parsed("1640995200", east), kNewYear);
  EXPECT_EQ(Parsed("1h", east), kNewYear - 3600 * kSecond);
}

TEST(TimeTextTest, UnixSeconds) {
  EXPECT_EQ(Parsed("0"), 0);
  EXPECT_EQ(Parsed("1640995200"), kNewYear);
  EXPECT_EQ(Parsed("1640995200.5"), kNewYear + kSecond / 2);
  EXPECT_EQ(Parsed("1640995200.000000001"), kNewYear + 1);
  EXPECT_EQ(Parsed("1640995200.0000000019"), kNewYear + 1);
  EXPECT_EQ(Parsed("+7"), 7 * kSecond);
  EXPECT_EQ(Parsed("9000000000000000000"), kLast);
}

TEST(TimeTextTest, RefusalsInDockersWords) {
  EXPECT_EQ(Refusal("10d"), "failed to parse value as time or duration: \"10d\"");
  EXPECT_EQ(Refusal(""), "failed to parse value as time or duration: \"\"");
  EXPECT_EQ(Refusal("yesterday"), "failed to parse value as time or duration: \"yesterday\"");
  EXPECT_EQ(Refusal("2022-13-01"), "parsing time \"2022-13-01\": month out of range");
  EXPECT_EQ(Refusal("2022-01-32"), "parsing time \"2022-01-32\": day out of range");
  EXPECT_EQ(Refusal("2022-01-01 00:00:00"),
            "parsing time \"2022-01-01 00:00:00\": extra text: \" 00:00:00\"");
  EXPECT_EQ(Refusal("2022-1-01"),
            "parsing time \"2022-1-01\" as \"2006-01-02\": cannot parse \"1-01\" as \"01\"");
  EXPECT_EQ(Refusal("-5"),
            "parsing time \"-5\" as \"2006-01-02\": cannot parse \"-5\" as \"2006\"");
  for (const std::string text :
       {"1640995200.", "1640995200.x", "1h30", "h", "1..5h", "5h -3m", "9223372036854775808",
        "99999999999999999999", "2562048h", "- 1h", "--1h", "1 h", "1H"}) {
    Refusal(text);
  }
  EXPECT_THAT(Refusal(StrCat("x\n\x1b\"", std::string(1'000'000, 'y'))), HasSubstr("\"x??\\\"yyy"));
  EXPECT_LT(Refusal(std::string(1'000'000, '7')).size(), 200u);
  EXPECT_LT(Refusal(std::string(1'000'000, '-')).size(), 300u);
}

// Sets TZ while it lives.
class ZoneSetting {
 public:
  explicit ZoneSetting(const char* zone) {
    const char* const old = std::getenv("TZ");
    if (old != nullptr) old_ = old;
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~ZoneSetting() {
    if (old_.has_value()) {
      ::setenv("TZ", old_->c_str(), 1);
    } else {
      ::unsetenv("TZ");
    }
    ::tzset();
  }
  ZoneSetting(const ZoneSetting&) = delete;
  ZoneSetting& operator=(const ZoneSetting&) = delete;

 private:
  std::optional<std::string> old_;
};

TEST(TimeTextTest, TheLocalZoneIsThatOfTheProcess) {
  FakeClock clock(kNewYear);
  {
    const ZoneSetting zone("EAST-5:30");
    EXPECT_EQ(LocalTimeReference(clock).utc_offset_seconds, 5 * 3600 + 1800);
  }
  {
    const ZoneSetting zone("UTC0");
    EXPECT_EQ(LocalTimeReference(clock).utc_offset_seconds, 0);
  }
  EXPECT_EQ(LocalTimeReference(clock).now_nanos, kNewYear);
}

}  // namespace
}  // namespace varve
