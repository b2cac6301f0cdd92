// Manifests and tags: what a manifest may name, when it becomes visible, what a deletion touches.
#include <gmock/gmock.h>

#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/manifest.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::SizeIs;
using Code = absl::StatusCode;

constexpr int64_t kDay = 24 * 3600 * kSecond;
constexpr size_t kLayerBytes = 100'000;  // of PushImage

class StoreManifestsTest : public StoreContractTest {
 protected:
  std::string ImageJson(std::string_view repository, std::string_view note = {}) {
    ManifestParts parts;
    parts.config = Push(repository, "{}");
    parts.note = note;
    return ManifestJson(parts);
  }
  static std::string IndexJson(std::vector<Digest> children, std::string_view note = {}) {
    ManifestParts parts;
    parts.media_type = kMediaTypeOciIndex;
    parts.children = std::move(children);
    parts.note = note;
    return ManifestJson(parts);
  }
  void AllowSparse() {
    StoreSettings settings;
    settings.accept_sparse_index = true;
    Make(settings);
  }
};
STORE_SUITE(StoreManifestsDetailsTest, StoreManifestsTest, kManifestDetails);
STORE_SUITE(StoreManifestsDeleteTest, StoreManifestsTest, kDeleteManifest);
STORE_SUITE(StoreManifestsWholeTest, StoreManifestsTest, kWholeStore);

TEST_P(StoreManifestsTest, ComesBackByTagAndByDigestByteForByte) {
  const Image image = PushImage("app", 1, {"v1", "latest"});
  EXPECT_EQ(image.manifest, Sha256(image.manifest_json));
  for (const ManifestReference& reference :
       {ManifestReference("v1"), ManifestReference("latest"), ManifestReference(image.manifest)}) {
    const auto manifest = store().manifests.GetManifest("app", reference);
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(manifest->bytes, image.manifest_json);
    EXPECT_EQ(manifest->info.digest, image.manifest);
    EXPECT_EQ(manifest->info.media_type, kMediaTypeOciManifest);
    EXPECT_EQ(manifest->info.size_bytes, image.manifest_json.size());
    const auto stat = store().manifests.StatManifest("app", reference);
    ASSERT_TRUE(stat.ok());
    EXPECT_EQ(stat->digest, image.manifest);
    EXPECT_EQ(stat->media_type, kMediaTypeOciManifest);
    EXPECT_EQ(stat->size_bytes, image.manifest_json.size());
  }
  EXPECT_EQ(ManifestCode("app", "v2"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("other", "v1"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", Sha256("x")), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", "-bad"), Code::kInvalidArgument);
}

TEST_P(StoreManifestsTest, EveryKindIsTaken) {
  const Digest config = Push("app", "{}");
  ManifestParts docker;
  docker.media_type = kMediaTypeDockerManifest;
  docker.config = config;
  const Digest child = PutManifest("app", ManifestJson(docker), {"docker"});
  ManifestParts list;
  list.media_type = kMediaTypeDockerList;
  list.children = {child};
  const Digest nested = PutManifest("app", ManifestJson(list), {"list"});
  PutManifest("app", IndexJson({nested}), {"nested"});
  PutManifest("app", IndexJson({}), {"empty"});
  ManifestParts artifact;
  artifact.config = config;
  artifact.artifact_type = "application/vnd.example.sbom";
  artifact.subject = child;
  const Digest sbom = PutManifest("app", ManifestJson(artifact));
  EXPECT_EQ(store().manifests.StatManifest("app", sbom)->digest, sbom);
  EXPECT_EQ(store().manifests.StatManifest("app", "list")->media_type, kMediaTypeDockerList);
}

TEST_P(StoreManifestsDetailsTest, DetailsAreThoseOfTheBytes) {
  const Image image = PushImage("app", 1, {"v1"});
  for (const ManifestReference& reference :
       {ManifestReference("v1"), ManifestReference(image.manifest)}) {
    const auto manifest = store().manifests.GetManifest("app", reference);
    const auto stat = store().manifests.StatManifest("app", reference);
    ASSERT_TRUE(manifest.ok() && stat.ok()) << manifest.status() << stat.status();
    for (const ManifestInfo& info : {manifest->info, *stat}) {
      EXPECT_EQ(info.config, image.config);
      EXPECT_EQ(info.content_bytes, std::string("{\"config\":1}").size() + kLayerBytes);
      EXPECT_EQ(info.subject, std::nullopt);
      EXPECT_GT(info.pushed_nanos, 0);
    }
  }
  ManifestParts artifact;
  artifact.config = image.config;
  artifact.artifact_type = "application/vnd.example.sbom";
  artifact.subject = image.manifest;
  const auto info =
      store().manifests.StatManifest("app", PutManifest("app", ManifestJson(artifact)));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->artifact_type, "application/vnd.example.sbom");
  EXPECT_EQ(info->subject, image.manifest);
  PutManifest("app", IndexJson({image.manifest}), {"list"});
  EXPECT_EQ(store().manifests.StatManifest("app", "list")->config, std::nullopt);
}

