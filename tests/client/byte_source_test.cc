#include "client/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

File FileWith(const std::string& bytes) {
  File file(std::tmpfile());
  std::fwrite(bytes.data(), 1, bytes.size(), file.get());
  std::fflush(file.get());
  return file;
}

std::string ReadUpTo(ByteSource& source, size_t limit) {
  std::string bytes;
  EXPECT_TRUE(source.Read(limit, &bytes).ok());
  return bytes;
}

Digest DigestOf(const std::string& bytes) { return HashBytes(DigestAlgorithm::kSha256, bytes); }

TEST(ByteSourceTest, AFileIsReadFromItsBeginningAndAgain) {
  const File file = FileWith("0123456789");
  ByteSource source(fileno(file.get()));
  EXPECT_EQ(source.size_bytes(), 10u);
  EXPECT_EQ(ReadUpTo(source, 4), "0123");
  EXPECT_TRUE(source.SeekTo(1).ok());
  EXPECT_EQ(ReadUpTo(source, 5), "12345");
  EXPECT_EQ(source.HashedDigest(), DigestOf("012345")) << "no byte is hashed twice";
  EXPECT_TRUE(source.SeekTo(9).ok()) << "what is passed is hashed";
  EXPECT_EQ(ReadUpTo(source, 5), "9");
  EXPECT_EQ(ReadUpTo(source, 5), "");
  EXPECT_EQ(source.HashedDigest(), DigestOf("0123456789"));
  EXPECT_EQ(source.SeekTo(11).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ByteSourceTest, AFunctionGivesTheBytesInPiecesOfItsOwnSize) {
  const std::string bytes = "0123456789";
  const auto read = [&bytes](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
    return bytes.copy(out, std::min<size_t>(limit, 3), offset);
  };
  ByteSource known(read, bytes.size());
  EXPECT_EQ(ReadUpTo(known, 8), "01234567");
  EXPECT_TRUE(known.SeekTo(0).ok());
  EXPECT_EQ(ReadUpTo(known, 20), bytes);
  EXPECT_EQ(known.HashedDigest(), DigestOf(bytes));
  ByteSource unknown(read, std::nullopt);
  EXPECT_FALSE(unknown.size_bytes().has_value());
  EXPECT_EQ(ReadUpTo(unknown, 4), "0123");
  EXPECT_EQ(ReadUpTo(unknown, 4), "4567");
  EXPECT_EQ(unknown.SeekTo(3).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ByteSourceTest, AnErrorOfTheFunctionIsNotAnEnd) {
  const auto read = [](uint64_t offset, char* out, size_t) -> absl::StatusOr<size_t> {
    if (offset > 0) return absl::DataLossError("torn");
    *out = 'x';
    return 1;
  };
  ByteSource source(read, std::nullopt);
  std::string bytes;
  EXPECT_EQ(source.Read(10, &bytes).code(), absl::StatusCode::kDataLoss);
}

TEST(ByteSourceTest, APipeCanGoBackByItsLastRead) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(write(ends[1], "0123456789", 10), 10);
  close(ends[1]);
  ByteSource source(ends[0]);
  EXPECT_FALSE(source.size_bytes().has_value());
  EXPECT_EQ(ReadUpTo(source, 4), "0123");
  EXPECT_EQ(ReadUpTo(source, 4), "4567");
  EXPECT_TRUE(source.SeekTo(5).ok());
  EXPECT_EQ(ReadUpTo(source, 2), "56");
  EXPECT_EQ(ReadUpTo(source, 9), "7");
  EXPECT_TRUE(source.SeekTo(4).ok());
  EXPECT_EQ(source.SeekTo(3).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadUpTo(source, 9), "4567");
  EXPECT_EQ(ReadUpTo(source, 9), "89");
  EXPECT_EQ(source.HashedDigest(), DigestOf("0123456789"));
  close(ends[0]);
}

TEST(ByteSourceTest, TheUploadOfAFileHasTheSameNameUntilTheFileChanges) {
  const File file = FileWith("first");
  const int fd = fileno(file.get());
  const std::string id = UploadIdOfFile(fd, "app");
  EXPECT_EQ(UploadIdOfFile(fd, "app"), id);
  EXPECT_NE(UploadIdOfFile(fd, "other"), id);
  ASSERT_EQ(write(fd, "more", 4), 4);
  EXPECT_NE(UploadIdOfFile(fd, "app"), id);
  EXPECT_EQ(UploadIdOfFile(-1, "app"), "");
}

}  // namespace
}  // namespace varve
