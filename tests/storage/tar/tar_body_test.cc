#include "storage/tar/tar_body.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "storage/tar/tar_header.h"
#include "tests/storage/tar/archive_parts.h"

namespace varve {
namespace {

using namespace std::string_view_literals;
using Kind = TarOperation::Kind;

constexpr uint64_t kMaxBytes = uint64_t{1} << 50;

TarBodyReader ReaderOf(std::string_view operations, std::string_view times = "") {
  return {StreamOf(std::string(operations), 1), StreamOf(std::string(times), 1), kMaxBytes};
}

// Reads all operations, and the times of headers.
absl::Status ReadAll(TarBodyReader& reader) {
  while (true) {
    const absl::StatusOr<std::optional<TarOperation>> next = reader.Next();
    if (!next.ok() || !next->has_value()) return next.status();
    if ((*next)->kind != Kind::kHeaders) continue;
    for (uint64_t i = 0; i < (*next)->count; ++i) {
      const absl::StatusOr<uint64_t> seconds = reader.NextSeconds();
      if (!seconds.ok()) return seconds.status();
    }
  }
}

absl::Status ReadAll(std::string_view operations, std::string_view times = "") {
  TarBodyReader reader = ReaderOf(operations, times);
  return ReadAll(reader);
}

// The bytes on disk: whoever changes them needs a new version.
TEST(TarBodyTest, HasTheseBytes) {
  TarBodyWriter writer;
  writer.Header(1'000);
  writer.Content(600);
  writer.Zeros(424);
  writer.Header(1'001);
  writer.Header(999);
  writer.Skeleton(5);
  writer.Skeleton(6);
  writer.Finish();
  EXPECT_EQ(writer.TakeOperations(), "\x01\x05\xe2\x12\xa3\x0d\x09\x2c\x00\x8b\x14"sv);
  EXPECT_EQ(writer.TakeTimes(), "\xd0\x0f\x02\x03"sv);
}

TEST(TarBodyTest, ReadsWhatWasWritten) {
  TarBodyWriter writer;
  std::string operations = writer.TakeOperations();
  writer.Zeros(uint64_t{1} << 40);
  operations += writer.TakeOperations();
  writer.Header(kEndOfTarTimes - 1);
  writer.Header(0);
  writer.Content(1);
  operations += writer.TakeOperations();
  writer.Finish();
  operations += writer.TakeOperations();
  TarBodyReader reader = ReaderOf(operations, writer.TakeTimes());
  EXPECT_EQ(reader.Next()->value().count, uint64_t{1} << 40);
  const TarOperation headers = reader.Next()->value();
  EXPECT_EQ(headers.kind, Kind::kHeaders);
  EXPECT_EQ(headers.size_bytes(), 2 * kTarBlockBytes);
  EXPECT_EQ(*reader.NextSeconds(), kEndOfTarTimes - 1);
  EXPECT_EQ(*reader.NextSeconds(), 0);
  EXPECT_EQ(reader.Next()->value().kind, Kind::kContent);
  EXPECT_EQ(*reader.Next(), std::nullopt);
  EXPECT_EQ(*reader.Next(), std::nullopt);
}

TEST(TarBodyTest, AnEmptyArchiveHasABody) {
  TarBodyWriter writer;
  writer.Content(0);
  writer.Finish();
  EXPECT_EQ(writer.TakeOperations(), "\x01\x00\x00"sv);
  EXPECT_TRUE(ReadAll("\x01\x00\x00"sv).ok());
}

TEST(TarBodyTest, RefusesWhatItNeverWrites) {
  const struct {
    std::string_view why;
    std::string_view operations;
    std::string_view times = "";
  } cases[] = {
      {"nothing", ""sv},
      {"no end", "\x01\x2c"sv},
      {"half a number", "\x01\xe2"sv},
      {"another size", "\x01\x2c\x00\x0c"sv},
      {"something after the end", "\x01\x2c\x00\x0b\x00"sv},
      {"no byte of skeleton would be the end", "\x01\x01\x00\x00"sv},
      {"content of no bytes", "\x01\x02\x00\x00"sv},
      {"twice the same kind", "\x01\x2c\x2c\x00\x16"sv},
      {"a number in no shortest form", "\x01\xac\x00\x00\x0b"sv},
      {"more than 64 bits", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03"sv},
      {"more bytes than it may", "\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv},
      {"headers that overflow", "\x01\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv},
      {"a header without a time", "\x01\x05\x00\x80\x04"sv},
      {"a time without a header", "\x01\x00\x00"sv, "\x00"sv},
      {"a time before all", "\x01\x05\x00\x80\x04"sv, "\x01"sv},
      {"a time after all", "\x01\x05\x00\x80\x04"sv, "\x80\x80\x80\x80\x80\x04"sv},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(ReadAll(one.operations, one.times).code(), absl::StatusCode::kDataLoss) << one.why;
  }
  EXPECT_TRUE(ReadAll("\x01\x05\x00\x80\x04"sv, "\x00"sv).ok());
}

TEST(TarBodyTest, NamesAVersionThatItDoesNotKnow) {
  const absl::Status status = ReadAll("\x02\x00\x00"sv);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("version 2"), std::string_view::npos);
}

TEST(TarBodyTest, TheLimitIsTheWholeArchive) {
  const std::string_view operations = "\x01\x2c\x2f\x00\x16"sv;  // 11 bytes, 11 zeros
  TarBodyReader enough(StreamOf(std::string(operations)), StreamOf(""), 22);
  EXPECT_TRUE(ReadAll(enough).ok());
  TarBodyReader too_little(StreamOf(std::string(operations)), StreamOf(""), 21);
  EXPECT_TRUE(too_little.Next().ok());
  EXPECT_EQ(too_little.Next().status().code(), absl::StatusCode::kDataLoss);
}

TEST(TarBodyTest, ErrorsOfTheStreamsComeThrough) {
  const TarStream failing = [](absl::Span<char>) {
    return absl::StatusOr<size_t>(absl::UnavailableError("later"));
  };
  TarBodyReader reader(failing, StreamOf(""), kMaxBytes);
  EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kUnavailable);
}

TEST(TarBodyDeathTest, ATimeThatNoHeaderHasIsABug) {
  TarBodyWriter writer;
  EXPECT_DEATH(writer.Header(kEndOfTarTimes), "a time comes from a field of a header");
}

}  // namespace
}  // namespace varve
