// varve.v1.Images as a client sees it: manifests, tags and paged lists.
#include <vector>

#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/daemon/grpc/grpc_fixture.h"

namespace varve {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class GrpcImagesTest : public GrpcDoorTest {
 protected:
  // A manifest over an uploaded config and layer; `seed` makes it differ.
  std::string NewManifest(const std::string& repository, uint32_t seed) {
    const std::string config =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"seed\":" + std::to_string(seed) + "}";
    const std::string layer = TestBytes(100, seed);
    Upload(repository, config);
    Upload(repository, layer);
    return ImageOf(config, layer);
  }

  static std::string ImageOf(const std::string& config, const std::string& layer) {
    return ManifestOf(Described(kConfigType, config), {Described(kLayerType, layer)});
  }

  struct PutResult {
    grpc::Status status;
    v1::ManifestInfo info;
  };

  PutResult Put(const std::string& repository, const std::string& manifest,
                const std::vector<std::string>& tags) {
    grpc::ClientContext context;
    v1::PutManifestRequest request;
    request.set_repository(repository);
    request.set_manifest(manifest);
    for (const std::string& tag : tags) request.add_tags(tag);
    v1::PutManifestResponse response;
    PutResult result;
    result.status = images_->PutManifest(&context, request, &response);
    result.info = response.manifest();
    return result;
  }

  struct ResolveResult {
    grpc::Status status;
    v1::ResolveResponse response;
  };

  ResolveResult Resolve(const v1::ResolveRequest& request) {
    grpc::ClientContext context;
    ResolveResult result;
    result.status = images_->Resolve(&context, request, &result.response);
    return result;
  }

  ResolveResult ResolveTag(const std::string& repository, const std::string& tag) {
    v1::ResolveRequest request;
    request.set_repository(repository);
    request.set_tag(tag);
    return Resolve(request);
  }

  grpc::Status Tag(const std::string& repository, const std::string& tag,
                   const std::string& digest) {
    grpc::ClientContext context;
    v1::TagRequest request;
    request.set_repository(repository);
    request.set_tag(tag);
    request.set_digest(digest);
    v1::TagResponse response;
    return images_->Tag(&context, request, &response);
  }

  grpc::Status Untag(const std::string& repository, const std::string& tag) {
    grpc::ClientContext context;
    v1::UntagRequest request;
    request.set_repository(repository);
    request.set_tag(tag);
    v1::UntagResponse response;
    return images_->Untag(&context, request, &response);
  }

  struct ListResult {
    grpc::Status status;
    v1::ListImagesResponse response;
  };

  ListResult List(const std::string& repository, const std::string& page_token,
                  uint32_t page_size) {
    grpc::ClientContext context;
    v1::ListImagesRequest request;
    request.set_repository(repository);
    request.set_page_token(page_token);
    request.set_page_size(page_size);
    ListResult result;
    result.status = images_->List(&context, request, &result.response);
    return result;
  }

