// Manifests, tags, referrers and listings over HTTP, over the real engine and over the fake one.
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/limits.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::Not;

class HttpManifests : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "fake") {
      store_ = std::make_shared<FakeStore>();
    } else {
      absl::StatusOr<std::unique_ptr<Engine>> engine =
          OpenEngine(directory_.path() + "/store", EngineOptions());
      ASSERT_TRUE(engine.ok()) << engine.status();
      store_ = *std::move(engine);
    }
    server_ = StartDoor(*store_);
    ASSERT_NE(server_, nullptr);
    client_ = std::make_unique<HttpClient>(server_->port());
  }
  HttpClient& client() { return *client_; }

  // Pushes the blobs of an image and gives its manifest.
  std::string PushContent(const std::string& repository, const std::string& more_fields = "") {
    EXPECT_EQ(PushBlob(client(), repository, config_).status, 201);
    EXPECT_EQ(PushBlob(client(), repository, layer_).status, 201);
    return ImageManifest(config_, layer_, more_fields);
  }

  const std::string config_ = "{}";
  const std::string layer_ = TestBytes(70'000);
  TemporaryDirectory directory_;
  std::shared_ptr<const Store> store_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

INSTANTIATE_TEST_SUITE_P(Stores, HttpManifests, testing::Values("fake", "engine"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(HttpManifests, ByTagAndByDigest) {
  const std::string manifest = PushContent("a");
  const std::string digest = DigestOf(manifest);
  const HttpResponse put = PushManifest(client(), "a", "v1", manifest);
  EXPECT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.Header("location"), "/v2/a/manifests/" + digest);
  EXPECT_EQ(put.Header("docker-content-digest"), digest);
  EXPECT_EQ(PushManifest(client(), "a", digest, manifest).status, 201);
  for (const std::string& reference : {std::string("v1"), digest}) {
    const std::string path = "/v2/a/manifests/" + reference;
    const HttpResponse get = client().Do("GET", path);
    EXPECT_EQ(get.status, 200);
    EXPECT_EQ(get.body, manifest);
    EXPECT_EQ(get.Header("content-type"), kManifestType);
    EXPECT_EQ(get.Header("docker-content-digest"), digest);
    const HttpResponse head = client().Do("HEAD", path);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.Header("content-length"), StrCat(manifest.size()));
    EXPECT_EQ(client().Do("GET", path, {}, {{"If-None-Match", "\"" + digest + "\""}}).status, 304);
  }
}

TEST_P(HttpManifests, TagParameters) {
  const std::string manifest = PushContent("a");
  const std::string path = StrCat("/v2/a/manifests/", DigestOf(manifest), "?tag=one&tag=two");
  const HttpResponse put = client().Do("PUT", path, manifest, {{"Content-Type", kManifestType}});
  EXPECT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.headers.count("oci-tag"), 2u);
  EXPECT_EQ(client().Do("GET", "/v2/a/manifests/one").body, manifest);
  EXPECT_EQ(client().Do("GET", "/v2/a/manifests/two").body, manifest);
  std::string many = StrCat("/v2/a/manifests/", DigestOf(manifest), "?");
  for (size_t i = 0; i <= kMaxTagsPerPut; ++i) many += StrCat("tag=t", i, "&");
  EXPECT_EQ(client().Do("PUT", many, manifest).status, 414);
  EXPECT_EQ(ErrorCode(client().Do("PUT", path + "&tag=.bad", manifest)), "MANIFEST_INVALID");
}

