#include "storage/image/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The digest text that is `c` repeated, or for numbers their 64 digits.
std::string DigestOf(char c) { return StrCat("sha256:", std::string(64, c)); }
std::string DigestOf(size_t number) {
  const std::string digits = StrCat(number);
  return StrCat("sha256:", std::string(64 - digits.size(), '0'), digits);
}

std::string DescriptorJson(std::string_view type, std::string_view digest, std::string_view size,
                           std::string_view more = "") {
  return StrCat(R"({"mediaType":")", type, R"(","digest":")", digest, R"(","size":)", size, more,
                "}");
}

constexpr char kOciLayer[] = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";

std::string ConfigJson() { return DescriptorJson(kOciConfig, DigestOf('c'), "7023"); }
std::string LayerJson(std::string_view more = "") {
  return DescriptorJson(kOciLayer, DigestOf('a'), "32654", more);
}
// An OCI image manifest with `more` fields (", …") at its end.
std::string ImageJson(std::string_view more = "") {
  return StrCat(R"({"schemaVersion":2,"mediaType":")", kMediaTypeOciManifest, R"(","config":)",
                ConfigJson(), R"(,"layers":[)", LayerJson(), "]", more, "}");
}
std::string ImageWithLayers(std::string_view layers) {
  return StrCat(R"({"schemaVersion":2,"config":)", ConfigJson(), R"(,"layers":)", layers, "}");
}
std::string IndexJson(std::string_view more = "") {
  return StrCat(R"({"schemaVersion":2,"mediaType":")", kMediaTypeOciIndex, R"(","manifests":[)",
                DescriptorJson(kMediaTypeOciManifest, DigestOf('1'), "428"), "]", more, "}");
}

ParsedManifest Parsed(std::string_view bytes, std::string_view content_type = "") {
  absl::StatusOr<ParsedManifest> manifest = ParseManifest(bytes, content_type);
  EXPECT_TRUE(manifest.ok()) << manifest.status() << " for " << bytes;
  return manifest.ok() ? *std::move(manifest) : ParsedManifest();
}

// The sentence with which `bytes` are refused; fails the test when they are accepted.
std::string Refusal(std::string_view bytes, std::string_view content_type = "") {
  const absl::StatusOr<ParsedManifest> manifest = ParseManifest(bytes, content_type);
  EXPECT_EQ(manifest.status().code(), absl::StatusCode::kInvalidArgument) << bytes.substr(0, 300);
  return std::string(manifest.status().message());
}

// --- what real tools push ---------------------------------------------------------------------

TEST(ManifestOfTools, DockerPush) {
  const ParsedManifest manifest = Parsed(R"({
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 1457,
      "digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111"
   },
   "layers": [
      {
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 772792,
         "digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222"
      },
      {
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 32,
         "digest": "sha256:3333333333333333333333333333333333333333333333333333333333333333"
      }
   ]
})",
                                         kMediaTypeDockerManifest);
  EXPECT_FALSE(manifest.is_index);
  EXPECT_EQ(manifest.media_type, kMediaTypeDockerManifest);
  EXPECT_EQ(manifest.artifact_type, "application/vnd.docker.container.image.v1+json");
  ASSERT_TRUE(manifest.config.has_value());
  EXPECT_EQ(manifest.config->size_bytes, 1457u);
  ASSERT_THAT(manifest.layers, SizeIs(2));
  EXPECT_EQ(manifest.layers[0].digest.ToString(), DigestOf('2'));
  EXPECT_EQ(manifest.layers[1].size_bytes, 32u);
  EXPECT_FALSE(manifest.layers[0].foreign);
  EXPECT_THAT(manifest.children, IsEmpty());
  EXPECT_EQ(manifest.annotations_json, "");
}

TEST(ManifestOfTools, DockerWindowsForeignLayer) {
  const std::string foreign = DescriptorJson(
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", DigestOf('f'), "1718332879",
      R"(,"urls":["https://mcr.example.org/v2/windows/blobs/sha256:ff"])");
  const ParsedManifest manifest =
      Parsed(ImageWithLayers(StrCat("[", foreign, ",", LayerJson(), "]")));
  EXPECT_TRUE(manifest.layers[0].foreign);
  EXPECT_FALSE(manifest.layers[1].foreign);
}

TEST(ManifestOfTools, PodmanPushHasAnnotations) {
  const ParsedManifest manifest =
      Parsed(ImageJson(R"(,"annotations":{"org.opencontainers.image.base.digest":"",)"
                       R"("org.opencontainers.image.base.name":""})"),
             kMediaTypeOciManifest);
  EXPECT_EQ(
      manifest.annotations_json,
      R"({"org.opencontainers.image.base.digest":"","org.opencontainers.image.base.name":""})");
}

TEST(ManifestOfTools, BuildkitIndexWithAttestation) {
  const ParsedManifest manifest = Parsed(StrCat(R"({
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": ")",
                                                DigestOf('1'), R"(",
     "size": 1609, "platform": {"architecture": "amd64", "os": "linux"}},
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": ")",
                                                DigestOf('2'), R"(",
     "size": 566,
     "annotations": {"vnd.docker.reference.digest": ")",
                                                DigestOf('1'), R"(",
                     "vnd.docker.reference.type": "attestation-manifest"},
     "platform": {"architecture": "unknown", "os": "unknown"}}
  ]})"),
                                         kMediaTypeOciIndex);
  EXPECT_TRUE(manifest.is_index);
  ASSERT_THAT(manifest.children, SizeIs(2));
  EXPECT_EQ(manifest.children[1].digest.ToString(), DigestOf('2'));
  EXPECT_EQ(manifest.children[1].media_type, kMediaTypeOciManifest);
  EXPECT_EQ(manifest.artifact_type, "");
  EXPECT_FALSE(manifest.config.has_value());
}

