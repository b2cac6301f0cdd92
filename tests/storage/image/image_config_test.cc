#include "storage/image/image_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "storage/limits.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

ParsedImageConfig Parsed(std::string_view bytes) {
  absl::StatusOr<ParsedImageConfig> config = ParseImageConfig(bytes);
  EXPECT_TRUE(config.ok()) << config.status() << " for " << bytes.substr(0, 200);
  return config.ok() ? *std::move(config) : ParsedImageConfig();
}

std::string Refusal(std::string_view bytes) {
  const absl::StatusOr<ParsedImageConfig> config = ParseImageConfig(bytes);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << bytes.substr(0, 200);
  return std::string(ToStd(config.status().message()));
}

TEST(ImageConfigTest, OfDocker) {
  const ParsedImageConfig config = Parsed(R"({
    "architecture":"arm64","variant":"v8","os":"linux","author":"A B","docker_version":"20.10.24",
    "container":"0a1b","container_config":{"Cmd":["/bin/sh"],"Labels":null},
    "created":"2022-01-01T00:00:00.5Z",
    "config":{"Env":["PATH=/bin"],"Cmd":["sh"],"Labels":{"z":"1","a":""},"OnBuild":null,
              "Healthcheck":{"Interval":30000000000}},
    "history":[{"created":"2022-01-01T00:00:00Z","created_by":"/bin/sh -c #(nop) ADD"},
               {"created_by":"/bin/sh -c #(nop) CMD","empty_layer":true,"author":"x",
                "comment":"c"}],
    "rootfs":{"type":"layers","diff_ids":["sha256:1","sha256:2"]}})");
  EXPECT_EQ(config.created_nanos, 1'640'995'200 * kNanosPerSecond + kNanosPerSecond / 2);
  EXPECT_EQ(config.platform.os, "linux");
  EXPECT_EQ(config.platform.architecture, "arm64");
  EXPECT_EQ(config.platform.variant, "v8");
  EXPECT_EQ(config.author, "A B");
  EXPECT_EQ(config.docker_version, "20.10.24");
  EXPECT_THAT(config.labels, ElementsAre(Pair("a", ""), Pair("z", "1")));
  EXPECT_EQ(config.runtime_json,
            R"({"Env":["PATH=/bin"],"Cmd":["sh"],"Labels":{"z":"1","a":""},"OnBuild":null,)"
            R"("Healthcheck":{"Interval":30000000000}})");
  EXPECT_THAT(config.diff_ids, ElementsAre("sha256:1", "sha256:2"));
  ASSERT_THAT(config.history, SizeIs(2));
  EXPECT_EQ(config.history[0].created_nanos, 1'640'995'200 * kNanosPerSecond);
  EXPECT_EQ(config.history[0].created_by, "/bin/sh -c #(nop) ADD");
  EXPECT_FALSE(config.history[0].empty_layer);
  EXPECT_EQ(config.history[1].created_nanos, std::nullopt);
  EXPECT_EQ(config.history[1].author, "x");
  EXPECT_EQ(config.history[1].comment, "c");
  EXPECT_TRUE(config.history[1].empty_layer);
}

TEST(ImageConfigTest, OfOtherBuilders) {
  // ko: reproducible, no history. buildah: local offset. kaniko: the year 1. scratch: nearly
  // nothing.
  const ParsedImageConfig ko = Parsed(
      R"({"architecture":"amd64","created":"1970-01-01T00:00:00Z","os":"linux",)"
      R"("rootfs":{"type":"layers","diff_ids":["sha256:1"]},"config":{"Entrypoint":["/ko"]}})");
  EXPECT_EQ(ko.created_nanos, 0);
  EXPECT_THAT(ko.history, IsEmpty());
  EXPECT_THAT(ko.labels, IsEmpty());
  const ParsedImageConfig buildah = Parsed(
      R"({"created":"2022-01-01T01:00:00.000000001+01:00","config":{"Labels":)"
      R"({"io.buildah.version":"1.28.2"}},"history":[{"comment":"FROM x","empty_layer":false}]})");
  EXPECT_EQ(buildah.created_nanos, 1'640'995'200 * kNanosPerSecond + 1);
  EXPECT_THAT(buildah.labels, ElementsAre(Pair("io.buildah.version", "1.28.2")));
  EXPECT_EQ(Parsed(R"({"created":"0001-01-01T00:00:00Z"})").created_nanos, std::nullopt);
  EXPECT_EQ(Parsed(R"({"created":"9999-01-01T00:00:00Z"})").created_nanos, std::nullopt);
  EXPECT_EQ(Parsed("{}").created_nanos, std::nullopt);
  EXPECT_EQ(Parsed("{}").runtime_json, "");
  EXPECT_EQ(Parsed(R"({"config":{}})").runtime_json, "{}");
}

TEST(ImageConfigTest, NullIsAbsent) {
  const ParsedImageConfig config = Parsed(
      R"({"created":null,"author":null,"os":null,"config":null,"history":null,"rootfs":null})");
  EXPECT_EQ(config.created_nanos, std::nullopt);
  EXPECT_EQ(config.runtime_json, "");
  EXPECT_THAT(config.history, IsEmpty());
  EXPECT_THAT(Parsed(R"({"config":{"Labels":null}})").labels, IsEmpty());
  EXPECT_THAT(Parsed(R"({"config":{"Labels":{"a":null}}})").labels, ElementsAre(Pair("a", "")));
  EXPECT_THAT(Parsed(R"({"rootfs":{"diff_ids":null}})").diff_ids, IsEmpty());
}

TEST(ImageConfigTest, TheLastOfAFieldThatAppearsTwiceCounts) {
  const ParsedImageConfig config =
      Parsed(R"({"os":"windows","os":"linux","config":{"Labels":{"a":"1","a":"2"}},"OS":"x"})");
  EXPECT_EQ(config.platform.os, "linux");
  EXPECT_THAT(config.labels, ElementsAre(Pair("a", "2")));
}

TEST(ImageConfigTest, WrongShapesAreRefused) {
  EXPECT_EQ(Refusal("[]"), "the config: must be a JSON object");
  EXPECT_EQ(Refusal("7"), "the config: must be a JSON object");
  for (const std::string bytes :
       {"", "{", "{}x", "{\"a\":}", "{'a':1}", "{\"a\":\"\xff\"}", "\x1f\x8b"}) {
    EXPECT_THAT(Refusal(bytes), HasSubstr("is not valid JSON")) << bytes;
  }
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {R"({"created":1})", "created: must be a string"},
      {R"({"created":"soon"})", "created: must be a time as in RFC 3339"},
      {R"({"created":""})", "created: must be a time as in RFC 3339"},
      {R"({"os":["linux"]})", "os: must be a string"},
      {R"({"architecture":{}})", "architecture: must be a string"},
      {R"({"variant":8})", "variant: must be a string"},
      {R"({"author":false})", "author: must be a string"},
      {R"({"config":"x"})", "config: must be an object"},
      {R"({"config":{"x":[{"y":-1e400}]}})", "config: has a number that is too large"},
      {R"({"config":{"x":0e400}})", "config: has a number that is too large"},
      {R"({"config":{"Labels":["a"]}})", "Labels: must be an object"},
      {R"({"config":{"Labels":{"a":1}}})", "Labels: must hold strings"},
      {R"({"rootfs":[]})", "rootfs: must be an object"},
      {R"({"rootfs":{"diff_ids":"x"}})", "diff_ids: must be an array"},
      {R"({"rootfs":{"diff_ids":[1]}})", "diff_ids: must hold strings"},
      {R"({"history":{}})", "history: must be an array"},
      {R"({"history":[1]})", "history: must hold objects"},
      {R"({"history":[{"created_by":1}]})", "created_by: must be a string"},
      {R"({"history":[{"created":"x"}]})", "created: must be a time as in RFC 3339"},
      {R"({"history":[{"empty_layer":"yes"}]})", "empty_layer: must be a boolean"},
  };
  for (const auto& [bytes, sentence] : wrong) EXPECT_EQ(Refusal(bytes), sentence) << bytes;
}

// `count` times `item`, with commas between.
std::string Repeated(std::string_view item, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i) list += StrCat(i == 0 ? "" : ",", item);
  return list;
}