  // All images as "repository:tag", read in pages of that size.
  std::vector<std::string> ListAll(uint32_t page_size) {
    std::vector<std::string> seen;
    std::string page_token;
    size_t pages = 0;
    do {
      const ListResult page = List("", page_token, page_size);
      EXPECT_TRUE(page.status.ok()) << page.status.error_message();
      EXPECT_LE(page.response.images_size(), static_cast<int>(page_size));
      for (const v1::Image& image : page.response.images()) {
        seen.push_back(image.repository() + ":" + image.tag());
        EXPECT_FALSE(image.manifest().digest().empty());
      }
      page_token = page.response.next_page_token();
    } while (!page_token.empty() && ++pages < 40);
    return seen;
  }
};

TEST_F(GrpcImagesTest, AManifestIsFoundByTagAndByDigest) {
  const std::string manifest = NewManifest("library/app", 1);
  const PutResult put = Put("library/app", manifest, {"v1", "latest"});
  ASSERT_TRUE(put.status.ok()) << put.status.error_message();
  EXPECT_EQ(put.info.digest(), DigestOf(manifest));
  EXPECT_EQ(put.info.media_type(), "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(put.info.size_bytes(), manifest.size());
  EXPECT_GT(put.info.pushed().seconds(), 1'600'000'000);

  const ResolveResult by_tag = ResolveTag("library/app", "v1");
  ASSERT_TRUE(by_tag.status.ok()) << by_tag.status.error_message();
  EXPECT_EQ(by_tag.response.bytes(), manifest);
  EXPECT_EQ(by_tag.response.manifest().digest(), put.info.digest());
  EXPECT_FALSE(by_tag.response.manifest().config_digest().empty());

  v1::ResolveRequest by_digest;
  by_digest.set_repository("library/app");
  by_digest.set_digest(put.info.digest());
  EXPECT_EQ(Resolve(by_digest).response.bytes(), manifest);
  by_digest.set_omit_bytes(true);
  const ResolveResult without = Resolve(by_digest);
  EXPECT_EQ(without.response.bytes(), "");
  EXPECT_EQ(without.response.manifest().digest(), put.info.digest());

  EXPECT_EQ(ResolveTag("library/app", "v2").status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ResolveTag("other", "v1").status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Resolve(v1::ResolveRequest()).status.error_code(), StatusCode::INVALID_ARGUMENT);
  v1::ResolveRequest neither;
  neither.set_repository("library/app");
  EXPECT_EQ(Resolve(neither).status.error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcImagesTest, AManifestThatNamesWhatIsMissingIsRefusedAndTheMissingNamed) {
  Upload("app", "{}");
  const PutResult put = Put("app", ImageOf("{}", "absent layer"), {"v1"});
  EXPECT_EQ(put.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(put.status.error_message(), HasSubstr(DigestOf("absent layer")));
  EXPECT_EQ(ResolveTag("app", "v1").status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcImagesTest, BadManifestsAndNamesAreInvalid) {
  const std::string manifest = NewManifest("app", 2);
  EXPECT_EQ(Put("", manifest, {}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put("../app", manifest, {}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put("app", manifest, {"bad tag"}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put("app", manifest, std::vector<std::string>(11, "t")).status.error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put("app", "not json", {"v1"}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put("app", "", {"v1"}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put("app", manifest + std::string(kMaxManifestBytes, ' '), {"v1"}).status.error_code(),
            StatusCode::INVALID_ARGUMENT);
  grpc::ClientContext context;
  v1::PutManifestRequest request;
  request.set_repository("app");
  request.set_manifest(manifest);
  request.set_expected_digest(DigestOf("other"));
  v1::PutManifestResponse response;
  EXPECT_EQ(images_->PutManifest(&context, request, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

// What is not UTF-8 could not be sent as a string field: one such image would break every list.
TEST_F(GrpcImagesTest, TextThatIsNotUtf8NeverGetsIn) {
  const std::string manifest = NewManifest("app", 7);
  ASSERT_TRUE(Put("app", manifest, {"good"}).status.ok());
  for (const char* text : {"\xff", "\xc3\x28", "\xed\xa0\x80", "\\ud800", "\\udc00x"}) {
    const std::string hostile =
        "{\"artifactType\":\"application/" + std::string(text) + "\"," + manifest.substr(1);
    EXPECT_EQ(Put("app", hostile, {"bad"}).status.error_code(), StatusCode::INVALID_ARGUMENT)
        << text;
  }
  EXPECT_THAT(ListAll(10), testing::ElementsAre("app:good"));
}

TEST_F(GrpcImagesTest, TagsComeAndGo) {
  const std::string first = NewManifest("app", 3);
  const std::string second = NewManifest("app", 4);
  ASSERT_TRUE(Put("app", first, {"v1"}).status.ok());
  ASSERT_TRUE(Put("app", second, {"v2"}).status.ok());
  EXPECT_TRUE(Tag("app", "latest", DigestOf(first)).ok());
  EXPECT_EQ(ResolveTag("app", "latest").response.bytes(), first);
  EXPECT_TRUE(Tag("app", "latest", DigestOf(second)).ok());
  EXPECT_EQ(ResolveTag("app", "latest").response.bytes(), second);
  EXPECT_EQ(Tag("app", "latest", DigestOf("absent")).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Tag("other", "latest", DigestOf(first)).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Tag("app", "bad tag", DigestOf(first)).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Tag("app", "latest", "").error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Untag("app", "latest").ok());
  EXPECT_EQ(Untag("app", "latest").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ResolveTag("app", "latest").status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ResolveTag("app", "v2").response.bytes(), second);
}

TEST_F(GrpcImagesTest, AListIsReadInPages) {
  std::vector<std::string> expected;
  for (const char* repository : {"a", "a/b", "c"}) {
    const std::string manifest = NewManifest(repository, 5);
    for (int i = 0; i < 5; ++i) {
      const std::string tag = "t" + std::to_string(i);
      ASSERT_TRUE(Put(repository, manifest, {tag}).status.ok());
      expected.push_back(std::string(repository) + ":" + tag);
    }
  }
  for (uint32_t page_size = 1; page_size <= expected.size() + 1; ++page_size) {
    EXPECT_THAT(ListAll(page_size), testing::ElementsAreArray(expected)) << page_size;
  }

  EXPECT_EQ(List("a/b", "", 0).response.images_size(), 5);
  EXPECT_EQ(List("a/b", "", UINT32_MAX).response.images_size(), 5);
  EXPECT_EQ(List("absent", "", 0).status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(List("../x", "", 0).status.error_code(), StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace varve
