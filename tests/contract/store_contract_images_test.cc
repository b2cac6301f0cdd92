// Images as people see them: listings with filters, inspection.
#include <gmock/gmock.h>

#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/api/images.h"
#include "storage/base/str_cat.h"
#include "storage/image/image_config.h"
#include "storage/image/manifest.h"
#include "storage/image/platform.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using Code = absl::StatusCode;

constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr uint64_t kLayerBytes = 1000;

std::string DescriptorJson(std::string_view type, const Digest& digest, uint64_t size_bytes,
                           std::string_view more = "") {
  return StrCat("{\"mediaType\":\"", type, "\",\"digest\":\"", digest.ToString(),
                "\",\"size\":", size_bytes, more, "}");
}

std::string PlatformJson(const Platform& platform) {
  return StrCat(",\"platform\":{\"os\":\"", platform.os, "\",\"architecture\":\"",
                platform.architecture, "\",\"variant\":\"", platform.variant, "\"}");
}

class StoreImagesTest : public StoreContractTest {
 protected:
  struct ImageJson {
    std::string config = {};
    std::string config_type = kMediaTypeOciConfig;
    std::string media_type = kMediaTypeOciManifest;
    std::string more = {};  // further fields of the manifest
    uint64_t layers = 1;
  };
  struct Pushed {
    Digest manifest, config;
    uint64_t content_bytes = 0;
    uint64_t manifest_bytes = 0;
  };
  Pushed PushJson(std::string_view repository, const ImageJson& image,
                  std::vector<std::string> tags = {}) {
    Pushed pushed;
    pushed.config = Push(repository, image.config);
    pushed.content_bytes = image.config.size();
    std::string layers;
    for (uint64_t i = 0; i < image.layers; ++i) {
      const uint64_t size_bytes = kLayerBytes + i;
      const Digest layer = Push(repository, MakeBytes(size_bytes, i));
      layers += StrCat(i == 0 ? "" : ",", DescriptorJson(kLayerType, layer, size_bytes));
      pushed.content_bytes += size_bytes;
    }
    const std::string json = StrCat(
        "{\"schemaVersion\":2,\"mediaType\":\"", image.media_type,
        "\",\"config\":", DescriptorJson(image.config_type, pushed.config, image.config.size()),
        ",\"layers\":[", layers, "]", image.more, "}");
    pushed.manifest_bytes = json.size();
    pushed.manifest = PutManifest(repository, json, std::move(tags));
    return pushed;
  }
  // An image that differs from others by what its config says.
  Pushed PushConfig(std::string_view repository, std::string config,
                    std::vector<std::string> tags = {}) {
    return PushJson(repository, {.config = std::move(config)}, std::move(tags));
  }
  static std::string ConfigJson(std::string_view created, std::string_view labels = "",
                                const Platform& platform = {"linux", "amd64", ""}) {
    return StrCat("{\"created\":\"", created, "\",\"os\":\"", platform.os, "\",\"architecture\":\"",
                  platform.architecture, "\",\"variant\":\"", platform.variant,
                  "\",\"config\":{\"Labels\":{", labels, "}}}");
  }

  struct Child {
    Digest digest;
    uint64_t size_bytes = 0;
    std::optional<Platform> platform;
    std::string media_type = kMediaTypeOciManifest;
  };
  static std::string IndexJson(const std::vector<Child>& children, std::string_view more = "") {
    std::string list;
    for (const Child& child : children) {
      list += StrCat(list.empty() ? "" : ",",
                     DescriptorJson(child.media_type, child.digest, child.size_bytes,
                                    child.platform ? PlatformJson(*child.platform) : ""));
    }
    return StrCat("{\"schemaVersion\":2,\"mediaType\":\"", kMediaTypeOciIndex, "\",\"manifests\":[",
                  list, "]", more, "}");
  }
  Child ChildOf(const Pushed& image, std::optional<Platform> platform = std::nullopt) {
    return {image.manifest, image.manifest_bytes, std::move(platform)};
  }

