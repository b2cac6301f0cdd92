// Names as clients of the OCI API meet them: answers echo the name that was asked for.
#include <gmock/gmock.h>

#include "storage/base/str_cat.h"
#include "tests/contract/doors/doors_fixture.h"
#include "tests/daemon/http/http_client.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string Line(std::string_view json) { return StrCat(json, "\n"); }

class DoorsNamesTest : public DoorsTest {
 protected:
  HttpResponse Do(std::string_view method, std::string_view target, std::string_view body = {},
                  const HttpHeaders& headers = {}) {
    HttpClient client(http().port());
    return client.Do(method, target, body, headers);
  }
};

TEST_F(DoorsNamesTest, AMirrorOfDockerHubServesWhatWasLoaded) {
  const Image image = PushImage(engine(), "debian", 1, {"12"});
  const std::string manifest = "/v2/library/debian/manifests/";
  EXPECT_EQ(Do("GET", manifest + "12?ns=docker.io").body, image.json);
  EXPECT_EQ(Do("HEAD", manifest + "12").Header("docker-content-digest"), image.manifest.ToString());
  EXPECT_EQ(Do("GET", StrCat("/v2/library/debian/blobs/", image.layer.ToString())).body,
            MakeBytes(100'000, 1));
  EXPECT_EQ(Do("GET", "/v2/library/debian/tags/list").body,
            Line(R"({"name":"library/debian","tags":["12"]})"));
  EXPECT_EQ(Do("GET", "/v2/debian/tags/list").body, Line(R"({"name":"debian","tags":["12"]})"));
  EXPECT_EQ(Do("GET", "/v2/_catalog").body, Line(R"({"repositories":["debian"]})"));
}

TEST_F(DoorsNamesTest, EveryLocationHasTheNameAsAsked) {
  const std::string bytes = MakeBytes(100'000, 1);
  const std::string digest = Sha256(bytes).ToString();
  const HttpResponse opened = Do("POST", "/v2/library/app/blobs/uploads/");
  ASSERT_EQ(opened.status, 202) << opened.body;
  const std::string session = opened.Header("location");
  EXPECT_THAT(session, StartsWith("/v2/library/app/blobs/uploads/"));
  const HttpResponse patched = Do("PATCH", session, bytes);
  ASSERT_EQ(patched.status, 202) << patched.body;
  EXPECT_EQ(patched.Header("location"), session);
  // Finished under another name of the same repository.
  const std::string other = "/v2/docker.io/library/app" + session.substr(session.find("/blobs"));
  const HttpResponse put = Do("PUT", StrCat(other, "?digest=", digest));
  ASSERT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.Header("location"), StrCat("/v2/docker.io/library/app/blobs/", digest));

  const HttpResponse mounted =
      Do("POST", StrCat("/v2/library/copy/blobs/uploads/?from=localhost/app&mount=", digest));
  ASSERT_EQ(mounted.status, 201) << mounted.body;
  EXPECT_EQ(mounted.Header("location"), StrCat("/v2/library/copy/blobs/", digest));

  Push(engine(), "app", "{}");
  const std::string json = ManifestJson({.config = Sha256("{}"), .layers = {Sha256(bytes)}});
  const HttpResponse tagged = Do("PUT", "/v2/library/app/manifests/v1", json,
                                 {{"Content-Type", "application/vnd.oci.image.manifest.v1+json"}});
  ASSERT_EQ(tagged.status, 201) << tagged.body;
  EXPECT_EQ(tagged.Header("location"),
            StrCat("/v2/library/app/manifests/", Sha256(json).ToString()));
  EXPECT_TRUE(engine().manifests.StatManifest("app", "v1").ok());
  EXPECT_EQ(Do("GET", "/v2/_catalog").body, Line(R"({"repositories":["app"]})"));
}

TEST_F(DoorsNamesTest, APageOfTagsLeadsToTheNextOfTheSameName) {
  PushImage(engine(), "app", 1, {"a", "b", "c"});
  const HttpResponse page = Do("GET", "/v2/library/app/tags/list?n=2");
  EXPECT_EQ(page.body, Line(R"({"name":"library/app","tags":["a","b"]})"));
  EXPECT_THAT(page.Header("link"), HasSubstr("/v2/library/app/tags/list?"));
}

// A listing is kept as it was sent; a name that comes to mean another repository has another.
TEST_F(DoorsNamesTest, AListingFollowsItsNameThroughAMerge) {
  PushImage(engine(), "app", 1, {"a"});
  PushImage(engine(), "other", 2, {"b"});
  EXPECT_EQ(Do("GET", "/v2/other/tags/list").body, Line(R"({"name":"other","tags":["b"]})"));
  ASSERT_TRUE(engine().manifests.MergeRepositories("other", "app", false).ok());
  EXPECT_EQ(Do("GET", "/v2/other/tags/list").status, 404);
  EXPECT_EQ(Do("GET", "/v2/app/tags/list").body, Line(R"({"name":"app","tags":["a","b"]})"));
}

TEST_F(DoorsNamesTest, ThroughGrpcTheRuleAndTheHostsAreTold) {
  const auto info = grpc().store().system.Info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->names.canonical);
  EXPECT_THAT(info->names.own_hosts, testing::IsEmpty());
}

}  // namespace
}  // namespace varve
