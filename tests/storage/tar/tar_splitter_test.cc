#include "storage/tar/tar_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/str_cat.h"
#include "tests/storage/tar/archive_builder.h"
#include "tests/storage/tar/archive_parts.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Content = ArchiveParts::Content;

const std::string kSmall(511, 's');
const std::string kLarge(512, 'l');
const std::string kOdd(3'001, 'o');

Content Whole(std::string_view bytes) { return {bytes.size(), std::string(bytes)}; }
Content Unknown(std::string_view bytes) { return {std::nullopt, std::string(bytes)}; }

// The contents of `archive`, when it is the same after having been put together again.
std::vector<Content> ContentsOf(std::string_view archive, bool is_tar = true) {
  const absl::StatusOr<ArchiveParts> parts = SplitArchive(archive);
  EXPECT_TRUE(parts.ok()) << parts.status();
  if (!parts.ok()) return {};
  EXPECT_EQ(parts->is_tar, is_tar);
  const absl::StatusOr<std::string> joined = JoinArchive(*parts);
  EXPECT_TRUE(joined.ok()) << joined.status();
  EXPECT_TRUE(joined.ok() && *joined == archive);
  return parts->contents;
}

TEST(TarSplitterTest, FilesAreContentAndEmptyOnesAreNot) {
  for (const Dialect dialect : {Dialect::kV7, Dialect::kUstar, Dialect::kGnu}) {
    const std::string archive =
        StrCat(File(kLarge, {.dialect = dialect}), Header({.type = '5'}),
               File("", {.dialect = dialect}), File(kOdd, {.dialect = dialect, .type = '\0'}),
               File(kOdd, {.dialect = dialect, .type = '7'}), EndOfArchive());
    EXPECT_THAT(ContentsOf(archive), ElementsAre(Whole(kLarge), Whole(kOdd), Whole(kOdd)));
  }
}

TEST(TarSplitterTest, SmallFilesTravelWithTheSkeleton) {
  const std::string archive = StrCat(File(kSmall), File("x"), EndOfArchive());
  EXPECT_THAT(ContentsOf(archive), IsEmpty());
  const ArchiveParts parts = SplitArchive(archive).value();
  EXPECT_EQ(parts.skeleton.size(), 512 + 511 + 512 + 1);  // no padding, no end
}

TEST(TarSplitterTest, ArchivesThatDifferInTimesDifferInTimesAlone) {
  const auto archive = [](uint64_t seconds) {
    return StrCat(File(kOdd, {.seconds = seconds}), File("x", {.seconds = seconds + 1}),
                  EndOfArchive());
  };
  const ArchiveParts one = SplitArchive(archive(1'600'000'000)).value();
  ArchiveParts other = SplitArchive(archive(1'700'000'123)).value();
  EXPECT_NE(one.times, other.times);
  other.times = one.times;
  EXPECT_EQ(one, other);
}

TEST(TarSplitterTest, LinksAndDevicesStoreNothingWhateverTheySay) {
  std::string archive;
  for (const char type : {'1', '2', '3', '4', '5', '6'}) {
    archive += Header({.type = type, .size_bytes = 100'000});
  }
  EXPECT_THAT(ContentsOf(archive + File(kOdd)), ElementsAre(Whole(kOdd)));
}

TEST(TarSplitterTest, NamesAndRecordsAreSkeleton) {
  const std::string name(700, 'n');
  const std::string archive =
      StrCat(PaxHeader({{"comment", name}}, 'g'), PaxHeader({{"path", name}}), File(kLarge),
             LongName(name), LongName(name, 'K'), File(kOdd));
  EXPECT_THAT(ContentsOf(archive), ElementsAre(Whole(kLarge), Whole(kOdd)));
}

TEST(TarSplitterTest, MetadataOfManyBytesIsContent) {
  const std::string name(kMaxTarMetadataBytes, 'n');
  EXPECT_THAT(ContentsOf(LongName(name) + File(kOdd)),
              ElementsAre(Whole(name + '\0'), Whole(kOdd)));
}

TEST(TarSplitterTest, ThePaxSizeWins) {
  const std::string file = StrCat(Header({.size_bytes = 7}), kOdd, Padding(kOdd.size()));
  const std::string archive =
      StrCat(PaxHeader({{"size", StrCat(kOdd.size())}}), LongName("between"), file,
             File(kLarge));  // of its member alone
  EXPECT_THAT(ContentsOf(archive), ElementsAre(Whole(kOdd), Whole(kLarge)));
}

TEST(TarSplitterTest, APaxSizeThatIsNoneDoesNotCount) {
  for (const std::string_view size : {"-5", "", "99999999999999999999", "12x"}) {
    const std::string archive = PaxHeader({{"size", std::string(size)}}) + File(kOdd);
    EXPECT_THAT(ContentsOf(archive), ElementsAre(Whole(kOdd))) << size;
  }
}

TEST(TarSplitterTest, OfSparseFilesTheStoredBytesAreContent) {
  EXPECT_THAT(ContentsOf(OldSparseFile(kOdd, 0) + File(kLarge)),
              ElementsAre(Whole(kOdd), Whole(kLarge)));
  EXPECT_THAT(ContentsOf(OldSparseFile(kOdd, 3) + File(kLarge)),
              ElementsAre(Whole(kOdd), Whole(kLarge)));
  for (const int pairs : {0, 1, 200}) {
    EXPECT_THAT(ContentsOf(PaxSparseFile(kOdd, pairs) + File(kLarge)),
                ElementsAre(Whole(kOdd), Whole(kLarge)));
  }
  const std::string older = PaxHeader({{"GNU.sparse.map", "0,512,8192,512"}});
  EXPECT_THAT(ContentsOf(older + File(kOdd)), ElementsAre(Whole(kOdd)));
}

TEST(TarSplitterTest, AMapThatIsNoneEndsWhereItIsSeen) {
  const std::string header = PaxHeader({{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}});
  const std::string large(2'000, 'l');
  EXPECT_THAT(ContentsOf(StrCat(header, File(large))), ElementsAre(Whole(large.substr(512))));
  const std::string digits(2'000, '1');
  EXPECT_THAT(ContentsOf(StrCat(header, File(digits))), ElementsAre(Whole(digits.substr(512))));
  const std::string endless = "99999\n" + std::string(2'000, '\n');
  EXPECT_THAT(ContentsOf(StrCat(header, File(endless))), IsEmpty());
  EXPECT_THAT(ContentsOf(StrCat(header, File(kSmall))), IsEmpty());
}

TEST(TarSplitterTest, OddPaddingIsKept) {
  std::string file = File(kOdd);
  file.back() = 'p';
  EXPECT_THAT(ContentsOf(file + File(kLarge)), ElementsAre(Whole(kOdd), Whole(kLarge)));
}

TEST(TarSplitterTest, ArchivesFollowEachOther) {
  const std::string archive = File(kOdd) + EndOfArchive();
  EXPECT_THAT(ContentsOf(StrCat(archive, archive, std::string(9'216, '\0'), archive)),
              ElementsAre(Whole(kOdd), Whole(kOdd), Whole(kOdd)));
}

TEST(TarSplitterTest, WhatFollowsAnArchiveIsContentUpToTheNextHeader) {
  const std::string garbage(10'000, 'g');
  const std::string archive = StrCat(File(kOdd), EndOfArchive(), garbage);
  EXPECT_THAT(ContentsOf(archive), ElementsAre(Whole(kOdd), Unknown(garbage)));
  const std::string blocks = garbage.substr(0, 1024) + std::string(512, '\0');
  EXPECT_THAT(ContentsOf(StrCat(File(kOdd), EndOfArchive(), blocks, File(kLarge), garbage)),
              ElementsAre(Whole(kOdd), Unknown(blocks), Whole(kLarge), Unknown(garbage)));
}

TEST(TarSplitterTest, AfterAWrongChecksumTheNextHeaderIsFound) {
  std::string bad = File(kOdd);
  bad[0] = 'F';
  EXPECT_THAT(ContentsOf(StrCat(File(kLarge), bad, File(kLarge))),
              ElementsAre(Whole(kLarge), Unknown(bad), Whole(kLarge)));
}

TEST(TarSplitterTest, DataOfALinkAreContent) {
  const std::string data = kOdd + Padding(kOdd.size());
  const std::string archive =
      StrCat(Header({.type = '1', .size_bytes = kOdd.size()}), data, File(kLarge));
  EXPECT_THAT(ContentsOf(archive), ElementsAre(Unknown(data), Whole(kLarge)));
}

TEST(TarSplitterTest, ATornArchiveIsKeptAtEveryByte) {
  const std::string archive = StrCat(PaxSparseFile(kOdd, 100), OldSparseFile(kLarge, 1), File("x"),
                                     LongName("name"), File(kLarge), EndOfArchive());
  for (size_t size = 0; size <= archive.size(); ++size) {
    const std::string_view torn = std::string_view(archive).substr(0, size);
    const ArchiveParts parts = SplitArchive(torn).value();
    ASSERT_EQ(JoinArchive(parts).value(), torn) << size;
  }
  EXPECT_THAT(ContentsOf(File(kOdd).substr(0, 1'512)),
              ElementsAre(Content{kOdd.size(), kOdd.substr(0, 1'000)}));
}

TEST(TarSplitterTest, ASizeOverTheEndTakesTheRest) {
  for (const uint64_t size_bytes : {uint64_t{1} << 35, uint64_t{1} << 50, uint64_t{INT64_MAX}}) {
    const std::string archive =
        StrCat(Header({.size_bytes = size_bytes, .base256_size = true}), kOdd, File(kLarge));
    EXPECT_THAT(ContentsOf(archive), ElementsAre(Content{size_bytes, StrCat(kOdd, File(kLarge))}));
  }
}

TEST(TarSplitterTest, WhatIsNoTarIsToldAtOnce) {
  PartsSink sink;
  TarSplitter splitter(sink);
  const std::string bytes(5'000, 'b');
  ASSERT_TRUE(splitter.Feed(bytes.substr(0, 512)).ok());
  EXPECT_THAT(sink.parts().contents, ElementsAre(Unknown(bytes.substr(0, 512))));
  ASSERT_TRUE(splitter.Feed("byte").ok());
  EXPECT_THAT(sink.parts().contents, ElementsAre(Unknown(bytes.substr(0, 512) + "byte")));
  EXPECT_FALSE(splitter.is_tar());

  EXPECT_THAT(ContentsOf(bytes + File(kOdd), false), ElementsAre(Unknown(bytes + File(kOdd))));
  EXPECT_THAT(ContentsOf(std::string(1024, '\0') + bytes, false), ElementsAre(Unknown(bytes)));
}

TEST(TarSplitterTest, FewBytesAndZerosAreNoTar) {
  EXPECT_THAT(ContentsOf("", false), IsEmpty());
  EXPECT_THAT(ContentsOf("b", false), ElementsAre(Unknown("b")));
  EXPECT_THAT(ContentsOf(Header({}).substr(0, 511), false),
              ElementsAre(Unknown(Header({}).substr(0, 511))));
  EXPECT_THAT(ContentsOf(EndOfArchive(), false), IsEmpty());  // the layer without a file
  EXPECT_THAT(ContentsOf(std::string(100'001, '\0'), false), IsEmpty());
}

TEST(TarSplitterTest, ErrorsOfTheSinkComeThrough) {
  class FullSink final : public TarSink {
   public:
    absl::Status Skeleton(std::string_view) override { return absl::OkStatus(); }
    absl::Status Zeros(uint64_t) override { return absl::OkStatus(); }
    absl::Status Header(std::string_view, uint64_t) override { return absl::OkStatus(); }
    absl::Status BeginContent(std::optional<uint64_t>) override { return absl::OkStatus(); }
    absl::Status Content(std::string_view) override { return absl::ResourceExhaustedError("full"); }
    absl::Status EndContent() override { return absl::OkStatus(); }
  };
  FullSink sink;
  TarSplitter splitter(sink);
  EXPECT_EQ(splitter.Feed(File(kOdd)).code(), absl::StatusCode::kResourceExhausted);
}

// Counts only.
class CountingSink final : public TarSink {
 public:
  absl::Status Skeleton(std::string_view bytes) override { return Count(&skeleton, bytes.size()); }
  absl::Status Zeros(uint64_t size_bytes) override { return Count(&skeleton, size_bytes); }
  absl::Status Header(std::string_view block, uint64_t) override {
    return Count(&skeleton, block.size());
  }
  absl::Status BeginContent(std::optional<uint64_t> size_bytes) override {
    claimed.push_back(size_bytes.value_or(0));
    return absl::OkStatus();
  }
  absl::Status Content(std::string_view bytes) override { return Count(&content, bytes.size()); }
  absl::Status EndContent() override { return absl::OkStatus(); }

  uint64_t skeleton = 0;
  uint64_t content = 0;
  std::vector<uint64_t> claimed;

 private:
  static absl::Status Count(uint64_t* counter, uint64_t size_bytes) {
    *counter += size_bytes;
    return absl::OkStatus();
  }
};

TEST(TarSplitterTest, MembersOver4And8GiB) {
  constexpr uint64_t kOver4 = 4 * kGiB + 513;
  constexpr uint64_t kOver8 = 8 * kGiB + 511;
  CountingSink sink;
  TarSplitter splitter(sink);
  const std::string piece(kMiB, 'p');
  const auto feed_file = [&](uint64_t size_bytes) {
    for (uint64_t left = size_bytes; left > 0; left -= std::min(left, kMiB)) {
      ASSERT_TRUE(splitter.Feed(std::string_view(piece).substr(0, left)).ok());
    }
    ASSERT_TRUE(splitter.Feed(Padding(size_bytes)).ok());
  };
  ASSERT_TRUE(splitter.Feed(Header({.size_bytes = kOver4})).ok());
  feed_file(kOver4);
  ASSERT_TRUE(splitter.Feed(Header({.size_bytes = kOver8, .base256_size = true})).ok());
  feed_file(kOver8);
  const std::string pax = PaxHeader({{"size", StrCat(kOver8)}});
  ASSERT_TRUE(splitter.Feed(pax + Header({.size_bytes = 0})).ok());
  feed_file(kOver8);
  ASSERT_TRUE(splitter.Feed(EndOfArchive()).ok());
  ASSERT_TRUE(splitter.Finish().ok());
  EXPECT_THAT(sink.claimed, ElementsAre(kOver4, kOver8, kOver8));
  EXPECT_EQ(sink.content, kOver4 + 2 * kOver8);
  EXPECT_EQ(sink.skeleton, 3 * 512 + 511 + 2 * 1 + pax.size() + 1024);
}

}  // namespace
}  // namespace varve
