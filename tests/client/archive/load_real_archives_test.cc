// Archives that tools really wrote, each a few kilobytes: from a file and a pipe alike.
#include "gmock/gmock.h"
#include "storage/api/pruning.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class LoadRealArchivesTest : public LoadTest {
 protected:
  static std::string Archive(const std::string& name) {
    return ReadFile(std::string(VARVE_TEST_ARCHIVES) + "/" + name + ".tar");
  }
};

TEST_F(LoadRealArchivesTest, Docker25WithLayersOnlyInManifestJson) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive("docker-25-layers-only-in-manifest-json"), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("hello25:latest"));
    const absl::StatusOr<ImageDetails> image =
        client_->InspectImage("hello25", std::string("latest"), "");
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->layers.size(), 1u);
  }
}

TEST_F(LoadRealArchivesTest, TwoNamesOfOneImageWithEntriesTwice) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive("two-names-of-one-image-entries-twice"), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, UnorderedElementsAre("gg:1", "gg:2"));
  }
}

TEST_F(LoadRealArchivesTest, PartlyPulledMultiPlatform) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive("partly-pulled-multi-platform"), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("part:1"));
    EXPECT_THAT(Tagged("part", "1").ToString(), HasSubstr("sha256:a6e6b1a7d805377b6ed88aa1d79"));
    ASSERT_EQ(observer_.notes.size(), 1u);
    EXPECT_THAT(observer_.notes[0], HasSubstr("lacks \"linux/arm64\" (sha256:9ede766aaa9a49c36"));
    EXPECT_THAT(observer_.notes[0], HasSubstr("the index sha256:fbae7c38520e15dd8d688a0d574"));
  }
}

TEST_F(LoadRealArchivesTest, BeforeDocker110) {
  for (const From from : {From::kFile, From::kPipe}) {
    const absl::Status status = Load(Archive("before-docker-1.10"), from);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("Docker 1.10 to 28"));
    EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("import")));
  }
}

TEST_F(LoadRealArchivesTest, MissingLayerWithEmptyUrls) {
  for (const From from : {From::kFile, From::kPipe}) {
    const absl::Status status = Load(Archive("missing-layer-with-empty-urls"), from);
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr("9d03d67a99599de81dc8d97ba8df1bcc1349a"));
    EXPECT_THAT(observer_.started, IsEmpty());
  }
}

TEST_F(LoadRealArchivesTest, NamedImageWithUnnamedReferrer) {
  const char* const kImage =
      "sha256:1504b18a6bcf5ed204c054b11817ad2b2a636b9c930f03667962dc8229d215c2";
  const char* const kSbom =
      "sha256:3fbd3b4847d816d701b6053693b21dd1280edfb3b20d3dcb8611bbf7819b75ee";
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive("named-image-with-unnamed-referrer"), from), absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1").ToString(), kImage);
    ASSERT_TRUE(client_->Prune({}, [](const PruneStep&) { return true; }).ok());
    const absl::StatusOr<ReferrerPage> page =
        client_->ListReferrers("app", Tagged("app", "1"), "", "", 10);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->referrers.size(), 1u);
    EXPECT_EQ(page->referrers[0].info.manifest.digest.ToString(), kSbom);
  }
}

TEST_F(LoadRealArchivesTest, TwoRegistriesWithPorts) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive("two-registries-with-ports"), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("reg-a__5000/col:1", "reg-b__5000/col:1"));
    EXPECT_NE(Tagged("reg-a__5000/col", "1"), Tagged("reg-b__5000/col", "1"));
  }
}

TEST_F(LoadRealArchivesTest, UpperCaseRegistryHost) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive("upper-case-registry-host"), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("myhost.local/app:1"));
  }
}

}  // namespace
}  // namespace varve