// A client that believes the size makes a buffer of it, or stops reading there.
TEST_P(StoreManifestsTest, TheSizesThatAManifestStatesAreThoseOfWhatItNames) {
  const Image image = PushImage("app", 1, {"v1"});
  const auto with_size = [](std::string json, size_t size, size_t wrong) {
    const std::string stated = StrCat("\"size\":", size);
    const size_t at = json.find(stated);
    EXPECT_NE(at, std::string::npos);
    return json.replace(at, stated.size(), StrCat("\"size\":", wrong));
  };
  const size_t config_bytes = std::string("{\"config\":1}").size();
  for (const size_t wrong : {size_t{0}, config_bytes - 1, config_bytes + 1}) {
    EXPECT_EQ(PutCode("app", with_size(image.manifest_json, config_bytes, wrong)),
              Code::kInvalidArgument)
        << wrong;
  }
  EXPECT_EQ(PutCode("app", with_size(image.manifest_json, kLayerBytes, 1)), Code::kInvalidArgument);
  const std::string index = IndexJson({image.manifest});
  EXPECT_EQ(PutCode("app", with_size(index, image.manifest_json.size(), 1)),
            Code::kInvalidArgument);
  PutManifest("app", index, {"list"});
}

// BuildKit exports a cache as an index of layers and of a config of its own.
TEST_P(StoreManifestsTest, AnIndexMayListBlobsAndKeepsThem) {
  const std::string layer_bytes = MakeBytes(kLayerBytes, 3);
  const std::string config_bytes = "{\"layers\":[]}";
  const auto entry = [](std::string_view type, std::string_view bytes) {
    return StrCat("{\"mediaType\":\"", type, "\",\"digest\":\"", Sha256(bytes).ToString(),
                  "\",\"size\":", bytes.size(), "}");
  };
  const std::string cache =
      StrCat("{\"schemaVersion\":2,\"mediaType\":\"", kMediaTypeOciIndex, "\",\"manifests\":[",
             entry("application/vnd.oci.image.layer.v1.tar+gzip", layer_bytes), ",",
             entry("application/vnd.buildkit.cacheconfig.v0", config_bytes), "]}");
  EXPECT_EQ(PutCode("app", cache), Code::kFailedPrecondition);
  const Digest layer = Push("app", layer_bytes);
  EXPECT_EQ(PutCode("app", cache), Code::kFailedPrecondition) << "one is not enough";
  const Digest config = Push("app", config_bytes);
  EXPECT_EQ(PutCode("other", cache), Code::kFailedPrecondition) << "of another repository";
  const Digest index = PutManifest("app", cache, {"cache"});
  under_test().Advance(2 * kDay);
  Reclaim();
  EXPECT_EQ(Read("app", layer), layer_bytes);
  EXPECT_EQ(Read("app", config), config_bytes);
  DeleteManifest("app", index);
  under_test().Advance(2 * kDay);
  Reclaim();
  EXPECT_EQ(store().blobs.OpenBlob("app", layer).status().code(), Code::kNotFound);
}