TEST_P(HttpManifests, RefusedManifests) {
  const std::string manifest = PushContent("a");
  EXPECT_EQ(ErrorCode(PushManifest(client(), "a", DigestOf("else"), manifest)), "DIGEST_INVALID");
  EXPECT_EQ(ErrorCode(PushManifest(client(), "a", "sha256:bad", manifest)), "DIGEST_INVALID");
  EXPECT_EQ(ErrorCode(PushManifest(client(), "a", "v1", "{")), "MANIFEST_INVALID");
  EXPECT_EQ(ErrorCode(PushManifest(client(), "a", ".v1", manifest)), "MANIFEST_INVALID");
  const HttpResponse missing =
      PushManifest(client(), "a", "v1", ImageManifest("{\"absent\":1}", layer_));
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(ErrorCode(missing), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_THAT(missing.body, HasSubstr(DigestOf("{\"absent\":1}")));
  // The blobs are visible in another repository only.
  EXPECT_EQ(ErrorCode(PushManifest(client(), "b", "v1", manifest)), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_EQ(client().Do("GET", "/v2/a/manifests/v1").status, 404);
}

TEST_P(HttpManifests, LargeManifests) {
  const std::string room(kMaxManifestBytes - 2000, 'x');
  const std::string large = PushContent("a", StrCat(R"(,"annotations":{"a":")", room, R"("})"));
  ASSERT_LT(large.size(), kMaxManifestBytes);
  EXPECT_EQ(PushManifest(client(), "a", "large", large).status, 201);
  EXPECT_TRUE(client().Do("GET", "/v2/a/manifests/large").body == large);
  const std::string over(kMaxManifestBytes + 1, ' ');
  HttpClient fresh(server_->port());
  EXPECT_EQ(ErrorCode(PushManifest(fresh, "a", "over", over)), "SIZE_INVALID");
  HttpClient chunked(server_->port());
  EXPECT_EQ(chunked.DoChunked("PUT", "/v2/a/manifests/over", over, 1 << 20).status, 413);
}

TEST_P(HttpManifests, DeletesByTagAndByDigest) {
  const std::string manifest = PushContent("a");
  const std::string by_digest = "/v2/a/manifests/" + DigestOf(manifest);
  ASSERT_EQ(PushManifest(client(), "a", "v1", manifest).status, 201);
  ASSERT_EQ(PushManifest(client(), "a", "v2", manifest).status, 201);
  EXPECT_EQ(client().Do("DELETE", "/v2/a/manifests/v1").status, 202);
  EXPECT_EQ(client().Do("GET", "/v2/a/manifests/v1").status, 404);
  EXPECT_EQ(client().Do("GET", by_digest).status, 200);
  EXPECT_EQ(client().Do("DELETE", by_digest).status, 202);
  EXPECT_EQ(client().Do("HEAD", by_digest).status, 404);
  EXPECT_EQ(client().Do("HEAD", "/v2/a/manifests/v2").status, 404);
  EXPECT_EQ(ErrorCode(client().Do("DELETE", by_digest)), "MANIFEST_UNKNOWN");
  EXPECT_EQ(ErrorCode(client().Do("DELETE", "/v2/a/manifests/v1")), "MANIFEST_UNKNOWN");
}

TEST_P(HttpManifests, TagListingInPages) {
  EXPECT_EQ(ErrorCode(client().Do("GET", "/v2/a/tags/list")), "NAME_UNKNOWN");
  const std::string manifest = PushContent("a");
  for (const char* tag : {"c", "a", "e", "b", "d"}) {
    ASSERT_EQ(PushManifest(client(), "a", tag, manifest).status, 201);
  }
  const HttpResponse all = client().Do("GET", "/v2/a/tags/list");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.body, "{\"name\":\"a\",\"tags\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}\n");
  EXPECT_EQ(all.Header("link"), "");
  const HttpResponse first = client().Do("GET", "/v2/a/tags/list?n=2");
  EXPECT_EQ(first.body, "{\"name\":\"a\",\"tags\":[\"a\",\"b\"]}\n");
  EXPECT_EQ(first.Header("link"), "</v2/a/tags/list?n=2&last=b>; rel=\"next\"");
  const HttpResponse last = client().Do("GET", "/v2/a/tags/list?n=2&last=d");
  EXPECT_EQ(last.body, "{\"name\":\"a\",\"tags\":[\"e\"]}\n");
  EXPECT_EQ(last.Header("link"), "");
  const HttpResponse none = client().Do("GET", "/v2/a/tags/list?n=0");
  EXPECT_EQ(none.body, "{\"name\":\"a\",\"tags\":[]}\n");
  EXPECT_EQ(none.Header("link"), "");
  EXPECT_EQ(client().Do("GET", "/v2/a/tags/list?n=-1").status, 400);
  // However large, it is a number, and no error.
  for (const char* n : {"99999999", "99999999999999999999"}) {
    const HttpResponse large = client().Do("GET", StrCat("/v2/a/tags/list?n=", n));
    EXPECT_EQ(large.status, 200) << n;
    EXPECT_EQ(large.body, all.body) << n;
    EXPECT_EQ(client().Do("GET", StrCat("/v2/_catalog?n=", n)).status, 200) << n;
  }
}

// A listing that is sent again is a kept one; it is never an old one.
TEST_P(HttpManifests, TagListingsAreNeverStale) {
  const std::string manifest = PushContent("a");
  const auto listed = [&](const std::string& query) {
    const HttpResponse response = client().Do("GET", "/v2/a/tags/list" + query);
    EXPECT_EQ(response.status, 200);
    return response.body;
  };
  std::string tags;
  for (int i = 100; i < 200; ++i) {
    const std::string tag = StrCat("a-rather-long-name-of-a-tag-", i);
    ASSERT_EQ(PushManifest(client(), "a", tag, manifest).status, 201);
    tags += StrCat(i == 100 ? "\"" : ",\"", tag, "\"");
  }
  const std::string before = StrCat("{\"name\":\"a\",\"tags\":[", tags, "]}\n");
  EXPECT_EQ(listed(""), before);
  EXPECT_EQ(listed(""), before);
  EXPECT_EQ(listed("?n=100"), before);
  ASSERT_EQ(PushManifest(client(), "a", "z", manifest).status, 201);
  EXPECT_EQ(listed(""), StrCat("{\"name\":\"a\",\"tags\":[", tags, ",\"z\"]}\n"));
  EXPECT_EQ(listed("?n=100"), before);  // the page has not changed, its Link header has
  EXPECT_EQ(client().Do("GET", "/v2/a/tags/list?n=100").Header("link"),
            "</v2/a/tags/list?n=100&last=a-rather-long-name-of-a-tag-199>; rel=\"next\"");
  EXPECT_EQ(client().Do("DELETE", "/v2/a/manifests/z").status, 202);
  EXPECT_EQ(listed(""), before);
  EXPECT_EQ(listed("?last=y"), "{\"name\":\"a\",\"tags\":[]}\n");
}

TEST_P(HttpManifests, Catalog) {
  EXPECT_EQ(client().Do("GET", "/v2/_catalog").body, "{\"repositories\":[]}\n");
  for (const char* repository : {"b/c", "a", "d"}) {
    ASSERT_EQ(PushManifest(client(), repository, "v", PushContent(repository)).status, 201);
  }
  EXPECT_EQ(client().Do("GET", "/v2/_catalog").body, "{\"repositories\":[\"a\",\"b/c\",\"d\"]}\n");
  const HttpResponse page = client().Do("GET", "/v2/_catalog?n=2");
  EXPECT_EQ(page.body, "{\"repositories\":[\"a\",\"b/c\"]}\n");
  EXPECT_EQ(page.Header("link"), "</v2/_catalog?n=2&last=b/c>; rel=\"next\"");
  EXPECT_EQ(client().Do("GET", "/v2/_catalog?n=2&last=b/c").body, "{\"repositories\":[\"d\"]}\n");
}

TEST_P(HttpManifests, Referrers) {
  const std::string image = PushContent("a");
  const std::string path = StrCat("/v2/a/referrers/", DigestOf(image));
  const std::string empty =
      "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
      "\"manifests\":[]}\n";
  const HttpResponse none = client().Do("GET", path);
  EXPECT_EQ(none.status, 200);
  EXPECT_EQ(none.body, empty);
  EXPECT_EQ(none.Header("content-type"), "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(client().Do("GET", "/v2/nobody/referrers/" + DigestOf("x")).body, empty);
  EXPECT_EQ(ErrorCode(client().Do("GET", "/v2/a/referrers/latest")), "DIGEST_INVALID");

  const std::string subject =
      StrCat(R"(,"subject":{"mediaType":")", std::string_view(kManifestType), R"(","digest":")",
             DigestOf(image), R"(","size":)", image.size(), "}");
  std::vector<std::string> referrers;
  for (int i = 0; i < 20; ++i) {
    const char* type = i % 2 == 0 ? "text/even+json" : "text/odd";
    referrers.push_back(
        PushContent("a", StrCat(subject, R"(,"artifactType":")", std::string_view(type),
                                R"(","annotations":{"n":")", i, R"("})")));
    const HttpResponse put =
        PushManifest(client(), "a", DigestOf(referrers.back()), referrers.back());
    ASSERT_EQ(put.status, 201) << put.body;
    EXPECT_EQ(put.Header("oci-subject"), DigestOf(image));
  }
  const HttpResponse all = client().Do("GET", path);
  for (const std::string& referrer : referrers)
    EXPECT_THAT(all.body, HasSubstr(DigestOf(referrer)));
  EXPECT_THAT(all.body, HasSubstr(R"("annotations":{"n":"7"})"));
  // A plus is one, escaped or not.
  for (const char* plus : {"+", "%2B"}) {
    const HttpResponse even =
        client().Do("GET", StrCat(path, "?artifactType=text/even", plus, "json"));
    EXPECT_EQ(even.Header("oci-filters-applied"), "artifactType");
    EXPECT_THAT(even.body, HasSubstr("text/even+json")) << plus;
    EXPECT_THAT(even.body, Not(HasSubstr("text/odd"))) << plus;
  }

  size_t seen = 0;
  std::string next = path + "?n=6&artifactType=text/odd";
  while (!next.empty()) {
    const HttpResponse page = client().Do("GET", next);
    ASSERT_EQ(page.status, 200);
    for (size_t at = page.body.find("text/odd"); at != std::string::npos;
         at = page.body.find("text/odd", at + 1)) {
      ++seen;
    }
    const std::string link = page.Header("link");
    next = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  EXPECT_EQ(seen, 10u);
}

}  // namespace
}  // namespace varve
