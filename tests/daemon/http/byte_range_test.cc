#include <limits>
#include <string>
#include <vector>

#include "daemon/http/byte_range.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using Parts = std::vector<std::pair<uint64_t, uint64_t>>;

// {offset, length} of each part of a blob of 1,000 bytes.
void ExpectParts(std::string_view header, const Parts& expected) {
  const ResolvedRange range = ResolveRange(header, 1000);
  EXPECT_EQ(range.kind, RangeKind::kParts) << header;
  Parts parts;
  for (const Extent& part : range.parts) {
    parts.emplace_back(part.offset_bytes, part.length_bytes);
  }
  EXPECT_EQ(parts, expected) << header;
}

void ExpectUnsatisfiable(std::string_view header) {
  EXPECT_EQ(ResolveRange(header, 1000).kind, RangeKind::kUnsatisfiable) << header.substr(0, 80);
}

TEST(ResolveRange, SingleRanges) {
  ExpectParts("bytes=0-0", {{0, 1}});
  ExpectParts("bytes=500-999", {{500, 500}});
  ExpectParts("bytes=500-", {{500, 500}});
  ExpectParts("bytes=-1", {{999, 1}});
  ExpectParts("bytes=-5000", {{0, 1000}});
  ExpectParts("bytes=999-99999999999999999999999", {{999, 1}});
  ExpectParts(" bytes=1-2 ", {{1, 2}});
}

TEST(ResolveRange, SeveralRangesInTheOrderAskedFor) {
  ExpectParts("bytes=0-0,5-6", {{0, 1}, {5, 2}});
  ExpectParts("bytes=500-, 0-9 ,\t-1", {{500, 500}, {0, 10}, {999, 1}});
  ExpectParts("bytes=0-4,5-9", {{0, 5}, {5, 5}});
  ExpectParts("bytes=,0-4,,", {{0, 5}});
  // What lies outside is left out.
  ExpectParts("bytes=0-4,1000-2000,5-2", {{0, 5}});
  ExpectParts("bytes=0-99,50-149", {{0, 100}, {50, 100}});
}

TEST(ResolveRange, UnsatisfiableAndIgnored) {
  for (const char* header : {"bytes=1000-", "bytes=5-2", "bytes=-0", "bytes=99999999999999999999-",
                             "bytes=1000-1001", "bytes=1000-,2000-3000"}) {
    ExpectUnsatisfiable(header);
  }
  for (const char* header : {"", "bytes", "bytes=", "bytes=-", "bytes=--5", "bytes=a-b", "bytes=1",
                             "items=0-1", "bytes=+1-2", "bytes=1-2x", "bytes=0-1,x", "bytes=,"}) {
    const ResolvedRange range = ResolveRange(header, 1000);
    EXPECT_EQ(range.kind, RangeKind::kWhole) << header;
    EXPECT_TRUE(range.parts.empty()) << header;
  }
}

TEST(ResolveRange, FloodsAreRefusedAndWhyIsKnown) {
  std::string most = "bytes=0-0";
  for (size_t i = 1; i < kMaxRanges; ++i) most += ",0-0";
  EXPECT_EQ(ResolveRange(most, kMaxRanges).parts.size(), kMaxRanges);
  EXPECT_EQ(ResolveRange(most + ",1-1", 2 * kMaxRanges).kind, RangeKind::kTooMany);
  EXPECT_EQ(ResolveRange(most, kMaxRanges - 1).kind, RangeKind::kTooLong);
  EXPECT_EQ(ResolveRange("bytes=0-,0-", 1000).kind, RangeKind::kTooLong);
  EXPECT_EQ(ResolveRange("bytes=0-499,0-499,0-0", 1000).kind, RangeKind::kTooLong);
  const uint64_t huge = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(ResolveRange("bytes=0-,0-,0-", huge).kind, RangeKind::kTooLong);
}

TEST(ResolveRange, AnEmptyBlobHasNoPartButTheWhole) {
  for (const char* header : {"bytes=0-", "bytes=0-0", "bytes=-1", "bytes=0-,1-", "bytes=7-"}) {
    EXPECT_EQ(ResolveRange(header, 0).kind, RangeKind::kWhole) << header;
  }
}

TEST(Parts, TheirTextsAreThoseOfMultipartByteranges) {
  EXPECT_EQ(ContentRange({500, 1000}, 2048), "bytes 500-1499/2048");
  EXPECT_EQ(PartHead("b", "a/b", {0, 1}, 9),
            "\r\n--b\r\nContent-Type: a/b\r\nContent-Range: bytes 0-0/9\r\n\r\n");
  EXPECT_EQ(PartsEnd("b"), "\r\n--b--\r\n");
}

}  // namespace
}  // namespace varve
