#include "storage/blob/unnamed_files.h"

#include <gtest/gtest.h>

#include "storage/index/memory_index.h"

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

}  // namespace
}  // namespace varve
