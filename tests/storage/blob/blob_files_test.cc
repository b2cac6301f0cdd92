// Directories of blob files, and what a failed sync of one means.
#include "storage/blob/blob_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/base/status.h"
#include "storage/limits.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using testing::ElementsAre;

constexpr FileId kFirst = kFilesPerDirectory + 1;
constexpr char kDirectory[] = "/blobs/000001";

class BlobFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(disk_.CreateDirectory("/blobs").ok());
    ASSERT_TRUE(disk_.SyncDirectory("/").ok());
  }
  void FailNextSync(const std::string& directory) {
    disk_.Inject({.call = FileCall::kSyncDirectory,
                  .status = absl::UnavailableError("I/O error of the disk"),
                  .path = [directory](const std::string& path) { return path == directory; }});
  }
  void Create(FileId id) {
    const auto file = files_.Create(id);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Sync().ok());
  }
  std::vector<FileId> FilesAfterAPowerCut() {
    disk_.PowerUp(Survival::kOnlySynced);
    return files_.List(1, 10 * kFilesPerDirectory).value();
  }

  MemoryFileSystem disk_;
  BlobFiles files_{disk_, "/blobs"};
};

TEST_F(BlobFilesTest, AFailedSyncOfANewDirectoryIsNotRetriedAsSuccess) {
  FailNextSync("/blobs");
  EXPECT_EQ(files_.Create(kFirst).status().code(), absl::StatusCode::kUnavailable);
  // The next sync of blobs/ writes nothing that the failed one has lost.
  Create(kFirst + 1);
  ASSERT_TRUE(files_.SyncEntry(kFirst + 1).ok());
  EXPECT_THAT(FilesAfterAPowerCut(), ElementsAre(kFirst + 1));
}

TEST_F(BlobFilesTest, ADirectoryWhoseSyncFailedIsMadeAnew) {
  FailNextSync("/blobs");
  EXPECT_FALSE(files_.Create(kFirst).ok());
  const auto made = [&] { return disk_.Counters().Calls(FileCall::kCreateDirectory); };
  const uint64_t before = made();
  const uint64_t removed_before = disk_.Counters(Under(kDirectory)).Calls(FileCall::kRemove);
  Create(kFirst);
  EXPECT_EQ(made(), before + 1);
  EXPECT_GT(disk_.Counters(Under(kDirectory)).Calls(FileCall::kRemove), removed_before);
}

TEST_F(BlobFilesTest, ADirectoryWithFilesIsTakenAsItIs) {
  Create(kFirst);
  BlobFiles reopened(disk_, "/blobs");
  ASSERT_TRUE(reopened.Create(kFirst + 1).ok());
  EXPECT_THAT(reopened.List(1, 10 * kFilesPerDirectory).value(),
              testing::UnorderedElementsAre(kFirst, kFirst + 1));
}

TEST_F(BlobFilesTest, AFailedSyncFailsAllWhoseEntriesItMayHaveLost) {
  Create(kFirst);
  Create(kFirst + 1);
  FailNextSync(kDirectory);
  EXPECT_FALSE(files_.SyncEntry(kFirst).ok());
  EXPECT_FALSE(files_.SyncEntry(kFirst + 1).ok()) << "its entry was lost with the other one";
  Create(kFirst + 2);
  EXPECT_TRUE(files_.SyncEntry(kFirst + 2).ok());
  Create(2 * kFilesPerDirectory);
  EXPECT_TRUE(files_.SyncEntry(2 * kFilesPerDirectory).ok());
  ASSERT_TRUE(files_.Remove(kFirst).ok());
  ASSERT_TRUE(files_.Remove(kFirst + 1).ok());
}

// The directory in which the next file is to be made is gone, under the running daemon.
TEST_F(BlobFilesTest, AMissingDirectoryIsNamedAndIsNotAMissingFile) {
  Create(kFirst);
  ASSERT_TRUE(disk_.Remove("/blobs/000001/401").ok());
  ASSERT_TRUE(disk_.RemoveDirectory(kDirectory).ok());
  for (const absl::Status& status :
       {files_.Create(kFirst + 1).status(), files_.SyncEntry(kFirst)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()),
                testing::HasSubstr("the directory /blobs/000001 is gone"));
    EXPECT_TRUE(IsPrivate(status));
  }
  EXPECT_EQ(files_.Stat(kFirst).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.OpenForRead(kFirst).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.Remove(kFirst).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.OpenForWrite(kFirst).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(files_.Create(2 * kFilesPerDirectory).ok()) << "another one is made";
  ASSERT_TRUE(disk_.CreateDirectory(kDirectory).ok());
  EXPECT_TRUE(files_.Create(kFirst + 2).ok()) << "it was put back";
}

// A disk that was unmounted: no file is known to be gone.
TEST_F(BlobFilesTest, WithoutBlobsNothingIsSaidOfItsFiles) {
  Create(kFirst);
  ASSERT_TRUE(disk_.Remove("/blobs/000001/401").ok());
  ASSERT_TRUE(disk_.RemoveDirectory(kDirectory).ok());
  ASSERT_TRUE(disk_.RemoveDirectory("/blobs").ok());
  const auto visit = [](const std::string&, FileId) { return absl::OkStatus(); };
  for (const absl::Status& status :
       {files_.Create(kFirst + 1).status(), files_.Create(2 * kFilesPerDirectory).status(),
        files_.OpenForWrite(kFirst).status(), files_.OpenForRead(kFirst).status(),
        files_.Stat(kFirst).status(), files_.Remove(kFirst), files_.SyncEntry(kFirst),
        files_.SyncRemovals(kFirst), files_.VisitEntries(visit), files_.EndOfRanges().status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("the directory /blobs is gone"));
    EXPECT_TRUE(IsPrivate(status));
  }
}

TEST_F(BlobFilesTest, AFailedSyncOfRemovalsCountsToo) {
  Create(kFirst);
  ASSERT_TRUE(files_.SyncEntry(kFirst).ok());
  Create(kFirst + 1);
  ASSERT_TRUE(files_.Remove(kFirst).ok());
  FailNextSync(kDirectory);
  EXPECT_FALSE(files_.SyncRemovals(kFirst).ok());
  EXPECT_FALSE(files_.SyncEntry(kFirst + 1).ok());
}

}  // namespace
}  // namespace varve
