#include "storage/blob/space.h"

#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using Code = absl::StatusCode;

TEST(SpaceTest, HoldsTheLimitOfTheStore) {
  MemoryFileSystem disk;
  Space space(disk, "/", {/*max_bytes=*/100, 0}, /*used_bytes=*/40);
  EXPECT_EQ(space.Take(61).code(), Code::kResourceExhausted);
  EXPECT_EQ(space.physical_bytes(), 40u);
  EXPECT_TRUE(space.Take(60).ok());
  EXPECT_EQ(space.Take(1).code(), Code::kResourceExhausted);
  EXPECT_TRUE(space.Take(0).ok());
  space.Release(AsReceived(60));
  EXPECT_TRUE(space.Take(60).ok());
  space.Add(AsReceived(30));  // what is there already counts even when it is over
  EXPECT_EQ(space.Take(0).code(), Code::kResourceExhausted);
  EXPECT_EQ(space.Take(~uint64_t{0}).code(), Code::kResourceExhausted);
  EXPECT_EQ(space.physical_bytes(), 130u);
}

TEST(SpaceTest, LeavesTheDiskItsFreeSpace) {
  MemoryFileSystem disk;
  disk.SetCapacity(1 << 20);
  Space space(disk, "/", {0, /*min_free_bytes=*/1 << 19}, 0);
  EXPECT_TRUE(space.Take(1 << 19).ok());
  EXPECT_EQ(space.Take((1 << 19) + 1).code(), Code::kResourceExhausted);
  EXPECT_EQ(space.physical_bytes(), 1u << 19);
  disk.SetCapacity(1 << 18);
  EXPECT_EQ(space.Take(1).code(), Code::kResourceExhausted);
}

TEST(SpaceTest, WithoutLimitsAsksNobody) {
  MemoryFileSystem disk;
  Space space(disk, "/", {}, 0);
  EXPECT_TRUE(space.Take(uint64_t{1} << 60).ok());
  EXPECT_EQ(disk.Counters().Calls(FileCall::kFreeBytes), 0u);
}

}  // namespace
}  // namespace varve
