#include "storage/blob/reserve_file.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

constexpr uint64_t kReserve = 1 << 20;

TEST(ReserveFileTest, TakesAndGivesBackRealSpace) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/store").ok());
  ReserveFile reserve(disk, "/store/RESERVE", kReserve);
  EXPECT_EQ(disk.used_bytes(), 0u);
  reserve.Take();
  EXPECT_GE(disk.used_bytes(), kReserve);
  reserve.Take();
  EXPECT_LT(disk.used_bytes(), 2 * kReserve);
  reserve.GiveUp();
  EXPECT_EQ(disk.used_bytes(), 0u);
  reserve.GiveUp();
  reserve.Take();
  EXPECT_GE(disk.used_bytes(), kReserve);
}

TEST(ReserveFileTest, IsNotWhatFillsTheDisk) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/store").ok());
  disk.SetCapacity(2 * kReserve - 1);
  ReserveFile reserve(disk, "/store/RESERVE", kReserve);
  reserve.Take();
  EXPECT_EQ(disk.used_bytes(), 0u);
  disk.SetCapacity(4 * kReserve);
  reserve.Take();
  EXPECT_GE(disk.used_bytes(), kReserve);
}

TEST(ReserveFileTest, TellsWhatIsMissingAndHowMuchWouldHelp) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/store").ok());
  disk.SetCapacity(kReserve / 2);
  ReserveFile reserve(disk, "/store/RESERVE", kReserve);
  reserve.Take();
  EXPECT_EQ(reserve.missing_bytes(), kReserve);
  ASSERT_EQ(reserve.bytes_to_free(), kReserve + kReserve / 2);
  disk.SetCapacity(kReserve / 2 + reserve.bytes_to_free() - 4096);
  reserve.Take();
  EXPECT_EQ(reserve.missing_bytes(), kReserve);
  disk.SetCapacity(2 * kReserve);
  reserve.Take();
  EXPECT_EQ(reserve.missing_bytes(), 0u);
  reserve.GiveUp();
  EXPECT_EQ(reserve.missing_bytes(), kReserve);
}

// As some do, it answers OK to a reservation and sets nothing aside.
class SetsNothingAside final : public FileSystem {
 public:
  class File final : public WritableFile {
    absl::Status WriteAt(uint64_t, std::string_view) override { return absl::OkStatus(); }
    absl::Status Reserve(uint64_t) override { return absl::OkStatus(); }
    absl::Status Truncate(uint64_t) override { return absl::OkStatus(); }
    void StartWriteback(Extent) override {}
    absl::Status Sync() override { return absl::OkStatus(); }
  };

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string&) override {
    ++opened;
    return std::make_unique<File>();
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string&) override {
    ++opened;
    return std::make_unique<File>();
  }
  absl::StatusOr<FileStat> Stat(const std::string&) override { return FileStat(); }
  absl::StatusOr<uint64_t> FreeBytes(const std::string&) override { return 10 * kReserve; }
  absl::Status Remove(const std::string&) override { return absl::OkStatus(); }

  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string&) override {
    return Unused();
  }
  absl::Status Rename(const std::string&, const std::string&) override { return Unused(); }
  absl::Status CreateDirectory(const std::string&) override { return Unused(); }
  absl::Status RemoveDirectory(const std::string&) override { return Unused(); }
  absl::StatusOr<std::vector<std::string>> List(const std::string&) override { return Unused(); }
  absl::Status SyncDirectory(const std::string&) override { return Unused(); }
  absl::StatusOr<uint64_t> TotalBytes(const std::string&) override { return Unused(); }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string&) override { return Unused(); }

  int opened = 0;

 private:
  static absl::Status Unused() { return absl::UnimplementedError("of no use to a reserve"); }
};

TEST(ReserveFileTest, AFileSystemThatSetsNothingAsideIsAskedOnce) {
  SetsNothingAside disk;
  ReserveFile reserve(disk, "/store/RESERVE", kReserve);
  for (int i = 0; i < 3; ++i) reserve.Take();
  EXPECT_EQ(reserve.missing_bytes(), kReserve);
  EXPECT_EQ(reserve.bytes_to_free(), 0u);
  EXPECT_EQ(disk.opened, 1);
}

TEST(ReserveFileTest, FindsItsFileAgain) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/store").ok());
  ReserveFile(disk, "/store/RESERVE", kReserve).Take();
  const uint64_t used = disk.used_bytes();
  disk.SetCapacity(used);  // no room for another
  ReserveFile reopened(disk, "/store/RESERVE", kReserve);
  reopened.Take();
  EXPECT_EQ(disk.used_bytes(), used);
  reopened.GiveUp();
  EXPECT_EQ(disk.used_bytes(), 0u);
}

TEST(ReserveFileTest, OneOfAnEarlierVersionGrows) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/store").ok());
  ReserveFile(disk, "/store/RESERVE", kReserve).Take();
  disk.SetCapacity(disk.used_bytes() + kReserve);
  ReserveFile larger(disk, "/store/RESERVE", 3 * kReserve);
  larger.Take();  // would fill the disk
  EXPECT_EQ(disk.Stat("/store/RESERVE")->allocated_bytes, kReserve);
  disk.SetCapacity(7 * kReserve);
  larger.Take();
  EXPECT_EQ(disk.Stat("/store/RESERVE")->allocated_bytes, 3 * kReserve);
  EXPECT_EQ(disk.used_bytes(), 3 * kReserve);
}

TEST(ReserveFileTest, SizeZeroTakesNothing) {
  MemoryFileSystem disk;
  ReserveFile reserve(disk, "/RESERVE", 0);
  reserve.Take();
  EXPECT_EQ(disk.Counters().Calls(FileCall::kCreate), 0u);
}

}  // namespace
}  // namespace varve
