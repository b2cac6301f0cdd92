#include "storage/tar/tar_header.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/storage/tar/archive_builder.h"

namespace varve {
namespace {

using namespace std::string_view_literals;

// A header whose field at `offset` is these bytes.
std::string WithField(size_t offset, std::string_view bytes) {
  std::string block = Header({.size_bytes = 1});
  block.replace(offset, bytes.size(), bytes);
  return offset == 148 ? block : WithChecksum(block);
}

TEST(TarHeaderTest, AWrongChecksumIsNoHeader) {
  const std::string block = Header({});
  ASSERT_TRUE(ParseTarHeader(block).has_value());
  for (size_t i = 0; i < block.size(); ++i) {
    std::string other = block;
    other[i] = static_cast<char>(other[i] + 1);
    // Two characters that end the checksum may be other than they are.
    if (i == 154 || i == 155) continue;
    EXPECT_FALSE(ParseTarHeader(other).has_value()) << i;
  }
}

TEST(TarHeaderTest, ChecksumsOfSignedBytesCount) {
  EXPECT_TRUE(ParseTarHeader(Header({.name = "\xc3\xa4", .signed_checksum = true})).has_value());
  EXPECT_TRUE(ParseTarHeader(Header({.name = "\xc3\xa4"})).has_value());
}

TEST(TarHeaderTest, ChecksumsMayHaveSpacesFirst) {
  std::string block = Header({});
  const std::string digits = block.substr(148, 6);
  block.replace(148, 8, " " + digits.substr(1) + std::string("\0 ", 2));
  EXPECT_TRUE(ParseTarHeader(block).has_value());
  block.replace(148, 8, "        ");
  EXPECT_FALSE(ParseTarHeader(block).has_value());
}

TEST(TarHeaderTest, ReadsSizesAsTheyAreWritten) {
  const struct {
    std::string_view field;
    uint64_t size_bytes;
  } cases[] = {
      {"00000000017\0"sv, 15},
      {"         17 "sv, 15},
      {"17\0\0\0\0\0\0\0\0\0\0"sv, 15},
      {"777777777777"sv, (uint64_t{1} << 36) - 1},
      {"\x80\0\0\0\0\0\0\x02\0\0\0\1"sv, (uint64_t{2} << 32) + 1},
      {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"sv, INT64_MAX},
      {"\x80\0\0\0\x80\0\0\0\0\0\0\0"sv, 0},                      // over 63 bits
      {"\x80\1\0\0\0\0\0\0\0\0\0\0"sv, 0},                        // far over
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv, 0},  // -1
      {"-0000000017\0"sv, 0},
      {"0000000001x\0"sv, 0},
      {"\0\0\0\0\0\0\0\0\0\0\0\0"sv, 0},
      {"            "sv, 0},
  };
  for (const auto& one : cases) {
    const std::optional<TarHeader> header = ParseTarHeader(WithField(124, one.field));
    ASSERT_TRUE(header.has_value());
    EXPECT_EQ(header->size_bytes, one.size_bytes) << one.field;
  }
}

TEST(TarHeaderTest, HeadersThatDifferInTheirTimeBecomeEqual) {
  std::string one = Header({.seconds = 1'700'000'000});
  std::string other = Header({.seconds = 7});
  ASSERT_NE(one, other);
  EXPECT_EQ(TakeTarTime(absl::MakeSpan(one)), 1'700'000'000);
  EXPECT_EQ(TakeTarTime(absl::MakeSpan(other)), 7);
  EXPECT_EQ(one, other);
  ASSERT_TRUE(RestoreTarTime(7, absl::MakeSpan(one)).ok());
  EXPECT_EQ(one, Header({.seconds = 7}));
}

TEST(TarHeaderTest, TakesTimesInEveryFormThatCanBePutBack) {
  for (const std::string_view field :
       {"14371563117\0"sv, "14371563117 "sv, "777777777777"sv, "0\0\0\0\0\0\0\0\0\0\0\0"sv,
        "17 0000000 1"sv, "1x8888888888"sv}) {
    const std::string block = WithField(136, field);
    std::string timeless = block;
    const std::optional<uint64_t> seconds = TakeTarTime(absl::MakeSpan(timeless));
    ASSERT_TRUE(seconds.has_value()) << field;
    EXPECT_LT(*seconds, kEndOfTarTimes);
    ASSERT_TRUE(RestoreTarTime(*seconds, absl::MakeSpan(timeless)).ok());
    EXPECT_EQ(timeless, block) << field;
  }
}

TEST(TarHeaderTest, LeavesWhatItCouldNotPutBack) {
  std::string spaced_checksum = Header({});
  spaced_checksum[148] = ' ';
  std::string wrong_checksum = Header({});
  wrong_checksum[0] = 'F';
  for (const std::string& block :
       {WithField(136, " 4371563117\0"sv), WithField(136, "\0\0\0\0\0\0\0\0\0\0\0\0"sv),
        WithField(136, "\x80\0\0\0\0\0\0\0\0\0\0\1"sv), WithField(136, "-1\0"sv), spaced_checksum,
        wrong_checksum, Header({.name = "\xc3\xa4", .signed_checksum = true})}) {
    std::string same = block;
    EXPECT_FALSE(TakeTarTime(absl::MakeSpan(same)).has_value());
    EXPECT_EQ(same, block);
  }
}

TEST(TarHeaderTest, RestoresNothingIntoAHeaderThatKeptItsTime) {
  std::string block = Header({.seconds = 5});
  EXPECT_EQ(RestoreTarTime(5, absl::MakeSpan(block)).code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(TakeTarTime(absl::MakeSpan(block)).has_value());
  EXPECT_EQ(RestoreTarTime(uint64_t{1} << 33, absl::MakeSpan(block)).code(),
            absl::StatusCode::kDataLoss);  // has 12 digits, and the field 11
}

TEST(TarHeaderTest, AChecksumThatHasNoRoomIsDamage) {
  std::string block = Header({});
  ASSERT_TRUE(TakeTarTime(absl::MakeSpan(block)).has_value());
  block.replace(148, 8, "0       ");
  EXPECT_EQ(RestoreTarTime(5, absl::MakeSpan(block)).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace varve
