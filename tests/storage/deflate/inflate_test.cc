#include "storage/deflate/inflate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <numeric>

#include "storage/deflate/block_boundaries.h"
#include "storage/deflate/block_shape.h"
#include "tests/storage/deflate/encoder_checks.h"
#include "tests/storage/deflate/samples.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kPlainHeader("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
// Extra of three bytes, a name, a comment, a checksum of the header.
constexpr std::string_view kLongHeader(
    "\x1f\x8b\x08\x1e\x01\x02\x03\x04\x02\x03\x03\0a\0bname\0words\0\x12\x34", 28);

std::string Trailer(std::string_view plain) {
  std::string trailer;
  const auto checksum = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(plain.data()), static_cast<uInt>(plain.size())));
  for (const uint32_t word : {checksum, static_cast<uint32_t>(plain.size())}) {
    for (int shift = 0; shift < 32; shift += 8) trailer += static_cast<char>(word >> shift);
  }
  return trailer;
}

std::string Deflate(std::string_view plain) {
  return EncodeStream({.family = EncoderFamily::kZlib, .level = 6}, plain).deflate;
}

std::string Member(std::string_view header, std::string_view plain) {
  return std::string(header) + Deflate(plain) + Trailer(plain);
}

struct Taken {
  absl::Status status;
  std::string bytes;  // of all pieces
  std::string plain;
  std::vector<std::string> headers;
  std::vector<std::string> trailers;
  std::string trailing;
  int ends = 0;  // of deflate streams
};

Taken TakeApart(std::string_view blob, size_t piece_bytes,
                const GzipInflater::Limits& limits = {}) {
  Taken taken;
  GzipInflater inflater(limits);
  for (;;) {
    const auto piece = inflater.Next();
    if (!piece.ok()) {
      taken.status = piece.status();
      EXPECT_EQ(inflater.Next().status(), piece.status());
      return taken;
    }
    taken.bytes += piece->bytes;
    taken.plain += piece->plain;
    taken.ends += piece->last ? 1 : 0;
    switch (piece->kind) {
      case GzipPiece::Kind::kHeader:
        taken.headers.emplace_back(piece->bytes);
        break;
      case GzipPiece::Kind::kTrailer:
        taken.trailers.emplace_back(piece->bytes);
        break;
      case GzipPiece::Kind::kTrailing:
        taken.trailing += piece->bytes;
        break;
      case GzipPiece::Kind::kStarved:
        if (blob.empty()) {
          inflater.EndInput();
        } else {
          inflater.Feed(blob.substr(0, std::min(piece_bytes, blob.size())));
          blob.remove_prefix(std::min(piece_bytes, blob.size()));
        }
        break;
      case GzipPiece::Kind::kEnd:
        EXPECT_EQ(inflater.position(), taken.bytes.size());
        EXPECT_EQ(inflater.plain_bytes(), taken.plain.size());
        return taken;
      case GzipPiece::Kind::kData:
        break;
    }
  }
}

TEST(GzipInflaterTest, TakesMembersApartWhateverThePieces) {
  const std::string first = "the first member";
  const std::string second = Records().substr(0, 150000);
  const std::string trailing("\x1f\0\0 padding", 11);
  const std::string blob = Member(kPlainHeader, first) + Member(kLongHeader, second) +
                           Member(kPlainHeader, "") + trailing;
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, blob.size()}) {
    const Taken taken = TakeApart(blob, piece);
    ASSERT_TRUE(taken.status.ok()) << taken.status;
    EXPECT_TRUE(taken.bytes == blob) << piece;
    EXPECT_TRUE(taken.plain == first + second) << piece;
    EXPECT_THAT(taken.headers, ElementsAre(kPlainHeader, kLongHeader, kPlainHeader));
    EXPECT_THAT(taken.trailers, ElementsAre(Trailer(first), Trailer(second), Trailer("")));
    EXPECT_EQ(taken.trailing, trailing);
    EXPECT_EQ(taken.ends, 3);
  }
}

TEST(GzipInflaterTest, WhatIsCutOffOrChangedIsAnError) {
  const std::string blob = Member(kLongHeader, "some words, some words, and some more words");
  for (size_t size = 0; size < blob.size(); ++size) {
    EXPECT_TRUE(absl::IsInvalidArgument(TakeApart(blob.substr(0, size), 5).status)) << size;
  }
  // Past the fields of the header that nothing depends on.
  for (size_t i = kLongHeader.size(); i < blob.size(); ++i) {
    std::string changed = blob;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(TakeApart(changed, 100).status.ok()) << i;
  }
  std::string flags = blob;
  flags[3] = '\x20';
  EXPECT_THAT(std::string(TakeApart(flags, 100).status.message()), HasSubstr("unknown flags"));
  std::string endless(kPlainHeader);
  endless[3] = '\x08';
  endless.append(200000, 'n');
  EXPECT_THAT(std::string(TakeApart(endless, 1000).status.message()), HasSubstr("128 KiB"));
}