TEST(ManifestOfTools, NotesOfChildrenAreKeptForThoseWhoAsk) {
  const std::string index = StrCat(
      R"({"schemaVersion":2,"manifests":[)",
      DescriptorJson(kMediaTypeOciManifest, DigestOf('1'), "5",
                     R"(,"annotations":{"name":"first","other":"","name":"last"},"platform":)"
                     R"({"os":"linux","variant":"v7","architecture":"arm","os.features":["x"]})"),
      ",", DescriptorJson(kMediaTypeOciManifest, DigestOf('2'), "6"), R"(],"subject":)",
      DescriptorJson(kMediaTypeOciManifest, DigestOf('3'), "7", R"(,"platform":{"os":"aix"})"),
      "}");
  const absl::StatusOr<ParsedManifest> noted = ParseManifest(index, "", ManifestRules::kNoted);
  ASSERT_TRUE(noted.ok()) << noted.status();
  ASSERT_THAT(noted->notes, SizeIs(2));
  EXPECT_EQ(noted->notes[0].platform.os, "linux");
  EXPECT_EQ(noted->notes[0].platform.architecture, "arm");
  EXPECT_EQ(noted->notes[0].platform.variant, "v7");
  EXPECT_EQ(noted->notes[0].Annotation("name"), "last") << "as Go's clients read it";
  EXPECT_EQ(noted->notes[0].Annotation("none"), "");
  EXPECT_EQ(noted->notes[1].platform.os, "");
  EXPECT_THAT(noted->notes[1].annotations, SizeIs(0));
  EXPECT_THAT(Parsed(index).notes, SizeIs(0));
}

TEST(ManifestOfTools, BuildkitRegistryCacheIsAnIndexOfLayers) {
  const ParsedManifest manifest = Parsed(StrCat(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)",
      LayerJson(R"(,"annotations":{"buildkit/createdat":"2026-01-01T00:00:00Z"})"), ",",
      DescriptorJson("application/vnd.buildkit.cacheconfig.v0", DigestOf('b'), "1718"), "]}"));
  ASSERT_THAT(manifest.children, SizeIs(2));
  EXPECT_EQ(manifest.children[0].media_type, kOciLayer);
  for (const ContentReference& reference : manifest.References()) {
    EXPECT_EQ(reference.role, ContentReference::Role::kEntry);
  }
}

TEST(ManifestOfTools, HelmChart) {
  const ParsedManifest manifest = Parsed(
      StrCat(R"({"schemaVersion":2,"config":)",
             DescriptorJson("application/vnd.cncf.helm.config.v1+json", DigestOf('4'), "141"),
             R"(,"layers":[)",
             DescriptorJson("application/vnd.cncf.helm.chart.content.v1.tar+gzip", DigestOf('5'),
                            "3847"),
             R"(],"annotations":{"org.opencontainers.image.title":"mychart"}})"),
      kMediaTypeOciManifest);
  EXPECT_EQ(manifest.artifact_type, "application/vnd.cncf.helm.config.v1+json");
  EXPECT_EQ(manifest.media_type, kMediaTypeOciManifest);
}

TEST(ManifestOfTools, CosignSignature) {
  const ParsedManifest manifest = Parsed(ImageWithLayers(StrCat(
      "[",
      DescriptorJson("application/vnd.dev.cosign.simplesigning.v1+json", DigestOf('6'), "245",
                     R"(,"annotations":{"dev.cosignproject.cosign/signature":"MEUCIQ=="})"),
      "]")));
  ASSERT_THAT(manifest.layers, SizeIs(1));
  EXPECT_EQ(manifest.annotations_json, "") << "annotations of a layer are not the manifest's";
}

TEST(ManifestOfTools, OrasArtifactWithSubjectUsesTheEmptyDescriptorTwice) {
  const std::string empty = DescriptorJson(
      kMediaTypeOciEmpty, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      "2", R"(,"data":"e30=")");
  const ParsedManifest manifest = Parsed(StrCat(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)",
      R"("artifactType":"application/vnd.example.sbom.v1","config":)", empty, R"(,"layers":[)",
      empty, R"(],"subject":)", DescriptorJson(kMediaTypeOciManifest, DigestOf('7'), "1234"), "}"));
  EXPECT_EQ(manifest.artifact_type, "application/vnd.example.sbom.v1");
  ASSERT_TRUE(manifest.subject.has_value());
  EXPECT_EQ(manifest.subject->digest.ToString(), DigestOf('7'));
  const std::vector<ContentReference> references = manifest.References();
  ASSERT_THAT(references, SizeIs(1)) << "config and layer are the same blob; the subject is none";
  EXPECT_EQ(references[0].role, ContentReference::Role::kConfig);
}

