#include "storage/image/digest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace varve {
namespace {

using testing::HasSubstr;

const std::string kHex32 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kHex64 = kHex32 + kHex32;

Digest Parsed(const std::string& text) {
  const auto digest = Digest::Parse(text);
  EXPECT_TRUE(digest.ok()) << text << ": " << digest.status();
  return digest.value_or(Digest());
}

TEST(DigestTest, ParsesBothAlgorithms) {
  const Digest sha256 = Parsed("sha256:" + kHex32);
  EXPECT_EQ(sha256.algorithm(), DigestAlgorithm::kSha256);
  EXPECT_EQ(sha256.raw().size(), 32u);
  EXPECT_EQ(sha256.raw().substr(0, 2), "\xe3\xb0");
  EXPECT_EQ(sha256.ToString(), "sha256:" + kHex32);

  const Digest sha512 = Parsed("sha512:" + kHex64);
  EXPECT_EQ(sha512.algorithm(), DigestAlgorithm::kSha512);
  EXPECT_EQ(sha512.raw().size(), 64u);
  EXPECT_EQ(sha512.ToString(), "sha512:" + kHex64);
}

TEST(DigestTest, RefusesEverythingElse) {
  std::string upper = kHex32;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::vector<std::string> malformed = {
      "",
      ":",
      "sha256",
      "sha256:",
      ":" + kHex32,
      kHex32,
      "sha256:" + kHex32.substr(1),
      "sha256:" + kHex32 + "0",
      "sha256:" + kHex64,
      "sha512:" + kHex32,
      "sha512:" + kHex64 + "00",
      "sha256:" + upper,
      "SHA256:" + kHex32,
      "sha-256:" + kHex32,
      "sha256 :" + kHex32,
      " sha256:" + kHex32,
      "sha256:" + kHex32 + " ",
      "sha256:" + kHex32 + "\n",
      "sha256::" + kHex32.substr(1),
      "sha256:" + kHex32.substr(1) + "g",
      "sha256:" + kHex32.substr(1) + "`",
      "sha256:" + kHex32.substr(1) + "/",
      "sha256:" + kHex32.substr(1) + ":",
      "sha256:-" + kHex32.substr(1),
      "sha256:" + kHex32.substr(1) + std::string(1, '\0'),
      "sha256:" + kHex32.substr(2) + "\xc3\xa9",
      "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "sha384:" + kHex32,
      "../../etc/passwd",
      "sha256:../../../../../../../../../../../../../../../../../../etc/passwd"};
  for (const std::string& text : malformed) {
    const auto digest = Digest::Parse(text);
    EXPECT_EQ(digest.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(DigestTest, SaysWhatIsWrong) {
  EXPECT_THAT(std::string(Digest::Parse("sha256:" + kHex64).status().message()),
              HasSubstr("exactly 64 lower-case hex digits"));
  EXPECT_THAT(std::string(Digest::Parse("sha512:00").status().message()),
              HasSubstr("exactly 128 lower-case hex digits"));
  EXPECT_THAT(std::string(Digest::Parse("sha1:00").status().message()),
              HasSubstr("sha256 or sha512"));
  EXPECT_THAT(std::string(Digest::Parse("latest").status().message()),
              HasSubstr("sha256:<64 hex digits>"));
}

TEST(DigestTest, KeysRoundTripAndLeaveTheRest) {
  for (const std::string& text : {"sha256:" + kHex32, "sha512:" + kHex64}) {
    const Digest digest = Parsed(text);
    std::string key;
    digest.AppendKey(&key);
    EXPECT_EQ(key.size(), 1 + digest.raw().size());
    key += "rest";
    std::string_view reader = key;
    Digest read;
    ASSERT_TRUE(Digest::ConsumeKey(&reader, &read));
    EXPECT_EQ(read, digest);
    EXPECT_EQ(reader, "rest");
  }
}

TEST(DigestTest, RefusesMalformedKeys) {
  std::string key;
  Parsed("sha512:" + kHex64).AppendKey(&key);
  Digest read;
  for (size_t size = 0; size < key.size(); ++size) {
    std::string_view cut = std::string_view(key).substr(0, size);
    EXPECT_FALSE(Digest::ConsumeKey(&cut, &read)) << size;
    EXPECT_EQ(cut.size(), size);  // nothing taken
  }
  for (int algorithm = 0; algorithm < 256; ++algorithm) {
    if (algorithm == 1 || algorithm == 2) continue;
    key[0] = static_cast<char>(algorithm);
    std::string_view reader = key;
    EXPECT_FALSE(Digest::ConsumeKey(&reader, &read)) << algorithm;
  }
}

TEST(DigestTest, KeysSortAsDigestsDo) {
  std::vector<Digest> digests;
  for (const char first : {'0', '7', '8', 'f'}) {
    for (const char last : {'0', '9', 'a', 'f'}) {
      std::string hex = kHex32;
      hex.front() = first;
      hex.back() = last;
      digests.push_back(Parsed("sha256:" + hex));
      digests.push_back(Parsed("sha512:" + kHex32 + hex));
      digests.push_back(Parsed("sha512:" + hex + kHex32));
    }
  }
  for (const Digest& a : digests) {
    for (const Digest& b : digests) {
      std::string key_a;
      std::string key_b;
      a.AppendKey(&key_a);
      b.AppendKey(&key_b);
      EXPECT_EQ(a < b, key_a < key_b) << a.ToString() << " " << b.ToString();
      EXPECT_EQ(a == b, key_a == key_b);
    }
  }
}

TEST(DigestTest, IsAKeyOfHashSets) {
  const absl::flat_hash_set<Digest> set = {Parsed("sha256:" + kHex32), Parsed("sha512:" + kHex64),
                                           Parsed("sha256:" + kHex32), Digest()};
  EXPECT_EQ(set.size(), 3u);
  EXPECT_TRUE(set.contains(Parsed("sha512:" + kHex64)));
  EXPECT_FALSE(set.contains(Digest(DigestAlgorithm::kSha256, std::string(32, 'x'))));
}

TEST(DigestTest, NamesAlgorithms) {
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    const auto parsed = ParseDigestAlgorithm(DigestAlgorithmName(algorithm));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, algorithm);
  }
  EXPECT_EQ(ParseDigestAlgorithm("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DigestDeathTest, RawBytesOfAnotherLengthEndTheProcess) {
  EXPECT_DEATH(Digest(DigestAlgorithm::kSha512, std::string(32, 'x')),
               "a digest has as many bytes as its algorithm gives");
}

}  // namespace
}  // namespace varve
