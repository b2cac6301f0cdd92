#include "storage/tar/pax_records.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace varve {
namespace {

PaxRecords Read(std::string_view text) {
  PaxRecords records;
  records.Feed(text);
  return records;
}

TEST(PaxRecordsTest, TheLastSizeCounts) {
  EXPECT_EQ(Read("").size_bytes(), std::nullopt);
  EXPECT_EQ(Read("11 size=10\n").size_bytes(), 10);
  EXPECT_EQ(Read("10 path=a\n11 size=10\n12 size=200\n15 comment=size\n").size_bytes(), 200);
  EXPECT_EQ(Read("11 size=10\n8 size=\n").size_bytes(), std::nullopt);  // takes it back
  EXPECT_EQ(Read("28 size=9223372036854775807\n").size_bytes(), INT64_MAX);
}

TEST(PaxRecordsTest, NumbersThatAreNoneDoNotCount) {
  EXPECT_EQ(Read("11 size=-1\n").size_bytes(), std::nullopt);
  EXPECT_EQ(Read("12 size= 10\n").size_bytes(), std::nullopt);
  EXPECT_EQ(Read("28 size=9223372036854775808\n").size_bytes(), std::nullopt);
  EXPECT_EQ(Read("29 size=99999999999999999999\n").size_bytes(), std::nullopt);
  EXPECT_EQ(Read("39 size=000000000000000000000000000001\n").size_bytes(), std::nullopt);
  EXPECT_EQ(Read("17 sizesize=10000\n").size_bytes(), std::nullopt);
}

TEST(PaxRecordsTest, ValuesMayHaveAnyBytes) {
  const std::string value = "a\n9 size=1\n=b";
  const std::string record = "25 name=" + value + "xxx\n";
  ASSERT_EQ(record.size(), 25);
  EXPECT_EQ(Read(record).size_bytes(), std::nullopt);
  EXPECT_EQ(Read(record + "10 size=7\n").size_bytes(), 7);
}

TEST(PaxRecordsTest, WhatIsMalformedEndsTheReading) {
  for (const std::string_view text :
       {"x", " size=10\n", "9 size=10\n", "0 size=10\n", "12 size=10\n", "3 \n", "5 abc\n", "10\n",
        "99999999999999999999 size=1\n"}) {
    EXPECT_EQ(Read(std::string(text) + "11 size=10\n").size_bytes(), std::nullopt) << text;
    EXPECT_EQ(Read("11 size=22\n" + std::string(text)).size_bytes(), 22) << text;
  }
}

TEST(PaxRecordsTest, ReadsTheSameInPieces) {
  PaxRecords records;
  for (const char c : std::string_view("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
                                       "11 size=10\n")) {
    EXPECT_FALSE(records.size_bytes().has_value());
    records.Feed({&c, 1});
  }
  EXPECT_EQ(records.size_bytes(), 10);
  EXPECT_TRUE(records.data_begins_with_sparse_map());
  EXPECT_FALSE(
      Read("22 GNU.sparse.major=0\n22 GNU.sparse.minor=1\n").data_begins_with_sparse_map());
}

}  // namespace
}  // namespace varve