TEST(ManifestOfTools, NestedIndexWithSubject) {
  const ParsedManifest manifest = Parsed(
      StrCat(R"({"schemaVersion":2,"artifactType":"application/vnd.example.set","manifests":[)",
             DescriptorJson(kMediaTypeOciIndex, DigestOf('8'), "900"), R"(],"subject":)",
             DescriptorJson(kMediaTypeOciIndex, DigestOf('9'), "901"), "}"));
  EXPECT_TRUE(manifest.is_index);
  EXPECT_EQ(manifest.media_type, kMediaTypeOciIndex);
  EXPECT_EQ(manifest.artifact_type, "application/vnd.example.set");
  EXPECT_EQ(manifest.children[0].media_type, kMediaTypeOciIndex);
  EXPECT_TRUE(manifest.subject.has_value());
}

TEST(ManifestOfTools, DockerManifestList) {
  const ParsedManifest manifest = Parsed(
      StrCat(R"({"schemaVersion":2,"mediaType":")", kMediaTypeDockerList, R"(","manifests":[)",
             DescriptorJson(kMediaTypeDockerManifest, DigestOf('1'), "528",
                            R"(,"platform":{"architecture":"arm","os":"linux","variant":"v7"})"),
             "]}"));
  EXPECT_TRUE(manifest.is_index);
  EXPECT_EQ(manifest.media_type, kMediaTypeDockerList);
}

// --- which kind it is ---------------------------------------------------------------------------

TEST(ManifestKind, FollowsTheContentTypeWithoutMediaType) {
  EXPECT_EQ(Parsed(ImageWithLayers("[]"), kMediaTypeDockerManifest).media_type,
            kMediaTypeDockerManifest);
  EXPECT_EQ(Parsed(R"({"schemaVersion":2,"manifests":[]})", kMediaTypeDockerList).media_type,
            kMediaTypeDockerList);
}

TEST(ManifestKind, IsDeducedFromFields) {
  EXPECT_EQ(Parsed(ImageWithLayers("[]")).media_type, kMediaTypeOciManifest);
  EXPECT_EQ(Parsed(R"({"schemaVersion":2,"manifests":[]})").media_type, kMediaTypeOciIndex);
  EXPECT_THAT(Refusal(R"({"schemaVersion":2})"), HasSubstr("none of the fields"));
}

TEST(ManifestKind, ContentTypeParametersAndCaseDoNotMatter) {
  EXPECT_EQ(
      Parsed(ImageJson(), "application/vnd.oci.image.manifest.v1+json; charset=utf-8").media_type,
      kMediaTypeOciManifest);
  EXPECT_EQ(Parsed(ImageJson(), " Application/VND.oci.image.manifest.v1+JSON ").media_type,
            kMediaTypeOciManifest);
  EXPECT_EQ(Parsed(ImageJson(), ";").media_type, kMediaTypeOciManifest);
}

TEST(ManifestKind, ContradictionIsRefused) {
  EXPECT_THAT(Refusal(ImageJson(), kMediaTypeDockerManifest), HasSubstr("mediaType: differs"));
  EXPECT_THAT(Refusal(ImageJson(), kMediaTypeOciIndex), HasSubstr("mediaType: differs"));
  EXPECT_THAT(Refusal(ImageWithLayers("[]"), kMediaTypeOciIndex),
              HasSubstr("manifests: is required"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"manifests":[]})", kMediaTypeOciManifest),
              HasSubstr("config: is required"));
}

TEST(ManifestKind, UnknownTypesAreRefused) {
  for (const char* type :
       {"application/json", "text/html", "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.oci.image.manifest.v1+jsonx", "x"}) {
    EXPECT_THAT(Refusal(ImageWithLayers("[]"), type), HasSubstr("Content-Type: must be")) << type;
  }
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"mediaType":"application/json","manifests":[]})"),
              HasSubstr("mediaType: must be"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"manifests":[],)"
                      R"("mediaType":"APPLICATION/vnd.oci.image.index.v1+json"})"),
              HasSubstr("mediaType: must be written in lower case"));
}

TEST(ManifestKind, FieldsOfBothKindsAreRefused) {
  for (const char* more : {R"(,"manifests":[])", R"(,"manifests":[{}])"}) {
    EXPECT_THAT(Refusal(ImageJson(more)), HasSubstr("manifests")) << more;
  }
  EXPECT_THAT(Refusal(IndexJson(R"(,"layers":[])")), HasSubstr("manifests: an index has neither"));
  EXPECT_THAT(Refusal(IndexJson(StrCat(R"(,"config":)", ConfigJson()))),
              HasSubstr("manifests: an index has neither"));
}

TEST(ManifestKind, SchemaOneIsRefusedWithAdvice) {
  constexpr char kAdvice[] = "Docker image manifest schema 1 is no longer accepted";
  EXPECT_THAT(
      Refusal(R"({"schemaVersion":1,"name":"a","tag":"b","fsLayers":[{"blobSum":"sha256:1"}]})"),
      HasSubstr(kAdvice));
  EXPECT_THAT(Refusal(R"({"fsLayers":[],"schemaVersion":1})"), HasSubstr(kAdvice));
  EXPECT_THAT(Refusal(ImageJson(R"(,"fsLayers":[])")), HasSubstr(kAdvice));
  EXPECT_THAT(
      Refusal(ImageWithLayers("[]"), "application/vnd.docker.distribution.manifest.v1+prettyjws"),
      HasSubstr(kAdvice));
}

