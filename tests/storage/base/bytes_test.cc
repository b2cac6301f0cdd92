#include "storage/base/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

namespace varve {
namespace {

using namespace std::string_view_literals;

TEST(BytesTest, IntegersAreBigEndian) {
  std::string out;
  AppendU8(&out, 0xfe);
  AppendU32(&out, 0x01020384);
  AppendU64(&out, 0x8102030405060708);
  EXPECT_EQ(out, "\xfe\x01\x02\x03\x84\x81\x02\x03\x04\x05\x06\x07\x08"sv);
}

TEST(BytesTest, EncodedIntegersSortAsNumbers) {
  std::string previous;
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{255}, uint64_t{256},
        uint64_t{1} << 32, std::numeric_limits<uint64_t>::max()}) {
    std::string encoded;
    AppendU64(&encoded, value);
    EXPECT_LT(previous, encoded) << value;
    previous = encoded;
  }
}

TEST(BytesTest, ReadsBackWhatWasAppended) {
  std::string out;
  AppendU8(&out, 200);
  AppendU32(&out, 4'000'000'000);
  AppendU64(&out, std::numeric_limits<uint64_t>::max());
  AppendU64(&out, static_cast<uint64_t>(int64_t{-5}));
  AppendString(&out, "with\0zero"sv);
  AppendString(&out, "");
  out += "raw and rest";
  ByteReader reader(out);
  EXPECT_EQ(reader.U8(), 200);
  EXPECT_EQ(reader.U32(), 4'000'000'000);
  EXPECT_EQ(reader.U64(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(reader.I64(), -5);
  EXPECT_EQ(reader.String(), "with\0zero"sv);
  EXPECT_EQ(reader.String(), "");
  EXPECT_EQ(reader.Raw(4), "raw ");
  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.done());
  EXPECT_EQ(reader.rest(), "and rest");
  EXPECT_EQ(reader.Raw(8), "and rest");
  EXPECT_TRUE(reader.done());
}

TEST(BytesTest, AShortReadFailsForGood) {
  std::string out;
  AppendU32(&out, 7);
  AppendU8(&out, 9);
  ByteReader reader(out);
  EXPECT_EQ(reader.U64(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0) << "the byte is there, but what it means is not known any more";
  EXPECT_EQ(reader.String(), "");
  EXPECT_EQ(reader.Raw(0), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.done());
}

TEST(BytesTest, EveryPrefixOfARecordIsShort) {
  std::string out;
  AppendU32(&out, 1);
  AppendString(&out, "some bytes");
  AppendU64(&out, 2);
  for (size_t size = 0; size <= out.size(); ++size) {
    ByteReader reader(std::string_view(out).substr(0, size));
    reader.U32();
    reader.String();
    reader.U64();
    EXPECT_EQ(reader.done(), size == out.size()) << size;
  }
}

TEST(BytesTest, AHostileLengthIsOnlyAShortRead) {
  ByteReader reader("\xff\xff\xff\xffshort"sv);
  EXPECT_EQ(reader.String(), "");
  EXPECT_FALSE(reader.ok());
  ByteReader raw("bytes"sv);
  EXPECT_EQ(raw.Raw(std::numeric_limits<size_t>::max()), "");
  EXPECT_FALSE(raw.ok());
}

TEST(BytesTest, NothingIsDoneAtOnce) {
  const ByteReader reader("");
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.done());
}

}  // namespace
}  // namespace varve