TEST(GzipInflaterTest, ABombEndsWithAnError) {
  const std::string blob = Member(kPlainHeader, std::string(8 << 20, '\0'));
  EXPECT_TRUE(TakeApart(blob, 4096).status.ok());
  const Taken size = TakeApart(blob, 4096, {.max_plain_bytes = 1 << 20});
  EXPECT_TRUE(absl::IsResourceExhausted(size.status)) << size.status;
  EXPECT_LE(size.plain.size(), 1U << 20);
  const Taken ratio = TakeApart(blob, 4096, {.max_ratio = 100});
  EXPECT_TRUE(absl::IsResourceExhausted(ratio.status)) << ratio.status;
  EXPECT_LT(ratio.plain.size(), 2U << 20);
}

// --- shapes ------------------------------------------------------------------------------------

TEST(BlockShapeTest, BlocksEndWhereZlibSaysSo) {
  for (const EncoderParameters& parameters :
       {EncoderParameters{.family = EncoderFamily::kZlib, .level = 6},
        EncoderParameters{.family = EncoderFamily::kGoFlate, .level = 1},
        EncoderParameters{.family = EncoderFamily::kPigz, .level = 6, .block_bytes = 131072}}) {
    for (const std::string& sample : Samples()) {
      const std::string deflate = EncodeStream(parameters, sample).deflate;
      const std::vector<BlockShape> shapes = ReadBlockShapes(deflate, 1000);
      std::vector<uint64_t> ends;
      BlockBoundaries boundaries;
      std::string_view rest = deflate;
      while (const auto boundary = boundaries.Next(rest)) ends.push_back(boundary->deflate_bits);
      ASSERT_EQ(shapes.size(), ends.size() + 1);
      uint64_t plain = 0;
      for (size_t i = 0; i < shapes.size(); ++i) {
        plain += shapes[i].plain_bytes;
        EXPECT_EQ(shapes[i].last, i + 1 == shapes.size());
        if (i < ends.size()) {
          EXPECT_EQ(shapes[i].end_bit, ends[i]);
          EXPECT_EQ(shapes[i + 1].first_bit, ends[i]);
        }
      }
      EXPECT_EQ(plain, sample.size());
      EXPECT_LE(deflate.size() * 8 - shapes.back().end_bit, 7U);
    }
  }
}

TEST(BlockShapeTest, CountsTokensAndTables) {
  const auto shapes = ReadBlockShapes(
      EncodeStream({.family = EncoderFamily::kGoFlate, .level = 6}, Records()).deflate, 3);
  ASSERT_EQ(shapes.size(), 3U);
  for (const BlockShape& shape : shapes) {
    EXPECT_EQ(shape.type, BlockType::kDynamic);
    EXPECT_EQ(shape.tokens, 16384U);
    EXPECT_GT(shape.matches, 1000U);
    EXPECT_EQ(shape.shortest_match, 4U);
    EXPECT_LE(shape.longest_distance, 32768U);
    EXPECT_GT(shape.literal_symbols, 257U);
    EXPECT_GT(shape.distance_symbols, 20U);
  }
}

TEST(BlockShapeTest, EndsBeforeWhatIsNoWholeBlock) {
  const std::string deflate = Deflate(Records());
  const auto all = ReadBlockShapes(deflate, 1000);
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    const auto bytes = static_cast<size_t>((all[i].end_bit + 7) / 8);
    EXPECT_EQ(ReadBlockShapes(deflate.substr(0, bytes), 1000).size(), i + 1);
    EXPECT_EQ(ReadBlockShapes(deflate.substr(0, bytes - 1), 1000).size(), i);
  }
  EXPECT_TRUE(ReadBlockShapes("", 10).empty());
  EXPECT_TRUE(ReadBlockShapes("\x07", 10).empty());  // the fourth type, which there is not
  SampleRandom random;
  for (int i = 0; i < 2000; ++i) {
    const std::string noise = SampleNoise(random, random.Next() % 200);
    const auto shapes = ReadBlockShapes(noise, 10);
    if (!shapes.empty()) EXPECT_LE(shapes.back().end_bit, noise.size() * 8);
  }
}

}  // namespace
}  // namespace varve