TEST(ManifestKind, SchemaVersionMustBeTwo) {
  for (const char* version : {"0", "3", "-1", "-2", "9223372036854775808"}) {
    EXPECT_THAT(Refusal(StrCat(R"({"schemaVersion":)", version, R"(,"manifests":[]})")),
                HasSubstr("schemaVersion: must be 2"))
        << version;
  }
  for (const char* version : {"2.0", "\"2\"", "null", "true", "[2]", "{}", "2e0", "1e300"}) {
    EXPECT_THAT(Refusal(StrCat(R"({"schemaVersion":)", version, R"(,"manifests":[]})")),
                HasSubstr("schemaVersion: must be an integer"))
        << version;
  }
  EXPECT_THAT(Refusal(R"({"manifests":[]})"), HasSubstr("schemaVersion: is required"));
}

// --- fields -------------------------------------------------------------------------------------

TEST(ManifestFields, RequiredOnes) {
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"layers":[]})"), HasSubstr("config: is required"));
  EXPECT_THAT(Refusal(StrCat(R"({"schemaVersion":2,"config":)", ConfigJson(), "}")),
              HasSubstr("layers: is required"));
  EXPECT_THAT(Refusal(StrCat(R"({"schemaVersion":2,"mediaType":")", kMediaTypeOciIndex, "\"}")),
              HasSubstr("manifests: is required"));
}

// Go writes a slice that is nil as null.
TEST(ManifestFields, NullArraysAreEmptyAndAbsentOnesAreNot) {
  EXPECT_THAT(Parsed(ImageWithLayers("null")).layers, IsEmpty());
  const ParsedManifest index = Parsed(R"({"schemaVersion":2,"manifests":null})");
  EXPECT_TRUE(index.is_index);
  EXPECT_THAT(index.children, IsEmpty());
  EXPECT_THAT(Refusal(ImageJson(R"(,"manifests":null)")), HasSubstr("manifests: an index has"));
}

// What a Go client cannot decode it cannot pull; what is stored already stays readable.
TEST(ManifestFields, FieldsOfADescriptorHaveTheTypesThatClientsExpect) {
  const struct {
    const char* more;
    const char* problem;
  } wrong[] = {
      {R"(,"annotations":[])", "layers[0].annotations: must be an object, not an array"},
      {R"(,"annotations":"x")", "layers[0].annotations: must be an object, not a string"},
      {R"(,"annotations":{"a":1})", "annotations: every value must be a string, not an integer"},
      {R"(,"annotations":{"a":{}})", "annotations: every value must be a string, not an object"},
      {R"(,"platform":"linux/amd64")", "layers[0].platform: must be an object, not a string"},
      {R"(,"platform":{"os":7})", "layers[0].platform.os: must be a string, not an integer"},
      {R"(,"platform":{"os.features":"x"})", "platform.os.features: must be an array"},
      {R"(,"platform":{"os.features":[1]})", "platform.os.features: every value must be a string"},
      {R"(,"platform":{"os":"a","os":"b"})", "layers[0].platform.os: the field appears twice"},
      {R"(,"platform":{"OS":"a"})", "platform: os: the field is written in another letter case"},
      {R"(,"urls":"http://x")", "layers[0].urls: must be an array, not a string"},
      {R"(,"urls":[7])", "layers[0].urls: every value must be a string"},
      {R"(,"data":7)", "layers[0].data: must be a string, not an integer"},
      {R"(,"data":"e3")", "layers[0].data: must be base64 with padding"},
      {R"(,"data":"e=0=")", "layers[0].data: must be base64 with padding"},
      {R"(,"data":"e30-")", "layers[0].data: must be base64 with padding"},
      {R"(,"data":"e30=")", "layers[0].data: does not have the size that is stated"},
      {R"(,"artifactType":7)", "layers[0].artifactType: must be a string, not an integer"},
  };
  for (const auto& field : wrong) {
    const std::string json = ImageWithLayers(StrCat("[", LayerJson(field.more), "]"));
    EXPECT_THAT(Refusal(json), HasSubstr(field.problem)) << field.more;
    const bool was_read = std::string_view(field.more).substr(0, 7) == R"(,"urls")";
    EXPECT_EQ(ParseManifest(json, "", ManifestRules::kStored).ok(), !was_read) << field.more;
  }
  Parsed(ImageWithLayers(StrCat(
      "[",
      LayerJson(R"(,"annotations":{"a":"b","a":"c"},"platform":{"architecture":"arm","os":"linux",)"
                R"("os.version":"1","os.features":["x"],"variant":"v7","features":null,"more":{}},)"
                R"("artifactType":"a/b","other":[{}])"),
      "]")));
  for (const char* more : {R"(,"annotations":null)", R"(,"platform":null)", R"(,"data":null)",
                           R"(,"urls":null)", R"(,"artifactType":null)"}) {
    EXPECT_FALSE(Parsed(ImageWithLayers(StrCat("[", LayerJson(more), "]"))).layers[0].foreign);
  }
  // Line ends in base64 do not count, as in Go.
  Parsed(ImageWithLayers(
      StrCat("[", DescriptorJson("a/b", DigestOf('d'), "4", R"(,"data":"e30K\r\n\nCg==")"), "]")));
}

TEST(ManifestFields, OneDigestHasOneSize) {
  const std::string twice = ImageWithLayers(
      StrCat("[", LayerJson(), ",", DescriptorJson(kOciLayer, DigestOf('a'), "7"), "]"));
  EXPECT_THAT(Refusal(twice), HasSubstr("names one digest with two sizes"));
  EXPECT_TRUE(ParseManifest(twice, "", ManifestRules::kStored).ok());
  Parsed(ImageWithLayers(StrCat("[", LayerJson(), ",", LayerJson(), "]")));
}

TEST(ManifestFields, WrongShapesAreNamed) {
  EXPECT_THAT(Refusal(ImageWithLayers("{}")), HasSubstr("layers: must be an array, not an object"));
  EXPECT_THAT(Refusal(ImageWithLayers("\"x\"")),
              HasSubstr("layers: must be an array, not a string"));
  EXPECT_THAT(Refusal(ImageWithLayers("[[]]")),
              HasSubstr("layers[0]: must be an object, not an array"));
  EXPECT_THAT(Refusal(ImageWithLayers(StrCat("[", LayerJson(), ",null]"))),
              HasSubstr("layers[1]: must be an object, not null"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"config":[],"layers":[]})"),
              HasSubstr("config: must be an object, not an array"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"config":null,"layers":[]})"),
              HasSubstr("config: must be an object, not null"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"manifests":[7]})"),
              HasSubstr("manifests[0]: must be an object"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"subject":"x")")), HasSubstr("subject: must be an object"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"subject":{})")), HasSubstr("subject.mediaType: is required"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"artifactType":3)")),
              HasSubstr("artifactType: must be a string"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"artifactType":true)")), HasSubstr("not true or false"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"mediaType":[],"manifests":[]})"),
              HasSubstr("mediaType: must be a string, not an array"));
}