TEST_P(StoreManifestsTest, MalformedOnesAreRefusedAndChangeNothing) {
  for (const std::string& json :
       {std::string(), std::string("{}"), std::string("not json"), std::string(100'000, '['),
        std::string("{\"schemaVersion\":1}"), std::string(kMaxManifestBytes + 1, ' ')}) {
    EXPECT_EQ(PutCode("app", json), Code::kInvalidArgument);
  }
  EXPECT_EQ(store().manifests.ListTags("app", {}).status().code(), Code::kNotFound);
  const std::string json = ImageJson("app");
  PutManifestRequest request;
  request.bytes = json;
  request.media_type = kMediaTypeOciIndex;
  EXPECT_EQ(store().manifests.PutManifest("app", request).status().code(), Code::kInvalidArgument);
  request.media_type.clear();
  request.expected = Sha256("other");
  EXPECT_EQ(store().manifests.PutManifest("app", request).status().code(), Code::kInvalidArgument);
  request.expected.reset();
  request.tags = {"ok", std::string(kMaxTagBytes + 1, 't')};
  EXPECT_EQ(store().manifests.PutManifest("app", request).status().code(), Code::kInvalidArgument);
  request.tags.assign(kMaxTagsPerPut + 1, "tag");
  EXPECT_EQ(store().manifests.PutManifest("app", request).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ManifestCode("app", Sha256(json)), Code::kNotFound);
  request.tags.assign(1, std::string(kMaxTagBytes, 't'));
  EXPECT_TRUE(store().manifests.PutManifest("app", request).ok());
}

TEST_P(StoreManifestsTest, Sha512ManifestsHaveTheirOwnName) {
  const std::string json = ImageJson("app");
  PutManifestRequest request;
  request.bytes = json;
  request.algorithm = DigestAlgorithm::kSha512;
  const Digest digest = HashBytes(DigestAlgorithm::kSha512, json);
  ASSERT_EQ(store().manifests.PutManifest("app", request).value().digest, digest);
  EXPECT_EQ(ManifestCode("app", digest), Code::kOk);
  EXPECT_EQ(ManifestCode("app", Sha256(json)), Code::kNotFound);
  request.expected = Sha256(json);
  EXPECT_EQ(store().manifests.PutManifest("app", request).value().digest, Sha256(json));
}

TEST_P(StoreManifestsTest, MissingContentIsNamed) {
  const Digest config = Push("app", "{}");
  const Digest elsewhere = Push("other", "layer");
  ManifestParts parts;
  parts.config = config;
  parts.layers = {elsewhere};
  PutManifestRequest request;
  const std::string json = ManifestJson(parts);
  request.bytes = json;
  const auto put = store().manifests.PutManifest("app", request);
  EXPECT_EQ(put.status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(put.status().GetPayload(kMissingDigestPayload), elsewhere.ToString());
  EXPECT_EQ(ManifestCode("app", Sha256(json)), Code::kNotFound);
  ASSERT_TRUE(Able(Ability::kMountBlob).blobs.MountBlob("app", elsewhere, "other").ok());
  EXPECT_TRUE(store().manifests.PutManifest("app", request).ok());
  parts.config.reset();
  parts.layers.clear();
  EXPECT_EQ(PutCode("app", IndexJson({Sha256("no such manifest")})), Code::kFailedPrecondition);
  EXPECT_EQ(PutCode("app", IndexJson({config})), Code::kFailedPrecondition);
}

TEST_P(StoreManifestsTest, ForeignLayersNeedNotBeHereAndShowNothing) {
  const Digest secret = Push("private", "bytes of another repository");
  ManifestParts parts;
  parts.config = Push("app", "{}");
  parts.foreign_layers = {secret, Sha256("nowhere")};
  const Digest manifest = PutManifest("app", ManifestJson(parts), {"v1"});
  EXPECT_EQ(StatCode("app", secret), Code::kNotFound);
  DeleteManifest("app", manifest);
  EXPECT_EQ(StatCode("app", secret), Code::kNotFound);
  EXPECT_EQ(StatCode("private", secret), Code::kOk);
}

TEST_P(StoreManifestsTest, ForeignLayerPushedLaterIsVisibleThroughItsManifest) {
  ManifestParts parts;
  parts.config = Push("app", "{}");
  parts.foreign_layers = {Sha256("late")};
  PutManifest("app", ManifestJson(parts), {"v1"});
  const Digest late = Push("app", "late");
  EXPECT_EQ(Able(Ability::kDeleteBlob).blobs.DeleteBlob("app", late).code(),
            Code::kFailedPrecondition);
  under_test().Advance(72 * kHour);
  Reclaim();
  Reclaim();
  EXPECT_EQ(Read("app", late), "late");
}

// The config is what an image is: neither a sparse index nor a foreign descriptor excuses it.
TEST_P(StoreManifestsTest, AnAbsentConfigIsRefusedAlwaysAndEverywhere) {
  const Digest absent = Sha256("a config that nobody has pushed");
  for (const bool sparse : {false, true}) {
    if (sparse) AllowSparse();
    SCOPED_TRACE(sparse);
    const Digest layer = Push("app", "a layer");
    ManifestParts parts;
    parts.config = absent;
    parts.layers = {layer};
    const std::string json = ManifestJson(parts);
    EXPECT_EQ(PutCode("app", json), Code::kFailedPrecondition);
    EXPECT_EQ(ManifestCode("app", Sha256(json)), Code::kNotFound);
    // With a media type, or with urls, of what may be elsewhere.
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"application/vnd.oci.image.config.v1+json",
              "application/vnd.oci.image.layer.nondistributable.v1.tar"},
             {R"("config":{)", R"("config":{"urls":["https://example.org/config"],)"}}) {
      std::string foreign = json;
      ASSERT_NE(foreign.find(from), std::string::npos) << json;
      foreign.replace(foreign.find(from), from.size(), to);
      EXPECT_EQ(PutCode("app", foreign), Code::kFailedPrecondition) << foreign;
      EXPECT_EQ(ManifestCode("app", Sha256(foreign)), Code::kNotFound);
    }
  }
}

TEST_P(StoreManifestsTest, SparseIndexIsTakenOnlyWhereAllowed) {
  const std::string child = ImageJson("app");
  EXPECT_EQ(PutCode("app", IndexJson({Sha256(child)})), Code::kFailedPrecondition);
  AllowSparse();
  ImageJson("app");
  const Digest index = PutManifest("app", IndexJson({Sha256(child)}), {"multi"});
  EXPECT_EQ(ManifestCode("app", Sha256(child)), Code::kNotFound);
  PutManifest("app", child);
  EXPECT_EQ(ManifestCode("app", Sha256(child)), Code::kOk);
  under_test().Advance(48 * kHour);
  Reclaim();
  EXPECT_EQ(ManifestCode("app", Sha256(child)), Code::kOk);
  EXPECT_EQ(ManifestCode("app", index), Code::kOk);
}

TEST_P(StoreManifestsTest, ManyIndexesMayWaitForOneLargeChild) {
  AllowSparse();
  ManifestParts parts;
  parts.config = Push("app", "{}");
  for (uint64_t i = 0; i + 1 < kReferencesAtOnce; ++i) {
    parts.layers.push_back(Push("app", StrCat("layer ", i)));
  }
  const std::string child = ManifestJson(parts);
  for (int i = 0; i < 60; ++i) PutManifest("app", IndexJson({Sha256(child)}, StrCat(i)));
  EXPECT_EQ(PutManifest("app", child, {"child"}), Sha256(child));
}

TEST_P(StoreManifestsTest, SubjectNeedNotExist) {
  ManifestParts parts;
  parts.config = Push("app", "{}");
  parts.artifact_type = "application/x";
  parts.subject = Sha256("later");
  PutManifest("app", ManifestJson(parts));
  const auto referrers = store().manifests.ListReferrers("app", Sha256("later"), "", {});
  ASSERT_TRUE(referrers.ok());
  EXPECT_THAT(referrers->rows, SizeIs(1));
}

TEST_P(StoreManifestsTest, LargeManifestsAreFilesAndBehaveAlike) {
  const std::string json = ImageJson("app", std::string(200'000, 'x'));
  const Digest digest = PutManifest("app", json, {"big"});
  EXPECT_THAT(under_test().BlobFiles(json.size()), SizeIs(1));
  PutManifest("app", json, {"again"});
  under_test().Reopen();
  EXPECT_TRUE(store().manifests.GetManifest("app", "again").value().bytes == json);
  DeleteManifest("app", digest);
  under_test().Advance(kHour);
  Reclaim();
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
}

// As many as one transaction takes, and as many as need several.
TEST_P(StoreManifestsTest, ManyReferences) {
  for (const size_t references : {kReferencesAtOnce, 2 * kReferencesAtOnce + 1}) {
    SCOPED_TRACE(references);
    ManifestParts parts;
    parts.config = Push("app", "{}");
    for (uint64_t i = 0; i + 1 < references; ++i) {
      parts.layers.push_back(Push("app", StrCat("layer ", i)));
    }
    const std::vector<std::string> tags = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    const Digest digest = PutManifest("app", ManifestJson(parts), tags);
    EXPECT_EQ(PutManifest("app", ManifestJson(parts), tags), digest);
    EXPECT_EQ(Able(Ability::kDeleteBlob).blobs.DeleteBlob("app", parts.layers.back()).code(),
              Code::kFailedPrecondition);
    parts.layers.push_back(Sha256("absent"));
    EXPECT_EQ(PutCode("app", ManifestJson(parts)), Code::kFailedPrecondition);
    DeleteManifest("app", digest);
    under_test().Advance(kHour);
    EXPECT_EQ(Reclaim().blobs, references + 1);
    EXPECT_EQ(StatCode("", parts.layers.front()), Code::kNotFound);
  }
}

TEST_P(StoreManifestsTest, TagsMoveAndGo) {
  const Image one = PushImage("app", 1, {"stable", "v1"});
  under_test().Advance(kSecond);
  const Image two = PushImage("app", 2, {"v2"});
  ASSERT_TRUE(store().manifests.Tag("app", "stable", two.manifest).ok());
  EXPECT_EQ(store().manifests.StatManifest("app", "stable")->digest, two.manifest);
  EXPECT_EQ(store().manifests.StatManifest("app", "v1")->digest, one.manifest);
  EXPECT_EQ(store().manifests.Tag("app", "x", Sha256("unknown")).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.Tag("app", "x", one.layer).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.Tag("none", "x", one.manifest).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.Tag("app", "x y", one.manifest).code(), Code::kInvalidArgument);
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  EXPECT_EQ(store().manifests.Untag("app", "v1", false).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.Untag("none", "v1", false).code(), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", one.manifest), Code::kOk);
}

TEST_P(StoreManifestsDeleteTest, DeleteTouchesItsRepositoryAndTagsOnly) {
  const Image image = PushImage("one", 1, {"v1", "v2"});
  PushImage("two", 1, {"v1"});
  const Image other = PushImage("one", 2, {"v3"});
  ASSERT_TRUE(store().manifests.DeleteManifest("one", image.manifest).ok());
  EXPECT_EQ(ManifestCode("one", image.manifest), Code::kNotFound);
  EXPECT_EQ(ManifestCode("one", "v1"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("one", "v2"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("one", "v3"), Code::kOk);
  EXPECT_EQ(ManifestCode("two", "v1"), Code::kOk);
  EXPECT_EQ(store().manifests.DeleteManifest("one", image.manifest).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.DeleteManifest("none", image.manifest).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.DeleteManifest("one", other.layer).code(), Code::kNotFound);
  under_test().Advance(48 * kHour);
  Reclaim();
  EXPECT_EQ(Read("two", image.layer), MakeBytes(100'000, 1));
  EXPECT_EQ(StatCode("one", image.layer), Code::kNotFound);
  EXPECT_EQ(store().manifests.ListTags("one", {})->rows.size(), 1u);
}

TEST_P(StoreManifestsTest, DeleteTakesHoweverManyTags) {
  const Image image = PushImage("app", 1);
  for (int i = 0; i < 700; ++i) {
    ASSERT_TRUE(store().manifests.Tag("app", StrCat("tag-", i), image.manifest).ok());
  }
  DeleteManifest("app", image.manifest);
  EXPECT_THAT(store().manifests.ListTags("app", {})->rows, SizeIs(0));
  under_test().Advance(kHour);
  EXPECT_EQ(Reclaim().blobs, 3u);
}

TEST_P(StoreManifestsTest, DeletedManifestMayBePushedAgainAtOnce) {
  const Image image = PushImage("app", 1, {"v1"});
  DeleteManifest("app", image.manifest);
  Reclaim();
  PutManifest("app", image.manifest_json, {"v1"});
  under_test().Advance(48 * kHour);
  Reclaim();
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kOk);
  EXPECT_TRUE(Read("app", image.layer) == MakeBytes(100'000, 1));
}

TEST_P(StoreManifestsTest, ChildOfAKeptIndexStaysInTheStore) {
  const Image image = PushImage("app", 1);
  PutManifest("app", IndexJson({image.manifest}), {"multi"});
  under_test().Advance(48 * kHour);
  EXPECT_EQ(Reclaim().blobs, 0u);
  EXPECT_EQ(ManifestCode("app", image.manifest), Code::kOk);
}

TEST_P(StoreManifestsWholeTest, WholeStorePutTakesBlobsFromAnywhereAndShowsThem) {
  ManifestParts parts;
  parts.config = Push("", "{}");
  parts.layers = {Push("private", MakeBytes(1000, 1))};
  const std::string json = ManifestJson(parts);
  EXPECT_EQ(PutCode("app", json), Code::kFailedPrecondition);
  PutManifestRequest request;
  request.bytes = json;
  request.whole_store = true;
  ASSERT_TRUE(store().manifests.PutManifest("app", request).ok());
  EXPECT_EQ(StatCode("app", parts.layers[0]), Code::kOk);
  under_test().Advance(48 * kHour);
  EXPECT_EQ(Reclaim().blobs, 0u);
}

TEST_P(StoreManifestsWholeTest, WholeStorePutStillNeedsItsBlobsAndItsChildren) {
  const Image image = PushImage("other", 1, {"v1"});
  PutManifestRequest request;
  request.whole_store = true;
  const std::string index = IndexJson({image.manifest});
  request.bytes = index;
  EXPECT_EQ(store().manifests.PutManifest("app", request).status().code(),
            Code::kFailedPrecondition);
  ManifestParts parts;
  parts.config = Sha256("never pushed");
  const std::string json = ManifestJson(parts);
  request.bytes = json;
  EXPECT_EQ(store().manifests.PutManifest("app", request).status().code(),
            Code::kFailedPrecondition);
}

TEST_P(StoreManifestsTest, ManyReferencesAndManyTagsGoTogether) {
  ManifestParts parts;
  parts.config = Push("app", "{}");
  for (uint64_t i = 0; i < 149; ++i) parts.layers.push_back(Push("app", MakeBytes(20, 1000 + i)));
  const Digest manifest = PutManifest("app", ManifestJson(parts), {"v0"});
  for (int i = 1; i < 700; ++i) {
    ASSERT_TRUE(store().manifests.Tag("app", StrCat("v", i), manifest).ok());
  }
  DeleteManifest("app", manifest);
  EXPECT_THAT(store().manifests.ListTags("app", {})->rows, SizeIs(0));
  under_test().Advance(48 * kHour);
  EXPECT_EQ(Reclaim().blobs, 151u);
  under_test().Reopen();
  EXPECT_EQ(ManifestCode("app", manifest), Code::kNotFound);
}

// As `rmi` refuses it; then in the order of a client that deletes all: tag, index, children.
TEST_P(StoreManifestsDeleteTest, WhatATaggedIndexListsIsNotDeleted) {
  const Image child = PushImage("app", 1);
  const Image beside = PushImage("app", 2);
  const Digest inner = PutManifest("app", IndexJson({child.manifest}));
  const Digest outer = PutManifest("app", IndexJson({inner, beside.manifest}), {"v1"});
  for (const Digest& part : {child.manifest, inner, beside.manifest}) {
    EXPECT_EQ(store().manifests.DeleteManifest("app", part).code(), Code::kFailedPrecondition);
    EXPECT_EQ(ManifestCode("app", part), Code::kOk);
  }
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  // An index without a name keeps nothing from this.
  EXPECT_TRUE(store().manifests.DeleteManifest("app", beside.manifest).ok());
  EXPECT_EQ(ManifestCode("app", beside.manifest), Code::kNotFound);
  for (const Digest& part : {outer, inner, child.manifest}) {
    EXPECT_TRUE(store().manifests.DeleteManifest("app", part).ok());
    EXPECT_EQ(ManifestCode("app", part), Code::kNotFound);
  }
}

// An image that names a manifest among its blobs needs the bytes, not that they are listed.
TEST_P(StoreManifestsDeleteTest, AManifestThatIsALayerCanBeDeletedAsAManifest) {
  const Image image = PushImage("app", 1);
  ManifestParts parts;
  parts.config = image.config;
  parts.layers = {image.manifest};
  PutManifest("app", ManifestJson(parts), {"v1"});
  EXPECT_TRUE(store().manifests.DeleteManifest("app", image.manifest).ok());
  EXPECT_EQ(ManifestCode("app", image.manifest), Code::kNotFound);
  EXPECT_EQ(Read("app", image.manifest), image.manifest_json);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreManifestsTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