  // All rows of a listing, in pages of `limit`.
  std::vector<ImageInfo> All(const ImageQuery& query, size_t limit = 1000) {
    std::vector<ImageInfo> all;
    std::string token;
    do {
      const absl::StatusOr<ImagePage> page = store().images.ListImages(query, token, limit);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return all;
      EXPECT_LE(page->images.size(), limit);
      EXPECT_TRUE(page->next_page_token.empty() || page->next_page_token != token);
      all.insert(all.end(), page->images.begin(), page->images.end());
      token = page->next_page_token;
    } while (!token.empty());
    return all;
  }
  // As "repository:tag", or "repository@" and the name that the test gave the manifest.
  std::vector<std::string> Names(const ImageQuery& query, size_t limit = 1000) {
    std::vector<std::string> names;
    for (const ImageInfo& image : All(query, limit)) {
      names.push_back(image.tag.empty()
                          ? StrCat(image.repository, "@", known_[image.manifest.digest])
                          : StrCat(image.repository, ":", image.tag));
    }
    return names;
  }
  std::vector<std::string> Filtered(std::vector<std::string> filters) {
    return Names({"", std::move(filters), true});
  }
  Code FilterCode(std::string filter) {
    return store().images.ListImages({"", {std::move(filter)}, false}, "", 10).status().code();
  }
  void Know(const Digest& digest, std::string name) { known_[digest] = std::move(name); }
  ImageInfo Only(const ImageQuery& query) {
    const std::vector<ImageInfo> all = All(query);
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? ImageInfo() : all[0];
  }
  ImageDetails Inspect(std::string_view repository, const ManifestReference& reference,
                       std::string_view platform = "") {
    absl::StatusOr<ImageDetails> details =
        store().images.InspectImage(repository, reference, platform);
    EXPECT_TRUE(details.ok()) << details.status();
    return details.ok() ? *std::move(details) : ImageDetails();
  }

  absl::flat_hash_map<Digest, std::string> known_;
};

TEST_P(StoreImagesTest, TagsThenDanglingInEveryRepositoryInPagesOfAnySize) {
  const Image one = PushImage("a", 1, {"v1", "v2"});
  const Image moved = PushImage("a", 2);
  Know(moved.manifest, "moved");
  PushImage("a/b", 3, {"latest"});
  Know(PushImage("b", 4).manifest, "loose");
  Push("only/blobs", "bytes");
  PushImage("z", 5, {"1"});
  for (const size_t limit : std::vector<size_t>{1, 2, 3, 5, 6, 7, 5000}) {
    SCOPED_TRACE(limit);
    EXPECT_THAT(Names({}, limit),
                ElementsAre("a:v1", "a:v2", "a@moved", "a/b:latest", "b@loose", "z:1"));
    EXPECT_THAT(Names({"a", {}, false}, limit), ElementsAre("a:v1", "a:v2", "a@moved"));
    EXPECT_THAT(Names({"b", {}, true}, limit), ElementsAre("b@loose"));
  }
  EXPECT_THAT(Names({"only/blobs", {}, true}), IsEmpty());
  EXPECT_EQ(store().images.ListImages({"none", {}, false}, "", 10).status().code(),
            Code::kNotFound);
  EXPECT_EQ(store().images.ListImages({"Bad Name", {}, false}, "", 10).status().code(),
            Code::kInvalidArgument);
}

TEST_P(StoreImagesTest, AFullPageIsTheLastWhenNothingFollows) {
  PushImage("a", 1, {"v1", "v2"});
  EXPECT_EQ(store().images.ListImages({}, "", 2)->next_page_token, "");
  const absl::StatusOr<ImagePage> page = store().images.ListImages({}, "", 1);
  ASSERT_TRUE(page.ok());
  EXPECT_NE(page->next_page_token, "");
  EXPECT_EQ(store().images.ListImages({}, page->next_page_token, 1)->next_page_token, "");
}

TEST_P(StoreImagesTest, RowsThatComeAndGoBetweenPagesDisturbNoOthers) {
  const Image image = PushImage("a", 1, {"v1", "v2", "v4"});
  const Image other = PushImage("b", 2, {"x"});
  const absl::StatusOr<ImagePage> page = store().images.ListImages({}, "", 2);
  ASSERT_TRUE(page.ok());
  ASSERT_TRUE(store().manifests.Untag("a", "v2", false).ok());
  ASSERT_TRUE(store().manifests.Tag("a", "v0", image.manifest).ok());
  ASSERT_TRUE(store().manifests.Tag("a", "v3", image.manifest).ok());
  const absl::StatusOr<ImagePage> rest = store().images.ListImages({}, page->next_page_token, 10);
  ASSERT_TRUE(rest.ok());
  std::vector<std::string> tags;
  for (const ImageInfo& row : rest->images) tags.push_back(row.tag);
  EXPECT_THAT(tags, ElementsAre("v3", "v4", "x"));
}

