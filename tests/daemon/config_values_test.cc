#include "daemon/config_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

namespace varve {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(ParseSize, TakesBytesAndUnits) {
  EXPECT_EQ(*ParseSize("0"), 0u);
  EXPECT_EQ(*ParseSize("4096"), 4096u);
  EXPECT_EQ(*ParseSize("4096B"), 4096u);
  EXPECT_EQ(*ParseSize("10GB"), 10'000'000'000u);
  EXPECT_EQ(*ParseSize("20GiB"), 20ULL << 30);
  EXPECT_EQ(*ParseSize("7TiB"), 7ULL << 40);
  EXPECT_EQ(*ParseSize("3kB"), 3000u);
  EXPECT_EQ(*ParseSize("9223372036854775807"), 9223372036854775807u);
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const char* text : {"", "GiB", "-1", "+1", "1.5GiB", "5%", "10 GB", "10gb", "10G", "0x10",
                           "1GiBB", "1e9", " 1"}) {
    const auto size = ParseSize(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(size.status().message()), HasSubstr("is not a size")) << text;
  }
}

TEST(ParseSize, RefusesWhatOverflows) {
  for (const char* text : {"9223372036854775808", "18446744073709551616", "8388608TiB"}) {
    const auto size = ParseSize(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_THAT(std::string(size.status().message()), HasSubstr("too large")) << text;
  }
}

TEST(ParseDuration, TakesTheUsualForms) {
  const DurationRange range = {seconds(0), hours(24)};
  EXPECT_EQ(*ParseDuration("10m", range), minutes(10));
  EXPECT_EQ(*ParseDuration("1h30m", range), minutes(90));
  EXPECT_EQ(*ParseDuration("0s", range), seconds(0));
  EXPECT_EQ(*ParseDuration("24h", range), hours(24));
  EXPECT_EQ(*ParseDuration("1500ms", range), std::chrono::milliseconds(1500));
}

TEST(ParseDuration, RefusesNonsenseAndWhatIsOutOfRange) {
  const DurationRange range = {seconds(1), hours(24)};
  for (const char* text : {"", "10", "m", "10 m", "1d", "ten"}) {
    const auto duration = ParseDuration(text, range);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(std::string(duration.status().message()), HasSubstr("is not a duration")) << text;
  }
  for (const char* text : {"0", "-5m", "999ms", "24h1s", "inf", "-inf", "99999999999h"}) {
    const auto duration = ParseDuration(text, range);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(std::string(duration.status().message()), HasSubstr("between 1s and 24h")) << text;
  }
}

TEST(ParseListenAddress, TakesAddressesAndKnowsLoopback) {
  struct Case {
    const char* text;
    const char* host;
    uint16_t port;
    bool loopback;
  };
  for (const Case& c :
       {Case{"127.0.0.1:5000", "127.0.0.1", 5000, true}, Case{"127.9.9.9:1", "127.9.9.9", 1, true},
        Case{"localhost:0", "127.0.0.1", 0, true}, Case{"[::1]:65535", "::1", 65535, true},
        Case{":80", "0.0.0.0", 80, false}, Case{"0.0.0.0:80", "0.0.0.0", 80, false},
        Case{"[::]:80", "::", 80, false},
        // Reaches 127.0.0.1, but is refused rather than argued about.
        Case{"[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80, false},
        Case{"10.0.0.1:80", "10.0.0.1", 80, false}}) {
    const auto address = ParseListenAddress(c.text);
    ASSERT_TRUE(address.ok()) << c.text;
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
    EXPECT_EQ(address->loopback, c.loopback) << c.text;
  }
}

TEST(ParseListenAddress, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "5000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:5000x", "::1:5000", "[]:5000", "[127.0.0.1]:5000",
                           "registry.example:5000", "http://127.0.0.1:5000"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("write IP:PORT")) << text;
  }
}

TEST(NearestWord, FindsTyposAndNothingElse) {
  constexpr std::array<std::string_view, 3> kWords = {"listen", "sparse_index", "allow_remote"};
  EXPECT_EQ(NearestWord("lisen", kWords.data(), kWords.size()), "listen");
  EXPECT_EQ(NearestWord("sparse-index", kWords.data(), kWords.size()), "sparse_index");
  EXPECT_EQ(NearestWord("tls", kWords.data(), kWords.size()), "");
  EXPECT_EQ(NearestWord("", kWords.data(), kWords.size()), "");
  EXPECT_EQ(NearestWord(std::string(100'000, 'x'), kWords.data(), kWords.size()), "");
}

}  // namespace
}  // namespace varve
