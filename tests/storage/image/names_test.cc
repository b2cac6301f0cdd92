#include "storage/image/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "storage/limits.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

const std::string kHex(64, 'a');
const std::string kDigestText = "sha256:" + kHex;

std::string Sentence(const absl::Status& status) { return std::string(status.message()); }

TEST(RepositoryName, TakesEverySeparatorOfTheGrammar) {
  for (const char* name : {"a", "0", "debian", "library/debian", "a.b", "a_b", "a__b", "a-b",
                           "a---b", "a/b/c/d/e/f", "docker.io/library/debian", "1.2.3/x86_64"}) {
    EXPECT_TRUE(ValidateRepositoryName(name).ok()) << name;
  }
}

TEST(RepositoryName, RefusesWhatIsOutsideTheGrammar) {
  for (const char* name : {"A",
                           "aB",
                           "/a",
                           "a/",
                           "a//b",
                           ".",
                           "..",
                           "a/../b",
                           "../etc/passwd",
                           "a/./b",
                           ".a",
                           "a.",
                           "a..b",
                           "a._b",
                           "a_.b",
                           "a___b",
                           "a_-b",
                           "-a",
                           "a-",
                           "_a",
                           "a_",
                           "a:b",
                           "a@b",
                           "a b",
                           "a\\b",
                           "a%2fb",
                           "\xc3\xa9",
                           "a\n",
                           "localhost:5000/a"}) {
    const absl::Status status = ValidateRepositoryName(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(Sentence(status), HasSubstr("components joined by '/'")) << name;
  }
}

TEST(RepositoryName, RefusesNulBytes) {
  EXPECT_FALSE(ValidateRepositoryName(std::string_view("a\0b", 3)).ok());
  EXPECT_FALSE(ValidateRepositoryName(std::string_view("a\0", 2)).ok());
}

TEST(RepositoryName, LengthLimitIsExact) {
  EXPECT_TRUE(ValidateRepositoryName(std::string(kMaxRepositoryNameBytes, 'a')).ok());
  const absl::Status longer = ValidateRepositoryName(std::string(kMaxRepositoryNameBytes + 1, 'a'));
  EXPECT_THAT(Sentence(longer), HasSubstr("longer than 255 bytes"));
  EXPECT_THAT(Sentence(ValidateRepositoryName("")), HasSubstr("empty"));
}

TEST(RepositoryName, HugeNamesAreRefusedByTheirLength) {
  EXPECT_THAT(Sentence(ValidateRepositoryName(std::string(10'000'000, '-'))),
              HasSubstr("longer than 255 bytes"));
}

TEST(Tag, Grammar) {
  for (const char* tag : {"a", "Z", "9", "_", "latest", "1.2.3-rc.1", "_x", "A..--__", "v1_"}) {
    EXPECT_TRUE(ValidateTag(tag).ok()) << tag;
  }
  for (const char* tag : {".a", "-a", "a/b", "a:b", "a b", "a@b", "\xc3\xa9", "a+b", "..", "a\n"}) {
    EXPECT_EQ(ValidateTag(tag).code(), absl::StatusCode::kInvalidArgument) << tag;
  }
  EXPECT_FALSE(ValidateTag(std::string_view("a\0", 2)).ok());
}

TEST(Tag, LengthLimitIsExact) {
  EXPECT_TRUE(ValidateTag(std::string(kMaxTagBytes, 't')).ok());
  EXPECT_THAT(Sentence(ValidateTag(std::string(kMaxTagBytes + 1, 't'))),
              HasSubstr("longer than 128 bytes"));
  EXPECT_THAT(Sentence(ValidateTag("")), HasSubstr("empty"));
}

struct ReferenceCase {
  std::string text;
  std::string repository;
  std::string tag;
  bool digest;
};

TEST(ImageReference, Parses) {
  const ReferenceCase cases[] = {
      {"debian", "debian", "latest", false},
      {"debian:bookworm", "debian", "bookworm", false},
      {"library/debian:12.5-slim", "library/debian", "12.5-slim", false},
      {"app@" + kDigestText, "app", "", true},
      {"app:1@" + kDigestText, "app", "1", true},
      {"docker.io/library/debian", "docker.io/library/debian", "latest", false},
      {"localhost/app", "localhost/app", "latest", false},
      {"localhost:5000", "localhost", "5000", false},
  };
  for (const ReferenceCase& c : cases) {
    const absl::StatusOr<ImageReference> reference = ParseImageReference(c.text);
    ASSERT_TRUE(reference.ok()) << c.text << ": " << reference.status();
    EXPECT_EQ(reference->repository, c.repository) << c.text;
    EXPECT_EQ(reference->tag, c.tag) << c.text;
    EXPECT_EQ(reference->digest.has_value(), c.digest) << c.text;
    if (c.digest) {
      EXPECT_EQ(reference->digest->ToString(), kDigestText);
    }
  }
}

TEST(ImageReference, FormatGivesTheTextThatWasParsed) {
  for (const std::string& text :
       {std::string("debian:12"), "a/b@" + kDigestText, "a/b:c@" + kDigestText}) {
    const absl::StatusOr<ImageReference> reference = ParseImageReference(text);
    ASSERT_TRUE(reference.ok()) << text;
    EXPECT_EQ(FormatImageReference(*reference), text);
  }
}

TEST(ImageReference, TheHostOfARegistryIsPartOfTheRepository) {
  const ReferenceCase cases[] = {
      {"localhost:5000/app", "localhost__5000/app", "latest", false},
      {"127.0.0.1:5000/a/b:1", "127.0.0.1__5000/a/b", "1", false},
      {"Reg.Example:443/app:1@" + kDigestText, "reg.example__443/app", "1", true},
      {"reg:5000/app@" + kDigestText, "reg__5000/app", "", true},
      {"reg__5000/app:1", "reg__5000/app", "1", false},
  };
  for (const ReferenceCase& c : cases) {
    const absl::StatusOr<ImageReference> reference = ParseImageReference(c.text);
    ASSERT_TRUE(reference.ok()) << c.text << ": " << reference.status();
    EXPECT_EQ(reference->repository, c.repository) << c.text;
    EXPECT_EQ(reference->tag, c.tag) << c.text;
    EXPECT_EQ(reference->digest.has_value(), c.digest) << c.text;
  }
}

TEST(ImageReference, AHostThatNoNameCanHaveIsRefusedWithAReason) {
  for (const char* text : {"[::1]:5000/app", "[::1]/app", "[fe80::1]:5000"}) {
    EXPECT_THAT(Sentence(ParseImageReference(text).status()), HasSubstr("an IPv6 address cannot"))
        << text;
  }
  EXPECT_THAT(Sentence(ParseImageReference("reg:65536/app").status()),
              HasSubstr("the port of a registry is a number from 1 to 65535"));
}

TEST(ImageReference, BareDigestIsRefusedWithAReason) {
  EXPECT_THAT(Sentence(ParseImageReference(kDigestText).status()),
              HasSubstr("a digest needs its repository in front"));
}

TEST(ImageReference, RefusesMalformedText) {
  for (const std::string& text :
       {std::string(), std::string(":"), std::string("@"), std::string("a:"), std::string("a@"),
        std::string(":tag"), "@" + kDigestText, std::string("a:b:c"), std::string("A:b"),
        "a@" + kDigestText + "@" + kDigestText, "a@" + kDigestText + ":tag",
        std::string("a@sha256:ab"), std::string("a@md5:d41d8cd98f00b204e9800998ecf8427e"),
        std::string("https://a/b"), std::string("a b"), std::string("a:t/b")}) {
    EXPECT_EQ(ParseImageReference(text).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace varve
