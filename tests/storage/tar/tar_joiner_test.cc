#include "storage/tar/tar_joiner.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "storage/base/str_cat.h"
#include "tests/storage/tar/archive_builder.h"
#include "tests/storage/tar/archive_parts.h"

namespace varve {
namespace {

std::string Archive() {
  return StrCat(Header({.type = '5', .name = "d", .seconds = 3}),
                Header({.type = '5', .seconds = 9}), File(std::string(1'300, 'c'), {.seconds = 5}),
                File("x"), EndOfArchive());
}

TEST(TarJoinerTest, BeginsAtEveryPlace) {
  const std::string archive = Archive();
  const ArchiveParts parts = SplitArchive(archive).value();
  for (size_t place = 0; place <= archive.size(); ++place) {
    ASSERT_EQ(JoinArchive(parts, {.skipped_bytes = place}).value(), archive.substr(place)) << place;
  }
  EXPECT_EQ(JoinArchive(parts, {.skipped_bytes = archive.size() + 1}).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(TarJoinerTest, SkipsAgainWhileItReads) {
  const std::string archive = Archive();
  const ArchiveParts parts = SplitArchive(archive).value();
  const BytesInMemory skeleton(parts.skeleton);
  const BytesInMemory contents(parts.AllContent());
  TarJoiner joiner({.operations = StreamOf(parts.operations),
                    .times = StreamOf(parts.times),
                    .skeleton = skeleton,
                    .contents = contents},
                   archive.size());
  std::string expected, read;
  for (size_t at = 0; at + 107 < archive.size(); at += 107) {
    char bytes[7];
    expected += archive.substr(at, 7);
    for (size_t missing = sizeof(bytes); missing > 0;) {
      const size_t size = joiner.Read(absl::MakeSpan(bytes).first(missing)).value();
      ASSERT_GT(size, 0);
      read.append(bytes, size);
      missing -= size;
    }
    ASSERT_TRUE(joiner.Skip(100).ok());
  }
  EXPECT_EQ(read, expected);
}

// Nothing of what is passed over is read: a place is found by operations and times.
TEST(TarJoinerTest, SkippingReadsNeitherSkeletonNorContents) {
  class Untouched final : public ReadableBytes {
   public:
    absl::StatusOr<size_t> ReadAt(uint64_t, absl::Span<char>) const override {
      return absl::InternalError("read");
    }
  };
  const std::string archive = Archive();
  const ArchiveParts parts = SplitArchive(archive).value();
  const Untouched untouched;
  TarJoiner joiner({.operations = StreamOf(parts.operations),
                    .times = StreamOf(parts.times),
                    .skeleton = untouched,
                    .contents = untouched},
                   archive.size());
  EXPECT_TRUE(joiner.Skip(archive.size() - 100).ok());
}

TEST(TarJoinerTest, PartsOfAnotherArchiveAreDamage) {
  const ArchiveParts parts = SplitArchive(Archive()).value();
  const auto code = [](const ArchiveParts& other) { return JoinArchive(other).status().code(); };
  ArchiveParts other = parts;
  other.skeleton.pop_back();
  EXPECT_EQ(code(other), absl::StatusCode::kDataLoss);
  other.skeleton = parts.skeleton + "x";
  EXPECT_EQ(code(other), absl::StatusCode::kDataLoss);
  other = parts;
  other.contents.pop_back();
  EXPECT_EQ(code(other), absl::StatusCode::kDataLoss);
  other.contents = {{std::nullopt, std::string(1'301, 'c')}};
  EXPECT_EQ(code(other), absl::StatusCode::kDataLoss);
  other = parts;
  other.times.pop_back();
  EXPECT_EQ(code(other), absl::StatusCode::kDataLoss);
  EXPECT_EQ(JoinArchive(parts, {.max_bytes = Archive().size() - 1}).status().code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace varve