TEST(ManifestFields, NullIsAbsentWhereAbsenceIsAllowed) {
  const ParsedManifest manifest =
      Parsed(StrCat(R"({"schemaVersion":2,"mediaType":null,"artifactType":null,"subject":null,)",
                    R"("annotations":null,)", R"("config":)", ConfigJson(), R"(,"layers":[)",
                    LayerJson(R"(,"urls":null)"), "]}"));
  EXPECT_EQ(manifest.artifact_type, kOciConfig);
  EXPECT_FALSE(manifest.subject.has_value());
  EXPECT_EQ(manifest.annotations_json, "");
  EXPECT_FALSE(manifest.layers[0].foreign);
}

TEST(ManifestFields, UnknownOnesAreSkippedWhateverTheyHold) {
  const ParsedManifest manifest =
      Parsed(ImageJson(R"(,"x":{"config":{},"layers":[{"digest":"no"}],"mediaType":7},)"
                       R"("y":[[],[{"a":[null]}]],"z":1e300)"));
  EXPECT_THAT(manifest.layers, SizeIs(1));
  EXPECT_EQ(manifest.config->digest.ToString(), DigestOf('c'));
}

TEST(ManifestFields, TwiceIsRefused) {
  EXPECT_THAT(Refusal(ImageJson(R"(,"layers":[])")), HasSubstr("layers: the field appears twice"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"l\u0061yers":[])")),
              HasSubstr("layers: the field appears twice"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"schemaVersion":2)")),
              HasSubstr("schemaVersion: the field appears"));
  EXPECT_THAT(Refusal(ImageWithLayers(StrCat("[", LayerJson(R"(,"size":1)"), "]"))),
              HasSubstr("layers[0].size: the field appears twice"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"annotations":{"a":"1","b":"2","\u0061":"3"})")),
              HasSubstr("annotations: a key appears twice"));
  EXPECT_TRUE(ParseManifest(ImageJson(R"(,"x":1,"x":2)"), "").ok()) << "a field that is not read";
}

// Go's encoding/json, in most clients, takes "Layers" and "layer\u017f" for "layers".
TEST(ManifestFields, OtherLetterCaseIsRefused) {
  for (const char* more : {R"(,"Layers":[])", R"(,"LAYERS":[])", "\t,\"layer\xc5\xbf\":[]",
                           R"(,"layer\u017f":[])", R"(,"Manifests":[])", R"(,"annotationS":{})"}) {
    EXPECT_THAT(Refusal(ImageJson(more)), HasSubstr("letter case")) << more;
  }
  EXPECT_THAT(Refusal(ImageWithLayers(StrCat("[", LayerJson(R"(,"Digest":"x")"), "]"))),
              HasSubstr("layers[0]: digest: the field is written in another letter case"));
}

TEST(ManifestFields, AnnotationsKeepTheirTextAndOrder) {
  const ParsedManifest manifest =
      Parsed(ImageJson(R"(,"annotations":{"z":"\"\\\/\b\f\n\r\t",)"
                       R"("a":"\u0000\u001f\u00e9é\ud83d\ude00","":"'<&>"})"));
  EXPECT_EQ(manifest.annotations_json,
            "{\"z\":\"\\\"\\\\/\\b\\f\\n\\r\\t\",\"a\":\"\\u0000\\u001féé😀\",\"\":\"'<&>\"}");
  EXPECT_EQ(Parsed(IndexJson(R"(,"annotations":{})")).annotations_json, "{}");
}

TEST(ManifestFields, AnnotationsMustBeStrings) {
  for (const char* value : {"1", "null", "true", "1.5", "[]", "{}", R"(["a"])"}) {
    EXPECT_THAT(Refusal(ImageJson(StrCat(R"(,"annotations":{"a":)", value, "}"))),
                HasSubstr("annotations: every value must be a string"))
        << value;
  }
  EXPECT_THAT(Refusal(ImageJson(R"(,"annotations":[])")),
              HasSubstr("annotations: must be an object"));
}

// --- descriptors --------------------------------------------------------------------------------

std::string RefusalOfLayer(std::string_view layer) {
  return Refusal(ImageWithLayers(StrCat("[", LayerJson(), ",", layer, "]")));
}

TEST(ManifestDescriptor, RequiredFields) {
  EXPECT_THAT(RefusalOfLayer("{}"), HasSubstr("layers[1].mediaType: is required"));
  EXPECT_THAT(RefusalOfLayer(R"({"mediaType":"a/b"})"), HasSubstr("layers[1].digest: is required"));
  EXPECT_THAT(RefusalOfLayer(StrCat(R"({"mediaType":"a/b","digest":")", DigestOf('1'), "\"}")),
              HasSubstr("layers[1].size: is required"));
  EXPECT_THAT(Refusal(R"({"schemaVersion":2,"config":{},"layers":[]})"),
              HasSubstr("config.mediaType: is required"));
}

