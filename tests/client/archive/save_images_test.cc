// What is in an archive that `save` made, judged without the code that wrote it.
#include <algorithm>
#include <boost/json.hpp>

#include "client/archive/save_plan.h"
#include "gmock/gmock.h"
#include "tests/client/archive/save_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

namespace json = boost::json;

std::string Text(const json::value& value) {
  return {value.as_string().data(), value.as_string().size()};
}

json::array IndexEntries(const std::map<std::string, std::string>& files) {
  return json::parse(files.at("index.json")).at("manifests").as_array();
}

TEST_F(SaveTest, AnImageIsALayoutAndADockerArchive) {
  const std::string config = ConfigFor("amd64");
  const std::string layer = TestBytes(70'000, 1);
  const std::string manifest = PutImage("app", {"v1"}, config, {layer});
  const Files files = SavedFiles({"app:v1"});
  EXPECT_EQ(files.size(), 6u);
  EXPECT_EQ(files.at("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
  EXPECT_EQ(
      files.at("index.json"),
      "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
      "\"manifests\":[" +
          Described(
              kManifestType, manifest,
              ",\"annotations\":{\"io.varve.image.name\":\"app:v1\",\"io.containerd.image.name\":"
              "\"docker.io/library/app:v1\","
              "\"org.opencontainers.image.ref.name\":\"v1\"}") +
          "]}");
  EXPECT_EQ(files.at("manifest.json"), "[{\"Config\":\"" + PathOf(config) +
                                           "\",\"RepoTags\":[\"app:v1\"],\"Layers\":[\"" +
                                           PathOf(layer) + "\"]}]");
  EXPECT_EQ(files.at(PathOf(manifest)), manifest);
  EXPECT_EQ(files.at(PathOf(config)), config);
  EXPECT_EQ(files.at(PathOf(layer)), layer);
  EXPECT_EQ(observer_.blobs, 3u);
  EXPECT_EQ(observer_.bytes, manifest.size() + config.size() + layer.size());
  EXPECT_EQ(observer_.layers_started, 1u);
  EXPECT_EQ(observer_.layers_finished, 1u);
  EXPECT_TRUE(observer_.notes.empty());
}

TEST_F(SaveTest, WhatIsNeededFirstComesFirst) {
  const std::string config = ConfigFor("amd64");
  std::vector<std::string> layers = {TestBytes(10, 1), TestBytes(10, 2), TestBytes(10, 3)};
  const std::string manifest = PutImage("app", {"v1"}, config, layers);
  for (std::string& layer : layers) layer = PathOf(layer);
  std::sort(layers.begin(), layers.end());
  std::vector<std::string> paths;
  for (const TarEntry& entry : ParseTar(*Save({"app:v1"}))) paths.push_back(entry.path);
  EXPECT_THAT(paths,
              ElementsAre("oci-layout", "index.json", "manifest.json", "blobs/", "blobs/sha256/",
                          PathOf(manifest), PathOf(config), layers[0], layers[1], layers[2]));
}

TEST_F(SaveTest, TheSameImagesGiveTheSameBytes) {
  PutImage("app", {"v1", "v2"}, ConfigFor("amd64"), {TestBytes(5000, 1), TestBytes(100, 2)});
  PutImage("team/tool", {"v1"}, ConfigFor("amd64"), {TestBytes(5000, 1)});
  const absl::StatusOr<std::string> first = Save({"app:v1", "team/tool:v1", "app:v2"});
  ASSERT_TRUE(first.ok()) << first.status();
  StopDaemon();
  StartDaemon();
  const absl::StatusOr<std::string> again = Save({"team/tool", "app", "app:v1"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again == *first, true) << "in whatever order they are named";
}

TEST_F(SaveTest, ASharedBlobIsThereOnceAndAnImageHasAllItsNames) {
  const std::string base = TestBytes(5000, 1);
  PutImage("app", {"v1", "v2"}, ConfigFor("amd64"), {base, TestBytes(10, 2), base});
  PutImage("reg__5000/tool", {"v1"}, ConfigFor("arm64"), {base});
  const Files files = SavedFiles({"app", "reg:5000/tool:v1"});
  EXPECT_EQ(files.size(), 3u + 2u + 2u + 2u);
  std::vector<std::string> names;
  for (const json::value& entry : IndexEntries(files)) {
    names.push_back(Text(entry.at("annotations").at("io.containerd.image.name")));
  }
  EXPECT_THAT(names, ElementsAre("docker.io/library/app:v1", "docker.io/library/app:v2",
                                 "reg:5000/tool:v1"));
  const json::value docker = json::parse(files.at("manifest.json"));
  ASSERT_EQ(docker.as_array().size(), 2u);
  EXPECT_EQ(json::serialize(docker.at(0).at("RepoTags")), "[\"app:v1\",\"app:v2\"]");
  EXPECT_EQ(docker.at(0).at("Layers").as_array().size(), 3u);
  EXPECT_EQ(Text(docker.at(0).at("Layers").at(2)), PathOf(base));
  EXPECT_EQ(json::serialize(docker.at(1).at("RepoTags")), "[\"reg:5000/tool:v1\"]");
}

TEST_F(SaveTest, ADigestOrAnIdSavesWithoutAName) {
  const std::string config = ConfigFor("amd64");
  const std::string digest = Sha256Of(PutImage("app", {"v1"}, config, {"layer"})).ToString();
  const std::string id = Sha256Of(config).ToString();
  for (const std::string& name :
       {"app@" + digest, "app:v1@" + digest, id, id.substr(7, 12), id.substr(0, 20)}) {
    const Files files = SavedFiles({name});
    ASSERT_EQ(files.count("index.json"), 1u) << name;
    EXPECT_EQ(IndexEntries(files)[0].as_object().count("annotations"), 0u);
    EXPECT_EQ(Text(IndexEntries(files)[0].at("digest")), digest);
    EXPECT_TRUE(json::parse(files.at("manifest.json")).at(0).at("RepoTags").is_null());
  }
}

TEST_F(SaveTest, AnIndexIsSavedWholeAndDockerGetsThisMachinesChild) {
  PutIndex("multi", "v1");
  const Files files = SavedFiles({"multi:v1"});
  for (const std::string& manifest : {index_, here_, other_, attestation_}) {
    EXPECT_EQ(files.count(PathOf(manifest)), 1u);
  }
  ASSERT_EQ(IndexEntries(files).size(), 1u);
  EXPECT_EQ(Text(IndexEntries(files)[0].at("digest")), Sha256Of(index_).ToString());
  const json::value docker = json::parse(files.at("manifest.json"));
  ASSERT_EQ(docker.as_array().size(), 1u);
  EXPECT_EQ(Text(docker.at(0).at("Config")), PathOf(ConfigFor(MachinePlatform().architecture)));
  EXPECT_EQ(docker.at(0).at("Layers").as_array().size(), 2u);
}

TEST_F(SaveTest, APlatformSavesItsChildAsTheImage) {
  PutIndex("multi", "v1");
  const Files files = SavedFiles({"multi:v1"}, "linux/s390x");
  EXPECT_EQ(files.size(), 3u + 3u);
  const json::value entry = IndexEntries(files).at(0);
  EXPECT_EQ(Text(entry.at("digest")), Sha256Of(other_).ToString());
  EXPECT_EQ(Text(entry.at("annotations").at("org.opencontainers.image.ref.name")), "v1");
  const absl::Status none = Save({"multi:v1"}, "linux/riscv64").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(none.message()), HasSubstr("only for linux/s390x, linux/"));
  EXPECT_EQ(Save({"multi:v1"}, "unknown/unknown").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SaveTest, APlatformMustBeThatOfASingleImageToo) {
  PutImage("app", {"v1"}, ConfigFor("arm64"), {"layer"});
  EXPECT_TRUE(Save({"app:v1"}, "linux/arm64/v8").ok());
  EXPECT_EQ(Save({"app:v1"}, "linux/amd64").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Save({"app:v1"}).ok());
}

TEST_F(SaveTest, AbsentChildrenAreNamed) {
  PutIndex("multi", "v1");
  // Before the index has its tag back: what a tagged one lists is not deleted.
  const Digest index = client_->StatManifest("multi", std::string("v1"))->digest;
  ASSERT_TRUE(store_->manifests.Untag("multi", "v1", false).ok());
  const absl::Status deleted = store_->manifests.DeleteManifest("multi", Sha256Of(other_));
  ASSERT_TRUE(deleted.ok()) << deleted;
  ASSERT_TRUE(store_->manifests.Tag("multi", "v1", index).ok());
  const absl::Status status = Save({"multi:v1"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(Sha256Of(other_).ToString() + " (linux/s390x)"));
  EXPECT_EQ(Save({"multi:v1"}, "linux/s390x").status().code(), absl::StatusCode::kNotFound);
  const Files files = SavedFiles({"multi:v1"}, "linux/" + MachinePlatform().architecture);
  EXPECT_EQ(files.count(PathOf(here_)), 1u);
}

TEST_F(SaveTest, WhatNotEverybodyCanReadIsNoted) {
  PutImage("zstd", {"v1"}, ConfigFor("amd64"), {"layer"}, std::string(kLayerType) + "+zstd");
  ASSERT_TRUE(Save({"zstd:v1"}).ok());
  ASSERT_EQ(observer_.notes.size(), 1u);
  EXPECT_THAT(observer_.notes[0], HasSubstr("zstd:v1 has layers compressed with zstd"));
  PutBlob("chart", "{}");
  PutManifest("chart", {"v1"},
              ManifestOf(Described("application/vnd.example.chart+json", "{}"), {}));
  const Files files = SavedFiles({"chart:v1"});
  EXPECT_EQ(files.count("manifest.json"), 0u);
  EXPECT_EQ(files.count("index.json"), 1u);
  ASSERT_EQ(observer_.notes.size(), 2u);
  EXPECT_THAT(observer_.notes[1], HasSubstr("chart:v1 is no image that docker can load"));
}

TEST_F(SaveTest, ALayerThatLiesElsewhereMayBeAbsent) {
  PutBlob("app", ConfigFor("amd64"));
  PutBlob("app", "layer");
  PutManifest("app", {"v1"},
              ManifestOf(Described(kConfigType, ConfigFor("amd64")),
                         {Described("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                                    "elsewhere", ",\"urls\":[\"https://example.com/layer\"]"),
                          Described(kLayerType, "layer")}));
  const Files files = SavedFiles({"app:v1"});
  EXPECT_EQ(files.count(PathOf(std::string("elsewhere"))), 0u);
  EXPECT_EQ(files.count(PathOf(std::string("layer"))), 1u);
  EXPECT_EQ(files.count("manifest.json"), 0u);
  ASSERT_EQ(observer_.notes.size(), 1u);
  EXPECT_THAT(observer_.notes[0], HasSubstr("docker cannot load it"));
}

// BuildKit keeps a cache as an index of layers and a config.
TEST_F(SaveTest, TheEntriesOfACacheAreSavedAsBlobs) {
  PutBlob("cache", "layer");
  PutBlob("cache", "config");
  const std::string index =
      IndexOf({Described(kLayerType, "layer"),
               Described("application/vnd.buildkit.cacheconfig.v0", "config")});
  PutManifest("cache", {"v1"}, index);
  const Files files = SavedFiles({"cache:v1"});
  EXPECT_EQ(files.size(), 2u + 3u);
  EXPECT_EQ(files.at(PathOf(std::string("layer"))), "layer");
  EXPECT_EQ(files.at(PathOf(index)), index);
}

TEST_F(SaveTest, NamesThatStandForNothing) {
  PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  const std::string absent = Sha256Of("").ToString();
  for (const std::string& name : {std::string("none"), std::string("app:v2"), "app@" + absent,
                                  absent, std::string("abcdef012345")}) {
    const absl::Status status = Save({"app:v1", name}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
  EXPECT_FALSE(ValidateSaveName("UPPER").ok());
  EXPECT_FALSE(ValidateSaveName("app@sha256:0123").ok());
  EXPECT_TRUE(ValidateSaveName("sha256:0123").ok());
  EXPECT_TRUE(ValidateSaveName(absent).ok());
}

// The store refuses such a manifest when the layer is there; this one may come later.
TEST_F(SaveTest, ASizeThatTheManifestGetsWrongIsFound) {
  PutBlob("app", ConfigFor("amd64"));
  std::string manifest =
      ManifestOf(Described(kConfigType, ConfigFor("amd64")),
                 {Described("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "layer",
                            ",\"urls\":[\"https://example.com/layer\"]")});
  manifest.replace(manifest.rfind("\"size\":5"), 8, "\"size\":6");
  PutManifest("app", {"v1"}, manifest);
  PutBlob("app", "layer");
  const absl::Status status = Save({"app:v1"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 5 bytes, but the manifest says 6"));
}

TEST(FullImageNameTest, IsTheOneThatDockerMeans) {
  EXPECT_EQ(FullImageName("app", "v1"), "docker.io/library/app:v1");
  EXPECT_EQ(FullImageName("team/app", "v1"), "docker.io/team/app:v1");
  EXPECT_EQ(FullImageName("docker.io/app", "v1"), "docker.io/library/app:v1");
  EXPECT_EQ(FullImageName("docker.io/library/app", "v1"), "docker.io/library/app:v1");
  EXPECT_EQ(FullImageName("index.docker.io/app", "v1"), "docker.io/library/app:v1");
  EXPECT_EQ(FullImageName("localhost/app", "v1"), "localhost/app:v1");
  EXPECT_EQ(FullImageName("reg__5000/app", "v1"), "reg:5000/app:v1");
  EXPECT_EQ(FullImageName("registry.example/team/app", "v1"), "registry.example/team/app:v1");
}

}  // namespace
}  // namespace varve
