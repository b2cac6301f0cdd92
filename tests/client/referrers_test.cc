// The list of what refers to a manifest: referrers by tag and by their own word, in pages.
#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/client/connected_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

class ClientReferrersTest : public ConnectedTest {
 protected:
  // A signature; with a subject unless it is null.
  Digest PutReferrer(const std::string& repository, const std::vector<std::string>& tags,
                     const Digest* subject, const std::string& note) {
    const std::string empty = "{}";
    PutBlob(repository, empty);
    std::string bytes =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"artifactType\":\"application/" +
        note + "\",\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"" +
        Sha256Of(empty).ToString() + "\",\"size\":2},\"layers\":[]";
    if (subject != nullptr) {
      bytes +=
          ",\"subject\":{\"mediaType\":\"application/"
          "vnd.oci.image.manifest.v1+json\",\"digest\":\"" +
          subject->ToString() + "\",\"size\":7}";
    }
    bytes += ",\"annotations\":{\"note\":\"" + note + "\"}}";
    return PutManifest(repository, tags, bytes).digest;
  }

  // "TAG DIGEST" of each, in pages of `limit`.
  std::vector<std::string> List(const Digest& subject, size_t limit, const std::string& type = "") {
    std::vector<std::string> rows;
    std::string token;
    do {
      const absl::StatusOr<ReferrerPage> page =
          client_->ListReferrers("app", subject, type, token, limit);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return rows;
      EXPECT_LE(page->referrers.size(), limit);
      for (const Referrer& referrer : page->referrers) {
        rows.push_back(referrer.tag + " " + referrer.info.manifest.digest.ToString());
      }
      token = page->next_page_token;
    } while (!token.empty());
    return rows;
  }
};

TEST_F(ClientReferrersTest, TagsComeFirstAndEachPageGoesOnWhereTheLastOneEnded) {
  const Digest subject = PutImage("app", {"v1"}, 1).digest;
  const std::string prefix = "sha256-" + subject.ToString().substr(7);
  std::vector<std::string> expected;
  // What only begins like such a tag is none.
  for (const char* const suffix : {"-x", "x", "_.sig"}) {
    PutReferrer("app", {prefix + suffix}, nullptr, "other");
  }
  for (const char* const suffix : {"", ".att", ".sbom", ".sig"}) {
    const Digest digest = PutReferrer("app", {prefix + suffix}, nullptr, "tag");
    expected.push_back(prefix + suffix + " " + digest.ToString());
  }
  std::vector<std::string> own;
  for (int i = 0; i < 20; ++i) {
    own.push_back(" " + PutReferrer("app", {}, &subject, "own" + std::to_string(i)).ToString());
  }
  std::sort(own.begin(), own.end());
  expected.insert(expected.end(), own.begin(), own.end());
  for (const size_t limit : {1u, 3u, 4u, 5u, 9u, 100u}) {
    EXPECT_THAT(List(subject, limit), ElementsAreArray(expected)) << limit;
  }
  EXPECT_THAT(List(subject, 2, "application/tag"), SizeIs(4));
  EXPECT_THAT(List(subject, 2, "application/own7"), SizeIs(1));
  EXPECT_THAT(List(subject, 2, "application/none"), IsEmpty());
}

TEST_F(ClientReferrersTest, WhatIsBothComesTwiceWithAnnotationsOnce) {
  const Digest subject = PutImage("app", {"v1"}, 1).digest;
  const std::string tag = "sha256-" + subject.ToString().substr(7) + ".sig";
  PutReferrer("app", {tag}, &subject, "both");
  const absl::StatusOr<ReferrerPage> page = client_->ListReferrers("app", subject, "", "", 10);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->referrers, SizeIs(2));
  EXPECT_EQ(page->referrers[0].tag, tag);
  EXPECT_EQ(page->referrers[1].tag, "");
  EXPECT_EQ(page->referrers[1].info.annotations_json, "{\"note\":\"both\"}");
  EXPECT_EQ(page->referrers[1].info.manifest.subject, subject);
}

TEST_F(ClientReferrersTest, AnAbsentSubjectHasReferrersAndAnAbsentRepositoryNone) {
  PutImage("app", {"v1"}, 1);
  const Digest later = Sha256Of("later");
  const Digest referrer = PutReferrer("app", {}, &later, "early");
  EXPECT_THAT(List(later, 5), ElementsAre(" " + referrer.ToString()));
  EXPECT_THAT(List(Sha256Of("none"), 5), IsEmpty());
  const auto code = [&](const char* repository, const std::string& token) {
    return client_->ListReferrers(repository, later, "", token, 5).status().code();
  };
  EXPECT_EQ(code("none", ""), absl::StatusCode::kNotFound);
  EXPECT_EQ(code("", ""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("app", "junk"), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace varve