TEST(ManifestDescriptor, Digests) {
  for (const std::string& digest :
       {std::string(), std::string("sha256:"), std::string("sha256:abc"), std::string(64, 'a'),
        "sha256:" + std::string(64, 'A'), "md5:" + std::string(32, 'a'), DigestOf('a') + "0",
        "sha256:" + std::string(64, 'g'), std::string("sha256:../../../etc/passwd"),
        DigestOf('a') + "\\u0000"}) {
    EXPECT_THAT(RefusalOfLayer(DescriptorJson("a/b", digest, "1")), HasSubstr("layers[1].digest: "))
        << digest;
  }
  EXPECT_THAT(RefusalOfLayer(R"({"digest":7})"), HasSubstr("layers[1].digest: must be a string"));
  const ParsedManifest sha512 = Parsed(ImageWithLayers(
      StrCat("[", DescriptorJson("a/b", StrCat("sha512:", std::string(128, 'b')), "1"), "]")));
  EXPECT_EQ(sha512.layers[0].digest.algorithm(), DigestAlgorithm::kSha512);
}

TEST(ManifestDescriptor, Sizes) {
  for (const char* size :
       {"1.0", "1.5", "\"1\"", "null", "1e300", "1e2", "-0.5", "true", "[]", "{}",
        "18446744073709551616", "99999999999999999999999999999999999999", "-9223372036854775809"}) {
    EXPECT_THAT(RefusalOfLayer(DescriptorJson("a/b", DigestOf('1'), size)),
                HasSubstr("layers[1].size: must be an integer"))
        << size;
  }
  for (const char* size : {"-1", "-9223372036854775808"}) {
    EXPECT_THAT(RefusalOfLayer(DescriptorJson("a/b", DigestOf('1'), size)),
                HasSubstr("layers[1].size: must not be negative"))
        << size;
  }
  for (const std::string& size : {StrCat(kMaxBlobBytes + 1), std::string("18446744073709551615")}) {
    EXPECT_THAT(RefusalOfLayer(DescriptorJson("a/b", DigestOf('1'), size)),
                HasSubstr("layers[1].size: must not be larger than"))
        << size;
  }
  const ParsedManifest largest = Parsed(
      ImageWithLayers(StrCat("[", DescriptorJson("a/b", DigestOf('1'), StrCat(kMaxBlobBytes)), ",",
                             DescriptorJson("a/b", DigestOf('2'), "0"), "]")));
  EXPECT_EQ(largest.layers[0].size_bytes, kMaxBlobBytes);
  EXPECT_EQ(largest.layers[1].size_bytes, 0u);
}

TEST(ManifestDescriptor, MediaTypes) {
  EXPECT_THAT(RefusalOfLayer(DescriptorJson("", DigestOf('1'), "1")),
              HasSubstr("layers[1].mediaType: must not be empty"));
  EXPECT_THAT(RefusalOfLayer(DescriptorJson(std::string(256, 'x'), DigestOf('1'), "1")),
              HasSubstr("layers[1].mediaType: must not be longer than 255"));
  EXPECT_TRUE(
      ParseManifest(ImageWithLayers(StrCat(
                        "[", DescriptorJson(std::string(255, 'x'), DigestOf('1'), "1"), "]")),
                    "")
          .ok());
  EXPECT_THAT(RefusalOfLayer(DescriptorJson("a\\r\\nSet-Cookie: x", DigestOf('1'), "1")),
              HasSubstr("layers[1].mediaType: must be printable ASCII"));
  EXPECT_THAT(Refusal(ImageJson(R"(,"artifactType":"a\u0000b")")),
              HasSubstr("artifactType: must be printable ASCII"));
}