TEST(ImageConfigTest, BoundedInSizeDepthAndCount) {
  const std::string open(kMaxJsonDepth + 1, '[');
  const std::string close(kMaxJsonDepth + 1, ']');
  EXPECT_THAT(Refusal(StrCat("{\"x\":", open, close, "}")), HasSubstr("is not valid JSON"));
  EXPECT_THAT(Refusal(std::string(1'000'000, '[')), HasSubstr("is not valid JSON"));
  EXPECT_THAT(Refusal(std::string(kMaxConfigBytes + 1, ' ')), HasSubstr("is larger than"));
  const auto history = [](size_t count) {
    return StrCat("{\"history\":[", Repeated("{}", count), "]}");
  };
  EXPECT_THAT(Parsed(history(kMaxConfigEntries)).history, SizeIs(kMaxConfigEntries));
  EXPECT_THAT(Refusal(history(kMaxConfigEntries + 1)), HasSubstr("more than 10000 entries"));
  EXPECT_THAT(
      Refusal(StrCat(R"({"rootfs":{"diff_ids":[)", Repeated("\"\"", kMaxConfigEntries + 1), "]}}")),
      HasSubstr("diff_ids: has more than"));
  std::string labels;
  for (size_t i = 0; i <= kMaxConfigEntries; ++i)
    labels += StrCat(i == 0 ? "" : ",", "\"", i, "\":\"\"");
  EXPECT_THAT(Refusal(StrCat(R"({"config":{"Labels":{)", labels, "}}}")),
              HasSubstr("Labels: has more than"));
}

