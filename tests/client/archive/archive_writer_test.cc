// What ArchiveWriter writes, judged by a reader of tar that is not libarchive.
#include "client/archive/archive_writer.h"

#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/archive/tar_entries.h"

namespace varve {
namespace {

using testing::HasSubstr;

ByteSink AppendTo(std::string* out) {
  return [out](std::string_view bytes) {
    out->append(bytes);
    return absl::OkStatus();
  };
}

std::string WriteSample() {
  std::string out;
  ArchiveWriter writer(AppendTo(&out));
  EXPECT_TRUE(writer.AddFile("first", "some bytes").ok());
  EXPECT_TRUE(writer.AddDirectory("folder").ok());
  EXPECT_TRUE(writer.BeginFile("folder/pieces", 1300).ok());
  EXPECT_TRUE(writer.Append(std::string(800, 'a')).ok());
  EXPECT_TRUE(writer.Append("").ok());
  EXPECT_TRUE(writer.Append(std::string(500, 'b')).ok());
  EXPECT_TRUE(writer.AddFile("folder/empty", "").ok());
  EXPECT_TRUE(writer.Complete().ok());
  return out;
}

TEST(ArchiveWriterTest, NothingOfTheMachineGetsIntoAnArchive) {
  const std::string archive = WriteSample();
  const std::vector<TarEntry> entries = ParseTar(archive);
  ASSERT_EQ(entries.size(), 4u);
  const std::vector<std::string> paths = {"first", "folder/", "folder/pieces", "folder/empty"};
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].path, paths[i]);
    EXPECT_EQ(entries[i].type, i == 1 ? '5' : '0');
    EXPECT_EQ(entries[i].mode, i == 1 ? 0755u : 0644u);
    EXPECT_EQ(entries[i].uid + entries[i].gid + entries[i].mtime, 0u);
    EXPECT_EQ(entries[i].owner, "");
  }
  EXPECT_EQ(entries[0].bytes, "some bytes");
  EXPECT_EQ(entries[2].bytes, std::string(800, 'a') + std::string(500, 'b'));
  EXPECT_EQ(entries[3].bytes, "");
  EXPECT_EQ(WriteSample(), archive);
}

TEST(ArchiveWriterTest, AFileOfEightGibibytesGetsAPaxHeader) {
  const uint64_t size = 8 * kGiB;
  std::string out;
  {
    ArchiveWriter writer(AppendTo(&out));
    ASSERT_TRUE(writer.BeginFile("large", size - 1).ok());
  }
  EXPECT_EQ(ParseTarHeader(out).type, '0');
  EXPECT_EQ(ParseTarHeader(out).size, size - 1) << "eleven octal digits suffice";
  out.clear();
  {
    ArchiveWriter writer(AppendTo(&out));
    ASSERT_TRUE(writer.BeginFile("large", size).ok());
    ASSERT_TRUE(writer.Append("its beginning").ok());
  }
  const TarEntry pax = ParseTarHeader(out);
  EXPECT_EQ(pax.type, 'x');
  EXPECT_EQ(pax.uid + pax.gid + pax.mtime, 0u);
  ASSERT_GE(out.size(), 3 * kTarBlock);
  EXPECT_EQ(out.substr(kTarBlock, pax.size), "19 size=8589934592\n");
  const TarEntry file = ParseTarHeader(std::string_view(out).substr(2 * kTarBlock));
  EXPECT_EQ(file.path, "large");
  EXPECT_EQ(out.substr(3 * kTarBlock), "its beginning") << "and no zeros in place of the rest";
}

TEST(ArchiveWriterTest, AFileHasExactlyTheBytesThatWereAnnounced) {
  std::string out;
  ArchiveWriter writer(AppendTo(&out));
  ASSERT_TRUE(writer.BeginFile("file", 4).ok());
  EXPECT_EQ(writer.Append("12345").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(writer.Append("123").ok());
  EXPECT_EQ(writer.AddFile("next", "").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(writer.Complete().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ArchiveWriterTest, TheErrorOfTheSinkIsThatOfTheWriter) {
  bool full = false;
  ArchiveWriter writer([&full](std::string_view) {
    return full ? absl::ResourceExhaustedError("disk full") : absl::OkStatus();
  });
  ASSERT_TRUE(writer.BeginFile("file", 4).ok());
  full = true;
  const absl::Status status = writer.Append("1234");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("disk full"));
  EXPECT_FALSE(writer.Complete().ok());
}

}  // namespace
}  // namespace varve