TEST(ManifestDescriptor, UrlsMakeALayerForeignAndNothingElse) {
  const std::string urls = R"(,"urls":["https://example.org/x"])";
  EXPECT_TRUE(Parsed(ImageWithLayers(StrCat("[", LayerJson(urls), "]"))).layers[0].foreign);
  EXPECT_FALSE(
      Parsed(ImageWithLayers(StrCat("[", LayerJson(R"(,"urls":[])"), "]"))).layers[0].foreign);
  for (const char* type : {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
                           "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}) {
    EXPECT_TRUE(Parsed(ImageWithLayers(StrCat("[", DescriptorJson(type, DigestOf('1'), "1"), "]")))
                    .layers[0]
                    .foreign)
        << type;
  }
  const ParsedManifest config =
      Parsed(StrCat(R"({"schemaVersion":2,"layers":[],"config":)",
                    DescriptorJson("a/b", DigestOf('1'), "1", urls), R"(,"subject":)",
                    DescriptorJson("a/b", DigestOf('2'), "1", urls), "}"));
  EXPECT_FALSE(config.config->foreign);
  EXPECT_FALSE(config.subject->foreign);
  const ParsedManifest index =
      Parsed(StrCat(R"({"schemaVersion":2,"manifests":[)",
                    DescriptorJson("a/b", DigestOf('1'), "1", urls), "]}"));
  EXPECT_FALSE(index.children[0].foreign);
}

TEST(ManifestDescriptor, UrlsMustBeStrings) {
  EXPECT_THAT(RefusalOfLayer(LayerJson(R"(,"urls":"https://x")")),
              HasSubstr("layers[1].urls: must be an array"));
  for (const char* urls : {"[1]", "[null]", "[[]]", "[{}]", R"(["a",{}])"}) {
    EXPECT_THAT(RefusalOfLayer(LayerJson(StrCat(R"(,"urls":)", urls))),
                HasSubstr("layers[1].urls: every value must be a string"))
        << urls;
  }
}

// --- references ---------------------------------------------------------------------------------

TEST(ManifestReferences, AreDistinctInOrderOfFirstAppearance) {
  const ParsedManifest manifest = Parsed(
      ImageWithLayers(StrCat("[", DescriptorJson("a/b", DigestOf('2'), "2"), ",",
                             DescriptorJson("a/b", DigestOf('1'), "1"), ",",
                             DescriptorJson("a/b", DigestOf('2'), "2"), ",", ConfigJson(), "]")));
  ASSERT_THAT(manifest.layers, SizeIs(4));
  std::vector<std::string> digests;
  for (const ContentReference& reference : manifest.References()) {
    digests.push_back(reference.descriptor.digest.ToString());
  }
  EXPECT_THAT(digests, ElementsAre(DigestOf('c'), DigestOf('2'), DigestOf('1')));
  EXPECT_EQ(manifest.References()[0].role, ContentReference::Role::kConfig);
  EXPECT_EQ(manifest.References()[1].role, ContentReference::Role::kLayer);
  EXPECT_EQ(Parsed(IndexJson()).References()[0].role, ContentReference::Role::kChild);
}

TEST(ManifestReferences, AreForeignOnlyWhenEveryAppearanceIs) {
  const std::string foreign = LayerJson(R"(,"urls":["x"])");
  EXPECT_TRUE(Parsed(ImageWithLayers(StrCat("[", foreign, ",", foreign, "]")))
                  .References()[1]
                  .descriptor.foreign);
  EXPECT_FALSE(Parsed(ImageWithLayers(StrCat("[", foreign, ",", LayerJson(), "]")))
                   .References()[1]
                   .descriptor.foreign);
  EXPECT_FALSE(Parsed(ImageWithLayers(StrCat("[", LayerJson(), ",", foreign, "]")))
                   .References()[1]
                   .descriptor.foreign);
}

std::string IndexOf(size_t children, std::string_view more = "") {
  std::string json = R"({"schemaVersion":2,"manifests":[)";
  for (size_t i = 0; i < children; ++i) {
    if (i > 0) json += ",";
    json += DescriptorJson(kMediaTypeOciManifest, DigestOf(i), "1");
  }
  return StrCat(json, "]", more, "}");
}

TEST(ManifestReferences, LimitCountsDistinctDigestsAndTheSubject) {
  EXPECT_THAT(Parsed(IndexOf(kMaxManifestReferences)).References(), SizeIs(kMaxManifestReferences));
  EXPECT_THAT(Refusal(IndexOf(kMaxManifestReferences + 1)),
              HasSubstr(StrCat("names ", kMaxManifestReferences + 1, " distinct digests")));
  const auto subject = [](const std::string& digest) {
    return StrCat(R"(,"subject":)", DescriptorJson("a/b", digest, "1"));
  };
  EXPECT_THAT(Refusal(IndexOf(kMaxManifestReferences, subject(DigestOf('f')))),
              HasSubstr(StrCat(kMaxManifestReferences + 1, " distinct")));
  EXPECT_TRUE(
      ParseManifest(IndexOf(kMaxManifestReferences, subject(DigestOf(size_t{5}))), "").ok());
}

TEST(ManifestReferences, RepeatedLayersDoNotCount) {
  std::string layers = "[" + LayerJson();
  for (int i = 0; i < 5000; ++i) layers += "," + LayerJson();
  const ParsedManifest manifest = Parsed(ImageWithLayers(layers + "]"));
  EXPECT_THAT(manifest.layers, SizeIs(5001));
  EXPECT_THAT(manifest.References(), SizeIs(2));
}

// --- hostile bytes ------------------------------------------------------------------------------

TEST(ManifestBytes, NotAnObject) {
  for (const char* bytes : {"[]", "3", "null", "true", "\"x\"", "[{}]", " [ ] "}) {
    EXPECT_THAT(Refusal(bytes), HasSubstr("manifest: must be a JSON object")) << bytes;
  }
}

TEST(ManifestBytes, NotJson) {
  for (const char* bytes : {"",
                            " ",
                            "{",
                            "}",
                            "{\"a\"",
                            "{\"a\":}",
                            "{'a':1}",
                            "{\"a\":1,}",
                            "{a:1}",
                            "{\"a\":01}",
                            "{\"a\":+1}",
                            "{\"a\":1.}",
                            "{\"a\":NaN}",
                            "{\"a\":Infinity}",
                            "/**/{}",
                            "{}//",
                            "{} {}",
                            "{}x",
                            "\xef\xbb\xbf{}",
                            "{\"a\":\"\n\"}",
                            "{\"a\":\"\\x\"}",
                            "{\"a\":\"\\u12g4\"}",
                            "<html>",
                            "{\"a\":tru}"}) {
    EXPECT_THAT(Refusal(bytes), HasSubstr("manifest: is not valid JSON")) << bytes;
  }
}

TEST(ManifestBytes, EveryTruncationIsRefused) {
  const std::string whole = ImageJson(R"(,"annotations":{"a":"\ud83d\ude00","b":"é"},"n":-1.5e+3)");
  ASSERT_TRUE(ParseManifest(whole, "").ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THAT(Refusal(whole.substr(0, length)), HasSubstr("is not valid JSON")) << length;
  }
  EXPECT_TRUE(ParseManifest(whole + " \n", "").ok());
}

TEST(ManifestBytes, InvalidUtf8IsRefusedInKeysAndStrings) {
  for (const char* text : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xe2\x28\xa1", "\x80", "\\ud800", "\\udc00\\ud800"}) {
    EXPECT_THAT(Refusal(ImageJson(StrCat(R"(,"x":")", text, "\""))), HasSubstr("not valid JSON"))
        << text;
    EXPECT_THAT(Refusal(ImageJson(StrCat(R"(,")", text, R"(":"x")"))), HasSubstr("not valid JSON"))
        << text;
    EXPECT_THAT(Refusal(ImageJson(StrCat(R"(,"annotations":{"x":")", text, "\"}"))),
                HasSubstr("not valid JSON"))
        << text;
  }
}

TEST(ManifestBytes, NulBytesAreRefused) {
  using std::string_literals::operator""s;
  EXPECT_THAT(Refusal("\0"s), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal(ImageJson() + "\0"s), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal(ImageJson(",\"a\0b\":1"s)), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal(ImageJson(",\"a\":\"\0\""s)), HasSubstr("not valid JSON"));
}

TEST(ManifestBytes, DepthIsLimited) {
  const auto nested = [](size_t depth) {
    return ImageJson(StrCat(R"(,"x":)", std::string(depth, '['), std::string(depth, ']')));
  };
  EXPECT_TRUE(ParseManifest(nested(kMaxJsonDepth - 1), "").ok());
  EXPECT_THAT(Refusal(nested(kMaxJsonDepth)), HasSubstr("too deep"));
  std::string objects = R"({"schemaVersion":2)";
  for (int i = 0; i < 100'000; ++i) objects += R"(,"a":{"a":1)";
  EXPECT_THAT(Refusal(objects), HasSubstr("too deep"));
}

TEST(ManifestBytes, FourMebibytesOfBrackets) {
  EXPECT_THAT(Refusal(std::string(kMaxManifestBytes, '[')), HasSubstr("must be a JSON object"));
  std::string inside = R"({"x":)";
  inside.resize(kMaxManifestBytes, '[');
  EXPECT_THAT(Refusal(inside), HasSubstr("too deep"));
}

TEST(ManifestBytes, SizeLimitIsExact) {
  std::string padded = ImageJson();
  padded.resize(kMaxManifestBytes, ' ');
  EXPECT_TRUE(ParseManifest(padded, "").ok());
  padded.push_back(' ');
  EXPECT_THAT(Refusal(padded), HasSubstr("manifest: is larger than 4194304 bytes"));
}

TEST(ManifestBytes, HugeNumbersAreReadWithoutTrouble) {
  const std::string digits(1'000'000, '9');
  EXPECT_TRUE(ParseManifest(ImageJson(StrCat(R"(,"x":)", digits)), "").ok());
  EXPECT_TRUE(ParseManifest(ImageJson(StrCat(R"(,"x":0.)", digits)), "").ok());
  const std::string exponent = StrCat(R"(,"x":1e)", digits);
  EXPECT_THAT(Refusal(ImageJson(exponent)), HasSubstr("not valid JSON"));
  EXPECT_THAT(RefusalOfLayer(DescriptorJson("a/b", DigestOf('1'), digits)),
              HasSubstr("layers[1].size: must be an integer"));
}

TEST(ManifestBytes, ManyFieldsAndAnnotationsAreFast) {
  std::string annotations = R"(,"annotations":{"0":"")";
  for (int i = 1; annotations.size() < kMaxManifestBytes - 2000; ++i) {
    annotations += StrCat(",\"", i, "\":\"\"");
  }
  EXPECT_GT(Parsed(ImageJson(annotations + "}")).annotations_json.size(), kMaxManifestBytes - 3000);
  EXPECT_THAT(Refusal(ImageJson(annotations + ",\"7\":\"\"}")), HasSubstr("a key appears twice"));
}

TEST(ManifestBytes, RefusalsNeverEchoTheClient) {
  for (const std::string& bytes :
       {ImageJson(R"(,"artifactType":"evil\u0001")"), ImageJson(R"(,"annotations":{"evil":1})"),
        ImageWithLayers(R"([{"mediaType":"evil\n"}])"), ImageWithLayers(R"([{"digest":"evil"}])"),
        std::string(R"({"schemaVersion":2,"mediaType":"evil","manifests":[]})"),
        std::string("evil")}) {
    EXPECT_THAT(Refusal(bytes), ::testing::Not(HasSubstr("evil")));
  }
  EXPECT_THAT(Refusal(ImageJson(), "evil"), ::testing::Not(HasSubstr("evil")));
}

}  // namespace
}  // namespace varve