TEST(ImageConfigTest, MemoryIsBounded) {
  // Small values take many times their text.
  const std::string many = Repeated("[]", 1'390'000);
  ASSERT_LT(many.size(), kMaxConfigBytes - 100);
  EXPECT_EQ(Refusal(StrCat("{\"x\":[", many, "]}")), "the document: has too many values");
  EXPECT_EQ(Refusal(StrCat("{\"x\":[", Repeated("{\"\":0}", 500'000), "]}")),
            "the document: has too many values");
  // One large text takes little more.
  const std::string large(kMaxConfigBytes - 100, 'x');
  EXPECT_THAT(Parsed(StrCat(R"({"config":{"Labels":{"a":")", large, "\"}}}")).labels, SizeIs(1));
}

TEST(ImageConfigTest, WhichTypesAreConfigsOfImages) {
  EXPECT_TRUE(IsImageConfigType("application/vnd.oci.image.config.v1+json"));
  EXPECT_TRUE(IsImageConfigType("application/vnd.docker.container.image.v1+json"));
  for (const std::string_view type :
       {"", "application/vnd.oci.empty.v1+json", "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.docker.plugin.v1+json"}) {
    EXPECT_FALSE(IsImageConfigType(type)) << type;
  }
}

TEST(ChildPlatformsTest, InTheOrderOfTheIndex) {
  const absl::StatusOr<std::vector<Platform>> platforms = ParseChildPlatforms(
      R"({"manifests":[{"platform":{"os":"linux","architecture":"arm","variant":"v7"}},)"
      R"({},{"platform":null},{"platform":"linux"},{"platform":{"os":1}},7,)"
      R"({"platform":{"os":"linux","architecture":"amd64"}}]})");
  ASSERT_TRUE(platforms.ok()) << platforms.status();
  ASSERT_THAT(*platforms, SizeIs(7));
  EXPECT_EQ((*platforms)[0].variant, "v7");
  for (size_t i = 1; i < 6; ++i) EXPECT_EQ((*platforms)[i].os, "") << i;
  EXPECT_EQ((*platforms)[6].architecture, "amd64");
  for (const std::string_view bytes : {"", "[]", "{}", R"({"manifests":{}})"}) {
    EXPECT_FALSE(ParseChildPlatforms(bytes).ok()) << bytes;
  }
}

}  // namespace
}  // namespace varve
