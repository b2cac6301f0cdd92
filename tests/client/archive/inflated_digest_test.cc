// Streams without their compression: right, damaged, cut off, padded, and made to explode.
#include "client/archive/inflated_digest.h"

#include "client/archive/layer_check.h"
#include "gmock/gmock.h"
#include "tests/client/archive/compressed.h"
#include "tests/client/archive/tar_entries.h"
#include "tests/client/connected_fixture.h"

namespace varve {
namespace {

using testing::HasSubstr;

constexpr Compression kCompressions[] = {Compression::kGzip, Compression::kZstd, Compression::kXz,
                                         Compression::kBzip2};

StreamReader InPieces(std::string bytes, size_t piece) {
  return [bytes = std::move(bytes), piece, at = size_t{0}]() mutable {
    const std::string_view next = std::string_view(bytes).substr(at, piece);
    at += next.size();
    return absl::StatusOr<std::string_view>(next);
  };
}

std::string Tar() { return BuildTar({{"a", TestBytes(3000, 1)}, {"b", TestBytes(200'000, 2)}}); }

TEST(InflatedDigestTest, TheDigestIsOfTheBytesBeforeCompression) {
  const std::string tar = Tar();
  for (const size_t piece : {size_t{1000}, tar.size()}) {
    const absl::StatusOr<InflatedDigest> plain = DigestInflatedTar(InPieces(tar, piece));
    ASSERT_TRUE(plain.ok()) << plain.status();
    EXPECT_EQ(plain->diff_id, Sha256Of(tar));
    EXPECT_EQ(plain->size_bytes, tar.size());
    EXPECT_EQ(plain->compression, Compression::kNone);
    for (const Compression compression : kCompressions) {
      const std::string compressed = Compressed(tar, compression);
      EXPECT_EQ(DetectCompression(compressed), compression);
      const absl::StatusOr<InflatedDigest> digest = DigestInflatedTar(InPieces(compressed, piece));
      ASSERT_TRUE(digest.ok()) << digest.status();
      EXPECT_EQ(digest->diff_id, Sha256Of(tar));
      EXPECT_EQ(digest->compression, compression);
    }
  }
  EXPECT_EQ(DetectCompression(tar), Compression::kNone);
  EXPECT_EQ(DetectCompression(""), Compression::kNone);
}

TEST(InflatedDigestTest, WhatFollowsTheEndOfTheTarBelongsToTheDigest) {
  const std::string padded = Tar() + std::string(30'000, '\0');
  const absl::StatusOr<InflatedDigest> digest =
      DigestInflatedTar(InPieces(Compressed(padded, Compression::kGzip), 4096));
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(digest->diff_id, Sha256Of(padded));
}

TEST(InflatedDigestTest, AnythingHasADigestButOnlyATarIsALayer) {
  for (const std::string& bytes :
       {std::string(), std::string("text"), TestBytes(5000, 3), Tar().substr(0, 100'000)}) {
    const absl::StatusOr<InflatedDigest> digest = DigestInflated(InPieces(bytes, 999));
    ASSERT_TRUE(digest.ok()) << digest.status();
    EXPECT_EQ(digest->diff_id, Sha256Of(bytes));
    EXPECT_EQ(DigestInflatedTar(InPieces(bytes, 999)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(InflatedDigestTest, DamageIsFound) {
  for (const Compression compression : kCompressions) {
    const std::string whole = Compressed(Tar(), compression);
    std::vector<std::string> damaged = {whole.substr(0, whole.size() / 2),
                                        whole.substr(0, whole.size() - 1), whole.substr(0, 20),
                                        whole + "more", whole + std::string(3, '\0')};
    // A zstd stream need not have a checksum, and that of libarchive has none.
    if (compression != Compression::kZstd) {
      damaged.push_back(whole);
      damaged.back()[whole.size() / 2] ^= 0x10;
    }
    for (const std::string& bytes : damaged) {
      EXPECT_EQ(DigestInflated(InPieces(bytes, 4096)).status().code(),
                absl::StatusCode::kInvalidArgument)
          << static_cast<int>(compression) << " of " << bytes.size() << " bytes";
    }
    EXPECT_EQ(
        DigestInflatedTar(InPieces(Compressed(whole, Compression::kGzip), 4096)).status().code(),
        absl::StatusCode::kInvalidArgument)
        << "compressed twice";
    EXPECT_EQ(
        DigestInflatedTar(InPieces(Compressed(whole, Compression::kZstd), 4096)).status().code(),
        absl::StatusCode::kInvalidArgument)
        << "compressed twice";
  }
}

TEST(InflatedDigestTest, GzipMayHaveSeveralMembersAndAnyPieces) {
  const std::string tar = Tar();
  const std::string members = Compressed(tar.substr(0, 1000), Compression::kGzip) +
                              Compressed("", Compression::kGzip) +
                              Compressed(tar.substr(1000), Compression::kGzip);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{65'536}, members.size()}) {
    const absl::StatusOr<InflatedDigest> digest = DigestInflatedTar(InPieces(members, piece));
    ASSERT_TRUE(digest.ok()) << digest.status();
    EXPECT_EQ(digest->diff_id, Sha256Of(tar));
    EXPECT_EQ(digest->compression, Compression::kGzip);
  }
  const absl::StatusOr<InflatedDigest> nothing =
      DigestInflated(InPieces(Compressed("", Compression::kGzip), 5));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ(nothing->diff_id, Sha256Of(""));
}

TEST(InflatedDigestTest, ABombIsStopped) {
  InflateLimits limits;
  limits.free_bytes = 100'000;
  const std::string zeros = BuildTar({{"zeros", std::string(3'000'000, '\0')}});
  for (const Compression compression : kCompressions) {
    const absl::Status status =
        DigestInflatedTar(InPieces(Compressed(zeros, compression), 100), limits).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  }
  EXPECT_TRUE(DigestInflatedTar(InPieces(zeros, 5000), limits).ok()) << "it is as large as it is";
  limits.max_bytes = 1'000'000;
  EXPECT_EQ(DigestInflatedTar(InPieces(zeros, 5000), limits).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(InflatedDigestTest, AnErrorOfTheReaderIsTheAnswer) {
  const StreamReader fails = []() -> absl::StatusOr<std::string_view> {
    return absl::UnavailableError("torn");
  };
  EXPECT_EQ(DigestInflated(fails).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DigestInflatedTar(fails).status().code(), absl::StatusCode::kUnavailable);
}

TEST(LayerCheckTest, GivesTheSameAnswerToBytesThatArePushed) {
  const std::string tar = BuildTar({{"large", TestBytes(12'000'000, 4)}});
  LayerCheck check;
  for (size_t at = 0; at < tar.size(); at += 700'000) {
    ASSERT_TRUE(check.Push(std::string_view(tar).substr(at, 700'000)).ok());
  }
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<InflatedDigest> digest = check.Finish();
    ASSERT_TRUE(digest.ok()) << digest.status();
    EXPECT_EQ(digest->diff_id, Sha256Of(tar));
  }
}

TEST(LayerCheckTest, SaysNoBeforeTheEndAndCanBeAbandoned) {
  const std::string junk = TestBytes(1'000'000, 5);
  LayerCheck check;
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = check.Push(junk);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no intact tar"));
  EXPECT_FALSE(check.Finish().ok());
  LayerCheck abandoned;
  EXPECT_TRUE(abandoned.Push(Tar().substr(0, 10'000)).ok());
}

}  // namespace
}  // namespace varve