TEST_P(StoreImagesTest, TokensThatNoPageGave) {
  PushImage("a", 1, {"v1"});
  PushImage("b", 2, {"v1"});
  const std::vector<std::string> tokens = {"x",
                                           "A:",
                                           "a:b/c",
                                           "a@b",
                                           ":",
                                           "@",
                                           "a:v1@v1",
                                           std::string("a:\0", 3),
                                           std::string(100'000, 'a')};
  for (const std::string& token : tokens) {
    EXPECT_EQ(store().images.ListImages({}, token, 10).status().code(), Code::kInvalidArgument)
        << token;
  }
  EXPECT_EQ(store().images.ListImages({"a", {}, false}, "b:v1", 10).status().code(),
            Code::kInvalidArgument);
  EXPECT_THAT(store().images.ListImages({}, "a:v1", 10)->images, SizeIs(1));
  EXPECT_THAT(store().images.ListImages({}, "z:v1", 10)->images, IsEmpty());
}

TEST_P(StoreImagesTest, WhatAnIndexListsOrRefersToAnotherImageIsShownWithAllOnly) {
  const Pushed child = PushConfig("app", ConfigJson("2020-01-01T00:00:00Z"));
  Know(child.manifest, "child");
  const Digest index = PutManifest("app", IndexJson({ChildOf(child)}), {"v1"});
  const Pushed referrer =
      PushJson("app", {.config = "{}",
                       .config_type = kMediaTypeOciEmpty,
                       .more = StrCat(",\"artifactType\":\"application/x\",\"subject\":",
                                      DescriptorJson(kMediaTypeOciIndex, index, 7))});
  Know(referrer.manifest, "referrer");
  EXPECT_THAT(Names({}), ElementsAre("app:v1"));
  EXPECT_THAT(Names({"", {}, true}), UnorderedElementsAre("app:v1", "app@child", "app@referrer"));
  EXPECT_THAT(Filtered({"dangling=true"}), IsEmpty());
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  Know(index, "index");
  EXPECT_THAT(Names({}), ElementsAre("app@index"));
  EXPECT_THAT(Filtered({"dangling=true"}), ElementsAre("app@index"));
  EXPECT_THAT(Filtered({"dangling=false"}), UnorderedElementsAre("app@child", "app@referrer"));
  EXPECT_THAT(Names({"", {"dangling=false"}, false}), IsEmpty());
}

TEST_P(StoreImagesTest, WhatATagAttachesToAnImageIsShownWithAllOnly) {
  const Pushed image = PushConfig("app", ConfigJson("2020-01-01T00:00:00Z"), {"v1"});
  std::string attached = image.manifest.ToString();
  attached[attached.find(':')] = '-';
  const Pushed signature =
      PushConfig("app", "{}", {attached, StrCat(attached, ".sig"), StrCat(attached, ".x.y")});
  for (const size_t limit : std::vector<size_t>{1, 2, 1000}) {
    SCOPED_TRACE(limit);
    EXPECT_THAT(Names({}, limit), ElementsAre("app:v1"));
    EXPECT_THAT(Names({"app", {"reference=app:*"}, false}, limit), ElementsAre("app:v1"));
    EXPECT_THAT(Names({"", {}, true}, limit),
                ElementsAre(StrCat("app:", attached), StrCat("app:", attached, ".sig"),
                            StrCat("app:", attached, ".x.y"), "app:v1"));
  }
  // A name that a person gave is shown, and so is what is attached to nothing here.
  ASSERT_TRUE(store().manifests.Tag("app", "signed", signature.manifest).ok());
  ASSERT_TRUE(store().images.TagFrom("app", signature.manifest, "copy", attached).ok());
  EXPECT_THAT(Names({}), ElementsAre("app:signed", "app:v1", StrCat("copy:", attached)));
}

TEST_P(StoreImagesTest, ATagElsewhereKeepsAnImageFromDangling) {
  const Pushed here = PushConfig("a", ConfigJson("2020-01-01T00:00:00Z"));
  Know(here.manifest, "image");
  EXPECT_THAT(Names({}), ElementsAre("a@image"));
  PushConfig("b", ConfigJson("2020-01-01T00:00:00Z"), {"v1"});
  EXPECT_THAT(Names({}), ElementsAre("b:v1"));
  EXPECT_THAT(Names({"", {}, true}), ElementsAre("a@image", "b:v1"));
  EXPECT_THAT(Filtered({"dangling=true"}), IsEmpty());
  EXPECT_THAT(Filtered({"dangling=false"}), ElementsAre("a@image", "b:v1"));
}

TEST_P(StoreImagesTest, FiltersByLabelNameAndTime) {
  PushConfig("app", ConfigJson("2020-01-01T00:00:00Z", R"("stage":"test","keep":"")"), {"old"});
  PushConfig("app", ConfigJson("2022-01-01T00:00:00Z", R"("stage":"prod")"), {"new"});
  PushConfig("tool/x", ConfigJson("2021-01-01T00:00:00Z"), {"1"});
  EXPECT_THAT(Filtered({"label=stage"}), ElementsAre("app:new", "app:old"));
  EXPECT_THAT(Filtered({"label=stage=test"}), ElementsAre("app:old"));
  EXPECT_THAT(Filtered({"label=stage", "label=keep"}), ElementsAre("app:old"));
  EXPECT_THAT(Filtered({"label!=stage=prod"}), ElementsAre("app:old", "tool/x:1"));
  EXPECT_THAT(Filtered({"label!=stage", "label!=keep"}), ElementsAre("app:new", "tool/x:1"));
  EXPECT_THAT(Filtered({"reference=app"}), ElementsAre("app:new", "app:old"));
  EXPECT_THAT(Filtered({"reference=app:o*"}), ElementsAre("app:old"));
  EXPECT_THAT(Filtered({"reference=*/*", "reference=*:new"}), ElementsAre("app:new", "tool/x:1"));
  EXPECT_THAT(Filtered({"until=2021-01-01T00:00:00Z"}), ElementsAre("app:old", "tool/x:1"));
  EXPECT_THAT(Filtered({"until=2020-12-31Z", "label=stage=prod"}), IsEmpty());
  EXPECT_EQ(FilterCode("nonsense=1"), Code::kInvalidArgument);
  EXPECT_EQ(FilterCode("dangling=maybe"), Code::kInvalidArgument);
  EXPECT_EQ(FilterCode("label"), Code::kInvalidArgument);
  EXPECT_EQ(FilterCode("reference=["), Code::kInvalidArgument);
}

TEST_P(StoreImagesTest, BeforeAndSinceNameAnImage) {
  PushConfig("app", ConfigJson("2020-01-01T00:00:00Z"), {"a"});
  const Pushed middle = PushConfig("app", ConfigJson("2021-01-01T00:00:00Z"), {"b"});
  PushConfig("app", ConfigJson("2022-01-01T00:00:00Z"), {"c"});
  EXPECT_THAT(Filtered({"before=app:b"}), ElementsAre("app:a"));
  EXPECT_THAT(Filtered({"since=app:b"}), ElementsAre("app:c"));
  EXPECT_THAT(Filtered({"since=app:a", "before=app:c"}), ElementsAre("app:b"));
  EXPECT_THAT(Filtered({"since=app:a", "since=app:b"}), ElementsAre("app:c"));
  EXPECT_THAT(Filtered({StrCat("before=", middle.config.ToString())}), ElementsAre("app:a"));
  // NotFound would say that the listing is empty.
  EXPECT_EQ(FilterCode("before=app:none"), Code::kInvalidArgument);
  EXPECT_EQ(FilterCode("since=none"), Code::kInvalidArgument);
}

TEST_P(StoreImagesTest, WithoutATimeOfCreationThatOfThePushCounts) {
  PushConfig("app", ConfigJson("0001-01-01T00:00:00Z"), {"v1"});
  EXPECT_EQ(Only({}).created_nanos, std::nullopt);
  EXPECT_THAT(Filtered({"until=1h"}), IsEmpty());
  under_test().Advance(2 * kHour);
  EXPECT_THAT(Filtered({"until=1h"}), ElementsAre("app:v1"));
}

TEST_P(StoreImagesTest, WhatARowSays) {
  const Pushed image =
      PushConfig("app", ConfigJson("2022-01-01T00:00:00Z", "", {"linux", "arm", "v6"}), {"v1"});
  ImageInfo row = Only({});
  EXPECT_EQ(row.manifest.digest, image.manifest);
  EXPECT_EQ(row.manifest.media_type, kMediaTypeOciManifest);
  EXPECT_EQ(row.manifest.config, image.config);
  EXPECT_EQ(row.manifest.size_bytes, image.manifest_bytes);
  EXPECT_EQ(row.total_bytes, image.content_bytes);
  EXPECT_EQ(row.created_nanos, 1'640'995'200 * kSecond);
  EXPECT_EQ(row.platform.os, "linux");
  EXPECT_EQ(row.platform.architecture, "arm");
  EXPECT_EQ(row.platform.variant, "v6");
  EXPECT_GT(row.tagged_nanos, 0);
  EXPECT_EQ(row.pulled_nanos, 0);
  Inspect("app", "v1");
  Reclaim();
  EXPECT_EQ(Only({}).pulled_nanos, 0);
  ASSERT_TRUE(store().manifests.GetManifest("app", "v1").ok());
  Reclaim();
  EXPECT_GT(Only({}).pulled_nanos, 0);
}

TEST_P(StoreImagesTest, DockerSchema2) {
  const Pushed image = PushJson("app",
                                {.config = ConfigJson("2022-01-01T00:00:00Z", R"("a":"1")"),
                                 .config_type = kMediaTypeDockerConfig,
                                 .media_type = kMediaTypeDockerManifest},
                                {"v1"});
  EXPECT_EQ(Only({}).created_nanos, 1'640'995'200 * kSecond);
  EXPECT_THAT(Filtered({"label=a"}), ElementsAre("app:v1"));
  EXPECT_EQ(Inspect("app", "v1").config, image.config);
}

TEST_P(StoreImagesTest, AnIndexIsDescribedByItsChildForThisMachine) {
  const Pushed other =
      PushConfig("app", ConfigJson("2020-01-01T00:00:00Z", "", {"plan9", "mips", ""}));
  const Pushed unknown =
      PushConfig("app", ConfigJson("2019-01-01T00:00:00Z", "", {"unknown", "unknown", ""}));
  const Pushed mine = PushConfig("app", ConfigJson("2021-01-01T00:00:00Z", "", MachinePlatform()));
  const auto index = [&](const std::vector<Child>& children) {
    PutManifest("app", IndexJson(children), {"v1"});
    return Only({"", {"reference=app:v1"}, false});
  };
  const ImageInfo row = index({ChildOf(unknown, Platform{"unknown", "unknown", ""}),
                               ChildOf(other, Platform{"plan9", "mips", ""}),
                               ChildOf(mine, MachinePlatform()), ChildOf(mine, MachinePlatform())});
  EXPECT_EQ(row.created_nanos, 1'609'459'200 * kSecond);
  EXPECT_EQ(row.platform.architecture, MachinePlatform().architecture);
  EXPECT_EQ(row.total_bytes, unknown.content_bytes + other.content_bytes + mine.content_bytes);
  EXPECT_EQ(row.manifest.media_type, kMediaTypeOciIndex);
  // An index that states no platforms: the configs do.
  EXPECT_EQ(index({ChildOf(other), ChildOf(mine)}).created_nanos, 1'609'459'200 * kSecond);
  // None for this machine: the first that is an image.
  EXPECT_EQ(index({ChildOf(unknown, Platform{"unknown", "unknown", ""}),
                   ChildOf(other, Platform{"plan9", "mips", ""})})
                .created_nanos,
            1'577'836'800 * kSecond);
  const ImageInfo empty = index({});
  EXPECT_EQ(empty.created_nanos, std::nullopt);
  EXPECT_EQ(empty.total_bytes, 0u);
}

TEST_P(StoreImagesTest, AnIndexWithinAnIndex) {
  const Pushed mine = PushConfig("app", ConfigJson("2021-01-01T00:00:00Z", "", MachinePlatform()));
  const Pushed other =
      PushConfig("app", ConfigJson("2020-01-01T00:00:00Z", "", {"plan9", "mips", ""}));
  const std::string inner_json = IndexJson({ChildOf(mine, MachinePlatform())});
  const Digest inner = PutManifest("app", inner_json);
  std::vector<Child> children = {ChildOf(other, Platform{"plan9", "mips", ""}),
                                 {inner, inner_json.size(), std::nullopt, kMediaTypeOciIndex}};
  const Digest outer = PutManifest("app", IndexJson(children), {"v1"});
  const ImageInfo row = Only({});
  EXPECT_EQ(row.created_nanos, 1'609'459'200 * kSecond);
  EXPECT_EQ(row.total_bytes, mine.content_bytes + other.content_bytes);
  const ImageDetails details = Inspect("app", outer);
  EXPECT_EQ(details.described, mine.manifest);
  ASSERT_THAT(details.children, SizeIs(2));
  EXPECT_EQ(details.children[1].total_bytes, mine.content_bytes);
  // Deeper than anybody follows: no answer may hang or fail.
  Digest deep = outer;
  size_t deep_bytes = IndexJson(children).size();
  for (int i = 0; i < 20; ++i) {
    const std::string json = IndexJson({{deep, deep_bytes, std::nullopt, kMediaTypeOciIndex}});
    deep = PutManifest("app", json);
    deep_bytes = json.size();
  }
  EXPECT_EQ(Inspect("app", deep).described, std::nullopt);
}

TEST_P(StoreImagesTest, AChildThatIsNotHere) {
  StoreSettings settings;
  settings.accept_sparse_index = true;
  Make(settings);
  const Pushed here =
      PushConfig("app", ConfigJson("2020-01-01T00:00:00Z", "", {"plan9", "mips", ""}));
  const Child absent{Sha256("absent"), 7, MachinePlatform()};
  const Digest index =
      PutManifest("app", IndexJson({absent, ChildOf(here, Platform{"plan9", "mips", ""})}), {"v1"});
  const ImageInfo row = Only({});
  EXPECT_EQ(row.total_bytes, here.content_bytes);
  EXPECT_EQ(row.created_nanos, 1'577'836'800 * kSecond);
  const ImageDetails details = Inspect("app", "v1");
  EXPECT_EQ(details.image.manifest.digest, index);
  ASSERT_THAT(details.children, SizeIs(2));
  EXPECT_FALSE(details.children[0].present);
  EXPECT_EQ(details.children[0].total_bytes, 0u);
  EXPECT_EQ(details.children[0].platform.os, "linux");
  EXPECT_TRUE(details.children[1].present);
  EXPECT_EQ(details.described, here.manifest);
  // It is listed, but there is nothing of it to describe.
  const std::string mine = StrCat("linux/", MachinePlatform().architecture);
  EXPECT_EQ(Inspect("app", "v1", mine).described, std::nullopt);
  EXPECT_EQ(store().images.InspectImage("app", "v1", "windows/amd64").status().code(),
            Code::kNotFound);
}

TEST_P(StoreImagesTest, AnArtifactHasLayersAndNothingElseOfAnImage) {
  const Pushed chart = PushJson("charts/x",
                                {.config = R"({"name":"x","created":"2020-01-01T00:00:00Z"})",
                                 .config_type = "application/vnd.cncf.helm.config.v1+json"},
                                {"1.0"});
  const ImageInfo row = Only({});
  EXPECT_EQ(row.created_nanos, std::nullopt);
  EXPECT_EQ(row.platform.os, "");
  EXPECT_EQ(row.total_bytes, chart.content_bytes);
  EXPECT_THAT(Filtered({"label=a"}), IsEmpty());
  EXPECT_THAT(Filtered({"label!=a"}), ElementsAre("charts/x:1.0"));
  const ImageDetails details = Inspect("charts/x", "1.0");
  EXPECT_EQ(details.described, chart.manifest);
  EXPECT_EQ(details.config, chart.config);
  ASSERT_THAT(details.layers, SizeIs(1));
  EXPECT_EQ(details.layers[0].size_bytes, kLayerBytes);
  EXPECT_EQ(details.layers[0].diff_id, "");
  EXPECT_EQ(details.runtime_json, "");
  EXPECT_THAT(details.history, IsEmpty());
  EXPECT_THAT(details.references, ElementsAre("charts/x:1.0"));
  // An image that also names its type is still one.
  const Pushed typed = PushJson(
      "typed",
      {.config = ConfigJson("2020-01-01T00:00:00Z"), .more = R"(,"artifactType":"application/x")"},
      {"1"});
  EXPECT_EQ(Inspect("typed", "1").described, typed.manifest);
  EXPECT_NE(Only({"typed", {}, false}).created_nanos, std::nullopt);
}

TEST_P(StoreImagesTest, AConfigThatIsNoneNeverFailsTheListing) {
  for (const std::string config : {"", "junk", "[]", R"({"created":"soon"})", R"({"config":7})"}) {
    SCOPED_TRACE(config);
    Make({});
    const Pushed image = PushConfig("app", config, {"v1"});
    const ImageInfo row = Only({});
    EXPECT_EQ(row.created_nanos, std::nullopt);
    EXPECT_EQ(row.total_bytes, image.content_bytes);
    // Nobody knows its labels: no filter for labels may choose it.
    EXPECT_THAT(Filtered({"label=a"}), IsEmpty());
    EXPECT_THAT(Filtered({"label!=a"}), IsEmpty());
    const ImageDetails details = Inspect("app", "v1");
    EXPECT_EQ(details.described, image.manifest);
    EXPECT_THAT(details.layers, SizeIs(1));
    EXPECT_EQ(details.runtime_json, "");
  }
}

TEST_P(StoreImagesTest, LostFilesNeverFailTheListing) {
  // Large enough for files of their own.
  const std::string large(100'000, 'x');
  PushJson("app",
           {.config = ConfigJson("2020-01-01T00:00:00Z", StrCat("\"a\":\"", large, "\"")),
            .more = StrCat(R"(,"annotations":{"a":")", large, "\"}")},
           {"v1"});
  PushConfig("app", ConfigJson("2021-01-01T00:00:00Z"), {"v2"});
  EXPECT_THAT(Filtered({"label=a"}), ElementsAre("app:v1"));
  for (const std::string& path : under_test().BlobFiles()) {
    ASSERT_TRUE(under_test().disk().Remove(path).ok());
  }
  const std::vector<ImageInfo> rows = All({});
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].created_nanos, std::nullopt);
  EXPECT_EQ(rows[1].created_nanos, 1'609'459'200 * kSecond);
  const absl::Status lost = store().images.InspectImage("app", "v1", "").status();
  EXPECT_EQ(lost.code(), Code::kNotFound);
  EXPECT_THAT(std::string(lost.message()), HasSubstr("lost or damaged"));
}

TEST_P(StoreImagesTest, InspectTellsWhatTheConfigSays) {
  const std::string config = R"({"os":"linux","architecture":"amd64","author":"me",
      "docker_version":"20.10","config":{"Env":["A=1"],"Labels":{"l":"1"}},
      "rootfs":{"diff_ids":["sha256:d0","sha256:d1"]},
      "history":[{"created_by":"ADD","created":"2020-01-01T00:00:00Z"},
                 {"created_by":"CMD","empty_layer":true},{"created_by":"RUN","comment":"c"}]})";
  const Pushed image = PushJson(
      "app", {.config = config, .more = R"(,"annotations":{"n":"v"})", .layers = 2}, {"v1", "v2"});
  ASSERT_TRUE(store().manifests.Tag("app", "v0", image.manifest).ok());
  PushJson("b", {.config = config, .more = R"(,"annotations":{"n":"v"})", .layers = 2}, {"x"});
  const ImageDetails details = Inspect("app", "v1");
  EXPECT_EQ(details.image.repository, "app");
  EXPECT_EQ(details.image.tag, "v1");
  EXPECT_GT(details.image.tagged_nanos, 0);
  EXPECT_EQ(details.image.manifest.digest, image.manifest);
  EXPECT_THAT(details.references, ElementsAre("app:v0", "app:v1", "app:v2", "b:x"));
  EXPECT_EQ(details.annotations_json, R"({"n":"v"})");
  EXPECT_EQ(details.described, image.manifest);
  EXPECT_EQ(details.config, image.config);
  EXPECT_EQ(details.author, "me");
  EXPECT_EQ(details.docker_version, "20.10");
  EXPECT_EQ(details.runtime_json, R"({"Env":["A=1"],"Labels":{"l":"1"}})");
  EXPECT_THAT(details.labels, ElementsAre(Pair("l", "1")));
  ASSERT_THAT(details.layers, SizeIs(2));
  EXPECT_EQ(details.layers[0].size_bytes, kLayerBytes);
  EXPECT_EQ(details.layers[0].media_type, kLayerType);
  EXPECT_EQ(details.layers[0].diff_id, "sha256:d0");
  EXPECT_EQ(details.layers[1].diff_id, "sha256:d1");
  ASSERT_THAT(details.history, SizeIs(3));
  EXPECT_EQ(details.history[0].created_by, "ADD");
  EXPECT_EQ(details.history[0].created_nanos, 1'577'836'800 * kSecond);
  EXPECT_EQ(details.history[0].size_bytes, kLayerBytes);
  EXPECT_TRUE(details.history[1].empty_layer);
  EXPECT_EQ(details.history[1].size_bytes, 0u);
  EXPECT_EQ(details.history[2].size_bytes, kLayerBytes + 1);
  EXPECT_EQ(details.history[2].comment, "c");
  const ImageDetails by_digest = Inspect("app", image.manifest);
  EXPECT_EQ(by_digest.image.tag, "");
  EXPECT_EQ(by_digest.image.tagged_nanos, 0);
  EXPECT_EQ(by_digest.references, details.references);
}

TEST_P(StoreImagesTest, InspectChoosesThePlatformOfAnIndex) {
  const Pushed arm =
      PushConfig("app", ConfigJson("2020-01-01T00:00:00Z", R"("p":"arm")", {"linux", "arm", "v7"}));
  const Pushed s390 = PushConfig(
      "app", ConfigJson("2021-01-01T00:00:00Z", R"("p":"s390x")", {"linux", "s390x", ""}));
  const Digest index =
      PutManifest("app",
                  IndexJson({ChildOf(arm, Platform{"linux", "arm", "v7"}), ChildOf(s390)},
                            R"(,"annotations":{"of":"index"})"),
                  {"v1"});
  EXPECT_EQ(Inspect("app", "v1", "linux/arm").described, arm.manifest);
  EXPECT_EQ(Inspect("app", "v1", "linux/arm/v7").described, arm.manifest);
  const ImageDetails details = Inspect("app", "v1", "Linux/s390x");
  EXPECT_EQ(details.described, s390.manifest);
  EXPECT_EQ(details.config, s390.config);
  EXPECT_EQ(details.image.manifest.digest, index);
  EXPECT_EQ(details.annotations_json, R"({"of":"index"})");
  EXPECT_THAT(details.labels, ElementsAre(Pair("p", "s390x")));
  ASSERT_THAT(details.children, SizeIs(2));
  EXPECT_EQ(details.children[0].digest, arm.manifest);
  EXPECT_EQ(details.children[0].media_type, kMediaTypeOciManifest);
  EXPECT_EQ(details.children[0].size_bytes, arm.manifest_bytes);
  EXPECT_EQ(details.children[0].platform.variant, "v7");
  EXPECT_EQ(details.children[0].total_bytes, arm.content_bytes);
  EXPECT_EQ(store().images.InspectImage("app", "v1", "linux/arm/v5").status().code(),
            Code::kNotFound);
  EXPECT_EQ(store().images.InspectImage("app", "v1", "linux").status().code(),
            Code::kInvalidArgument);
}

TEST_P(StoreImagesTest, InspectOfWhatIsNotThere) {
  const Image image = PushImage("app", 1, {"v1"});
  PushImage("other", 2, {"v1"});
  EXPECT_EQ(store().images.InspectImage("none", "v1", "").status().code(), Code::kNotFound);
  EXPECT_EQ(store().images.InspectImage("app", "v2", "").status().code(), Code::kNotFound);
  EXPECT_EQ(store().images.InspectImage("other", image.manifest, "").status().code(),
            Code::kNotFound);
  EXPECT_EQ(store().images.InspectImage("app", image.layer, "").status().code(), Code::kNotFound);
  EXPECT_EQ(store().images.InspectImage("app", "bad tag", "").status().code(),
            Code::kInvalidArgument);
  EXPECT_EQ(store().images.InspectImage("", "v1", "").status().code(), Code::kInvalidArgument);
}

TEST_P(StoreImagesTest, ARepositoryIsDescribedByItsCounts) {
  EXPECT_EQ(store().manifests.DescribeRepository("app").status().code(), Code::kNotFound);
  const Image image = PushImage("app", 1, {"v1", "v2"});
  PushImage("app", 2);
  PushImage("app2", 3, {"v1"});
  const absl::StatusOr<RepositoryInfo> info = store().manifests.DescribeRepository("app");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->name, "app");
  EXPECT_EQ(info->tags, 2u);
  EXPECT_EQ(info->manifests, 2u);
  EXPECT_GT(info->created_nanos, 0);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreImagesTest,
                         testing::ValuesIn(StoresThat(Ability::kListImages)), StoreName);

}  // namespace
}  // namespace varve
