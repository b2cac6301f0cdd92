#include <limits>
#include <string>

#include "daemon/http/route.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace varve {
namespace {

struct Expected {
  const char* target;
  Endpoint endpoint;
  const char* repository;
  const char* reference;
};

TEST(ParseTarget, FindsEveryEndpoint) {
  const Expected cases[] = {
      {"/v2/", Endpoint::kBase, "", ""},
      {"/v2", Endpoint::kBase, "", ""},
      {"/livez", Endpoint::kLive, "", ""},
      {"/readyz", Endpoint::kReady, "", ""},
      {"/v2/_catalog?n=3", Endpoint::kCatalog, "", ""},
      {"/v2/a/blobs/sha256:ff", Endpoint::kBlob, "a", "sha256:ff"},
      {"/v2/a/blobs/sha256%3Aff", Endpoint::kBlob, "a", "sha256:ff"},
      {"/v2/a/b/c/blobs/uploads/", Endpoint::kUploads, "a/b/c", ""},
      {"/v2/a/blobs/uploads", Endpoint::kUploads, "a", ""},
      {"/v2/a/blobs/uploads/0f-1", Endpoint::kUpload, "a", "0f-1"},
      {"/v2/a/manifests/latest", Endpoint::kManifest, "a", "latest"},
      {"/v2/a/tags/list", Endpoint::kTags, "a", ""},
      {"/v2/a/referrers/sha512:00", Endpoint::kReferrers, "a", "sha512:00"},
      {"http://host:5000/v2/a/tags/list", Endpoint::kTags, "a", ""},
  };
  for (const Expected& expected : cases) {
    const absl::StatusOr<Route> route = ParseTarget(expected.target);
    ASSERT_TRUE(route.ok()) << expected.target << ": " << route.status();
    EXPECT_EQ(route->endpoint, expected.endpoint) << expected.target;
    EXPECT_EQ(route->repository, expected.repository) << expected.target;
    EXPECT_EQ(route->reference, expected.reference) << expected.target;
  }
}

TEST(ParseTarget, TheWordsOfTheApiMayBePartOfAName) {
  const Expected cases[] = {
      {"/v2/manifests/manifests/manifests", Endpoint::kManifest, "manifests", "manifests"},
      {"/v2/blobs/uploads/blobs/uploads/", Endpoint::kUploads, "blobs/uploads", ""},
      {"/v2/x/blobs/uploads/tags/list", Endpoint::kTags, "x/blobs/uploads", ""},
      {"/v2/x/blobs/uploads/manifests/v1", Endpoint::kManifest, "x/blobs/uploads", "v1"},
      {"/v2/tags/list/tags/list", Endpoint::kTags, "tags/list", ""},
      {"/v2/referrers/blobs/uploads/s", Endpoint::kUpload, "referrers", "s"},
      {"/v2/uploads/blobs/sha256:aa", Endpoint::kBlob, "uploads", "sha256:aa"},
      {"/v2/_catalog/tags/list", Endpoint::kTags, "_catalog", ""},
      {"/v2/v2/manifests/list", Endpoint::kManifest, "v2", "list"},
  };
  for (const Expected& expected : cases) {
    const absl::StatusOr<Route> route = ParseTarget(expected.target);
    ASSERT_TRUE(route.ok()) << expected.target << ": " << route.status();
    EXPECT_EQ(route->endpoint, expected.endpoint) << expected.target;
    EXPECT_EQ(route->repository, expected.repository) << expected.target;
    EXPECT_EQ(route->reference, expected.reference) << expected.target;
  }
}

TEST(ParseTarget, RefusesWhatIsMalformed) {
  const std::string nul("/v2/a\0b/tags/list", 17);
  const std::string many = [] {
    std::string text = "/v2/_catalog?";
    for (size_t i = 0; i <= kMaxQueryParameters; ++i) text += "a=b&";
    return text;
  }();
  for (const std::string& target :
       {std::string(), std::string("*"), std::string("v2/"), std::string("/v2/%"),
        std::string("/v2/%4"), std::string("/v2/%zz/tags/list"), std::string("/v2/%00/tags/list"),
        std::string("/v2/a/../tags/list"), std::string("/v2/a/%2e%2e/tags/list"),
        std::string("/v2/./a/tags/list"), std::string("/v2/a%2Fb/tags/list"),
        std::string("/v2/_catalog?last=%0a"), std::string("/v2/_catalog?%=1"),
        std::string("/v2/#x"), std::string("host:5000"), nul, many}) {
    EXPECT_EQ(ParseTarget(target).status().code(), absl::StatusCode::kInvalidArgument) << target;
  }
  EXPECT_EQ(ParseTarget("/v2/" + std::string(kMaxTargetBytes, 'a')).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(ParseTarget, WhatIsMalformedHasAPlace) {
  const auto place = [](std::string_view target) {
    const auto payload = ParseTarget(target).status().GetPayload(kPlacePayload);
    return payload.has_value() ? std::string(*payload) : "none";
  };
  EXPECT_EQ(place("/v2/a/blobs/uploads/u?tag=v1&digest=sha256:0%0a"), "digest");
  EXPECT_EQ(place("/v2/_catalog?%=1"), "");
  EXPECT_EQ(place("/v2/a/blobs/sha256:%00"), "blobs");
  EXPECT_EQ(place("/v2/a/manifests/%zz"), "manifests");
  EXPECT_EQ(place("/v2/a/../tags/list"), "none");
}

TEST(ParseTarget, UnknownPathsAreNotFound) {
  for (const char* target :
       {"/", "/v1/", "/v2/a", "/v2/a/", "/v2/tags/list", "/v2/blobs/uploads/", "/v2/a/blobs/",
        "/v2/a/manifests/", "/v2/a/tags/", "/v2/a/tags/other", "/v2/manifests/x", "/livez/x"}) {
    EXPECT_EQ(ParseTarget(target).status().code(), absl::StatusCode::kNotFound) << target;
  }
}

TEST(ParseTarget, DecodesTheQueryInOrder) {
  const absl::StatusOr<Route> route =
      ParseTarget("/v2/a/manifests/sha256:00?tag=v1&tag=v%2E2&empty=&flag&plus=a+b&&");
  ASSERT_TRUE(route.ok()) << route.status();
  ASSERT_EQ(route->query.size(), 5u);
  EXPECT_EQ(route->query[0].value, "v1");
  EXPECT_EQ(route->query[1].value, "v.2");
  EXPECT_EQ(route->Query("tag"), "v1");
  EXPECT_EQ(route->Query("empty"), "");
  EXPECT_EQ(route->Query("flag"), "");
  EXPECT_EQ(route->Query("plus"), "a+b") << "media types have them";
  EXPECT_EQ(route->Query("absent"), std::nullopt);
}

TEST(ParseUploadRange, TakesBothForms) {
  for (const char* header :
       {"10-19", "bytes 10-19/*", "bytes 10-19/20", "bytes=10-19", " 10-19 "}) {
    const absl::StatusOr<UploadRange> range = ParseUploadRange(header);
    ASSERT_TRUE(range.ok()) << header;
    EXPECT_EQ(range->first, 10u);
    EXPECT_EQ(range->last, 19u);
    EXPECT_EQ(range->length_bytes(), 10u);
  }
  for (const char* header :
       {"", "-", "10", "10-", "-10", "19-10", "a-b", "10-19/5", "10-19/x", "0--1", "0-0x10",
        "0-18446744073709551615", "0-99999999999999999999", "10-19/", "bytes */5"}) {
    EXPECT_EQ(ParseUploadRange(header).status().code(), absl::StatusCode::kInvalidArgument)
        << header;
  }
}

TEST(MatchesEntityTag, ListsWeakAndStar) {
  EXPECT_TRUE(MatchesEntityTag("*", "\"a\""));
  EXPECT_TRUE(MatchesEntityTag("\"b\", W/\"a\"", "\"a\""));
  EXPECT_FALSE(MatchesEntityTag("", "\"a\""));
  EXPECT_FALSE(MatchesEntityTag("a, \"b\",", "\"a\""));
}

TEST(Values, LocationsLinksAndProgress) {
  EXPECT_EQ(BlobLocation("a/b", "sha256:00"), "/v2/a/b/blobs/sha256:00");
  EXPECT_EQ(ManifestLocation("a", "sha256:00"), "/v2/a/manifests/sha256:00");
  EXPECT_EQ(UploadLocation("a", "id"), "/v2/a/blobs/uploads/id");
  EXPECT_EQ(NextLink("/v2/a/tags/list", {{"n", "2"}, {"last", "a&b>"}}),
            "</v2/a/tags/list?n=2&last=a%26b%3E>; rel=\"next\"");
  EXPECT_EQ(NextLink("/v2/_catalog", {}), "</v2/_catalog>; rel=\"next\"");
  EXPECT_EQ(UploadProgress(0), "0-0");
  EXPECT_EQ(UploadProgress(1), "0-0");
  EXPECT_EQ(UploadProgress(512), "0-511");
}

TEST(Values, DecimalsAndSessions) {
  EXPECT_EQ(ParseDecimal("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ParseDecimal("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ParseDecimal("-1"), std::nullopt);
  EXPECT_EQ(ParseDecimal(""), std::nullopt);
  EXPECT_EQ(ParseSaturating("18446744073709551616"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ParseSaturating(std::string(5000, '9')), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ParseSaturating("12"), 12u);
  EXPECT_EQ(ParseSaturating("12a"), std::nullopt);
  EXPECT_TRUE(IsSessionId("0f3a-b_c.d="));
  EXPECT_FALSE(IsSessionId(""));
  EXPECT_FALSE(IsSessionId("a b"));
  EXPECT_FALSE(IsSessionId("a/b"));
  EXPECT_FALSE(IsSessionId(std::string(129, 'a')));
}

}  // namespace
}  // namespace varve
