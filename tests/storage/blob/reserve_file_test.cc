#include "storage/blob/reserve_file.h"

#include <gtest/gtest.h>

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
