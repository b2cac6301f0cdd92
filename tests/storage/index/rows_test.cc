#include "storage/index/rows.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

BlobRow LooseRow(FileId file) {
  BlobRow row;
  row.tier = BlobRow::Tier::kLoose;
  row.file = file;
  return row;
}

// What a disk may give back is an error, what this program would write is a bug.
TEST(RowsTest, ABlobRowWithoutItsFileIsDamaged) {
  std::string row = LooseRow(1).Encode();
  ASSERT_TRUE(BlobRow::Decode(row).ok());
  row[18] = 0;  // the last byte of the file id
  EXPECT_EQ(BlobRow::Decode(row).status().code(), absl::StatusCode::kDataLoss);
}

TEST(RowsDeathTest, ABlobRowThatCouldNotBeReadIsNotWritten) {
  EXPECT_DEATH(LooseRow(0).Encode(), "rows.cc:[0-9]+: broken invariant: a loose blob has a file");
  BlobRow row;
  row.tier = static_cast<BlobRow::Tier>(9);
  EXPECT_DEATH(row.Encode(), "a blob has a known tier");
}

}  // namespace
}  // namespace varve
