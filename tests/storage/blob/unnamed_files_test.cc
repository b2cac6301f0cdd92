#include "storage/blob/unnamed_files.h"

#include <gtest/gtest.h>

#include "storage/index/memory_index.h"
#include "storage/limits.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

TEST(UnnamedFilesTest, LowWaterIsTheOldestUnnamedFile) {
  const auto index = NewMemoryIndex();
  IdAllocator ids(*index);
  UnnamedFiles unnamed(ids);
  EXPECT_EQ(unnamed.LowWater().value(), 1u);
  const FileId one = unnamed.Allocate().value();
  const FileId two = unnamed.Allocate().value();
  const FileId three = unnamed.Allocate().value();
  EXPECT_EQ(unnamed.LowWater().value(), one);
  unnamed.Settle(two);
  EXPECT_EQ(unnamed.LowWater().value(), one);
  unnamed.Settle(one);
  EXPECT_EQ(unnamed.LowWater().value(), three);
  unnamed.Settle(three);
  EXPECT_EQ(unnamed.LowWater().value(), three + 1);
  unnamed.Settle(three);
  EXPECT_EQ(unnamed.LowWater().value(), three + 1);
}

TEST(UnnamedFilesTest, NewFilesSkipThoseThatAreThere) {
  const auto index = NewMemoryIndex();
  IdAllocator ids(*index);
  UnnamedFiles unnamed(ids);
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/blobs").ok());
  BlobFiles files(disk, "/blobs");
  for (FileId id = 1; id < 4; ++id) ASSERT_TRUE(files.Create(id).ok());
  const auto created = unnamed.Create(files);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->id, 4u);
  EXPECT_EQ(unnamed.LowWater().value(), 4u);
  EXPECT_EQ(files.EndOfRanges().value(), kFilesPerDirectory);
}

}  // namespace
}  // namespace varve
