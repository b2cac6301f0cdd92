// The forms of image archives that loading takes, and what becomes of them.
#include <algorithm>

#include "client/archive/image_layout.h"
#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using LoadFormsTest = LoadTest;

// What `docker save` wrote before version 25: the second image shares its first layer by a link.
std::vector<TestEntry> OldDockerArchive(const TestImage& one, const TestImage& two) {
  const std::string one_config = Sha256Hex(one.config) + ".json";
  const std::string two_config = Sha256Hex(two.config) + ".json";
  return {{.name = "aa/layer.tar", .bytes = one.layers[0]},
          {.name = "aa/VERSION", .bytes = "1.0"},
          {.name = "bb/layer.tar", .bytes = "", .type = '2', .target = "../aa/layer.tar"},
          {.name = "cc/layer.tar", .bytes = two.layers[1]},
          {.name = one_config, .bytes = one.config},
          {.name = two_config, .bytes = two.config},
          {.name = "manifest.json",
           .bytes = "[{\"Config\":\"" + one_config +
                    "\",\"RepoTags\":[\"one:1\",\"docker.io/library/one:2\"],\"Layers\":[\"aa/"
                    "layer.tar\"]},{\"Config\":\"" +
                    two_config +
                    "\",\"RepoTags\":null,\"Layers\":[\"bb/layer.tar\",\"cc/layer.tar\"]}]"}};
}

TEST_F(LoadFormsTest, AnOldDockerArchiveKeepsItsConfigs) {
  const TestImage one({TestBytes(70'000, 1)});
  const TestImage two({TestBytes(70'000, 1), TestBytes(300, 2)});
  std::vector<TestEntry> entries = OldDockerArchive(one, two);
  std::vector<Digest> manifests;
  for (const From from : {From::kPipe, From::kFile}) {
    ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("one:1", "one:2", "untagged"));
    EXPECT_EQ(client_->StatManifest("one", "1")->config, one.id());
    EXPECT_EQ(client_->StatManifest("untagged", observer_.images[2].manifest)->config, two.id());
    EXPECT_EQ(Tagged("one", "1"), observer_.images[0].manifest);
    manifests.push_back(observer_.images[2].manifest);
    std::reverse(entries.begin(), entries.end());
  }
  EXPECT_EQ(manifests[0], manifests[1]);
  const absl::StatusOr<Manifest> manifest = client_->GetManifest("untagged", manifests[0]);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->info.media_type, kManifestType);
  EXPECT_EQ(manifest->bytes, two.manifest);
}

TEST_F(LoadFormsTest, CompressedLayersOfADockerArchiveAreKnownByTheirFirstBytes) {
  const std::string layer = TestBytes(5000, 3);
  const TestImage image({layer, layer});
  const std::string gzip = Compress(layer, "gzip");
  const std::string zstd = Compress(layer, "zstd");
  const std::string tar = Tar(
      {{.name = "config", .bytes = image.config},
       {.name = "a.tar.gz", .bytes = gzip},
       {.name = "b.tar", .bytes = zstd},
       {.name = "manifest.json",
        .bytes =
            "[{\"Config\":\"config\",\"RepoTags\":[\"c\"],\"Layers\":[\"a.tar.gz\",\"b.tar\"]}]"}});
  ASSERT_EQ(Load(tar), absl::OkStatus());
  ASSERT_EQ(Load(tar, From::kPipe), absl::OkStatus());
  const absl::StatusOr<Manifest> manifest = client_->GetManifest("c", "latest");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_THAT(manifest->bytes, HasSubstr("tar+gzip\",\"digest\":\"sha256:" + Sha256Hex(gzip)));
  EXPECT_THAT(manifest->bytes, HasSubstr("tar+zstd\",\"digest\":\"sha256:" + Sha256Hex(zstd)));
}

TEST_F(LoadFormsTest, TheNewDockerFormIsALayoutWithNamesInBothDocuments) {
  const TestImage image({TestBytes(900, 4)});
  const TestImage other({TestBytes(900, 5)});
  std::vector<TestEntry> entries = BlobEntries(image);
  for (const TestEntry& entry : BlobEntries(other)) entries.push_back(entry);
  entries = Layout(entries,
                   {Described(kManifestType, image.manifest, Named("docker.io/library/debian:12")),
                    Described(kManifestType, image.manifest, Named("quay.io/x/y:z")),
                    Described(kManifestType, other.manifest)});
  entries.push_back({.name = "manifest.json",
                     .bytes = "[{\"Config\":\"blobs/sha256/" + Sha256Hex(other.config) +
                              "\",\"RepoTags\":[\"localhost:5000/other:5\"],\"Layers\":[]}]"});
  ASSERT_EQ(Load(Tar(entries)), absl::OkStatus());
  EXPECT_THAT(observer_.loaded,
              ElementsAre("debian:12", "quay.io/x/y:z", "localhost__5000/other:5"));
  EXPECT_EQ(Tagged("debian", "12"), image.digest());
  EXPECT_EQ(Tagged("quay.io/x/y", "z"), image.digest());
  EXPECT_EQ(Tagged("localhost__5000/other", "5"), other.digest());
}

TEST_F(LoadFormsTest, EveryCompressionFromAFileAndAPipe) {
  uint32_t seed = 10;
  for (const char* const filter : {"gzip", "zstd", "xz", "bzip2"}) {
    for (const From from : {From::kFile, From::kPipe}) {
      const TestImage image({TestBytes(200'000, ++seed)});
      const std::string tar = Compress(Tar(LayoutOf(image, "app:1")), filter);
      ASSERT_EQ(Load(tar, from), absl::OkStatus()) << filter;
      EXPECT_EQ(Tagged("app", "1"), image.digest());
      EXPECT_TRUE(InStore(image.layers[0]));
    }
  }
}

// As pzstd writes it: each frame comes after one that is passed over.
TEST_F(LoadFormsTest, AZstdArchiveMayBeginWithASkippableFrame) {
  const std::string skippable("\x50\x2a\x4d\x18\x04\0\0\0more", 12);
  uint32_t seed = 30;
  for (const From from : {From::kFile, From::kPipe}) {
    const TestImage image({TestBytes(200'000, ++seed)});
    const std::string tar = Tar(LayoutOf(image, "app:1"));
    ASSERT_EQ(Load(skippable + Compress(tar.substr(0, 90'000), "zstd") + skippable +
                       Compress(tar.substr(90'000), "zstd"),
                   from),
              absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), image.digest());
  }
}

TEST_F(LoadFormsTest, ADirectoryIsALayoutToo) {
  const TestImage image({TestBytes(200'000, 20)});
  std::vector<TestEntry> entries = LayoutOf(image, "dir:1");
  // A link inside the layout.
  entries[0].name = "elsewhere";
  entries.push_back({.name = "blobs/sha256/" + Sha256Hex(image.layers[0]),
                     .bytes = "",
                     .type = '2',
                     .target = "../../elsewhere"});
  ASSERT_EQ(LoadPath(WriteDirectory("layout", entries)), absl::OkStatus());
  EXPECT_EQ(Tagged("dir", "1"), image.digest());
}

TEST_F(LoadFormsTest, EntriesInAnyOrderFromAPipe) {
  const TestImage image({TestBytes(100'000, 21), TestBytes(10, 22)});
  std::vector<TestEntry> entries = LayoutOf(image, "order:1");
  std::reverse(entries.begin(), entries.end());
  ASSERT_EQ(Load(Tar(entries), From::kPipe), absl::OkStatus());
  EXPECT_EQ(Tagged("order", "1"), image.digest());
}

class LoadIndexTest : public LoadTest {
 protected:
  LoadIndexTest() {
    inner_ = IndexOf({Described(kManifestType, amd64_.manifest, amd64_.platform),
                      Described(kManifestType, arm64_.manifest, arm64_.platform)});
    outer_ = IndexOf({Described(kIndexType, inner_)});
    blobs_ = BlobEntries(amd64_);
    for (const TestEntry& entry : BlobEntries(arm64_)) blobs_.push_back(entry);
    blobs_.push_back(BlobEntry(inner_));
    blobs_.push_back(BlobEntry(outer_));
  }
  std::string Archive() const {
    return Tar(Layout(blobs_, {Described(kIndexType, outer_, Named("docker.io/me/multi:1"))}));
  }

  const TestImage amd64_{{TestBytes(3000, 30)}};
  const TestImage arm64_{{TestBytes(3000, 31)}, "arm64"};
  std::string inner_;
  std::string outer_;
  std::vector<TestEntry> blobs_;
};

TEST_F(LoadIndexTest, NestedIndexesComeWithAllTheirChildren) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Archive(), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("me/multi:1"));
    EXPECT_EQ(observer_.images[0].manifest, Sha256Of(outer_));
    EXPECT_EQ(Tagged("me/multi", "1"), Sha256Of(outer_));
    for (const TestImage* image : {&amd64_, &arm64_}) {
      EXPECT_TRUE(client_->StatManifest("me/multi", image->digest()).ok());
      EXPECT_TRUE(client_->StatBlob("me/multi", Sha256Of(image->layers[0])).ok());
    }
  }
}

TEST_F(LoadIndexTest, OnePlatformCanBeLoadedAlone) {
  load_options_.platform = Platform{.os = "linux", .architecture = "arm64", .variant = "v8"};
  ASSERT_EQ(Load(Archive()), absl::OkStatus());
  EXPECT_EQ(Tagged("me/multi", "1"), arm64_.digest());
  EXPECT_EQ(observer_.images[0].manifest, arm64_.digest());
  EXPECT_FALSE(InStore(amd64_.layers[0]));
  load_options_.platform->architecture = "s390x";
  EXPECT_EQ(Load(Archive()).code(), absl::StatusCode::kFailedPrecondition);
}

// As `skopeo copy … dir:` and `podman save --format docker-dir` lay out what is in `blobs`.
std::vector<TestEntry> FlatLayout(std::vector<TestEntry> blobs, const std::string& manifest) {
  for (TestEntry& blob : blobs) {
    const bool document = blob.bytes.starts_with("{\"schemaVersion\"");
    blob.name = blob.name.substr(blob.name.rfind('/') + 1);
    if (document) blob.name += ".manifest.json";
    if (blob.bytes == manifest) blob.name = "manifest.json";
  }
  blobs.push_back({.name = "version", .bytes = "Directory Transport Version: 1.1\n"});
  return blobs;
}

TEST_F(LoadFormsTest, ADirectoryWithoutFoldersIsOneImage) {
  load_options_.repository = "flat";
  uint32_t seed = 60;
  for (const From from : {From::kFile, From::kPipe}) {
    const TestImage image({TestBytes(200'000, ++seed), TestBytes(10, ++seed)});
    ASSERT_EQ(Load(Tar(FlatLayout(BlobEntries(image), image.manifest)), from), absl::OkStatus());
    EXPECT_TRUE(client_->StatManifest("flat", image.digest()).ok());
  }
  const TestImage image({TestBytes(200'000, ++seed)});
  std::vector<TestEntry> entries = FlatLayout(BlobEntries(image), image.manifest);
  ASSERT_EQ(LoadPath(WriteDirectory("flat", entries)), absl::OkStatus());
  EXPECT_TRUE(client_->StatBlob("flat", Sha256Of(image.layers[0])).ok());
  EXPECT_EQ(observer_.images.back().manifest, image.digest());
}

TEST_F(LoadFormsTest, ADirectoryWithoutFoldersIsChecked) {
  uint32_t seed = 70;
  for (const From from : {From::kFile, From::kPipe}) {
    const TestImage image({TestBytes(200'000, ++seed)});
    std::vector<TestEntry> entries = FlatLayout(BlobEntries(image), image.manifest);
    entries[0].bytes[1000] ^= 1;
    EXPECT_EQ(Load(Tar(entries), from).code(), absl::StatusCode::kDataLoss);
    entries.erase(entries.begin());
    EXPECT_EQ(Load(Tar(entries), from).code(), absl::StatusCode::kNotFound);
  }
}

TEST_F(LoadFormsTest, ADirectoryWithoutFoldersNeedsItsVersion) {
  const TestImage image({TestBytes(100, 76)});
  std::vector<TestEntry> entries = FlatLayout(BlobEntries(image), image.manifest);
  ASSERT_EQ(entries.back().name, "version");
  entries.pop_back();
  for (const From from : {From::kFile, From::kPipe}) {
    const absl::Status status = Load(Tar(entries), from);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(
        std::string(status.message()),
        AllOf(HasSubstr("manifest.json"), HasSubstr("the file \"version\""), HasSubstr("skopeo")));
  }
}

TEST_F(LoadIndexTest, ADirectoryWithoutFoldersMayHoldAnIndex) {
  load_options_.repository = "flat";
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(FlatLayout(blobs_, outer_)), from), absl::OkStatus());
    EXPECT_EQ(observer_.images.back().manifest, Sha256Of(outer_));
    for (const TestImage* image : {&amd64_, &arm64_}) {
      EXPECT_TRUE(client_->StatManifest("flat", image->digest()).ok());
    }
  }
}

TEST_F(LoadFormsTest, ATagAloneNeedsARepository) {
  const TestImage image({TestBytes(100, 40)});
  const std::string tar =
      Tar(Layout(BlobEntries(image), {Described(kManifestType, image.manifest, RefNamed("1.0"))}));
  const absl::Status status = Load(tar);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--repository"));
  load_options_.repository = "named/here";
  ASSERT_EQ(Load(tar), absl::OkStatus());
  EXPECT_EQ(Tagged("named/here", "1.0"), image.digest());
}

TEST_F(LoadFormsTest, ARefNameCanBeAWholeName) {
  const TestImage image({TestBytes(100, 41)});
  ASSERT_EQ(Load(Tar(Layout(BlobEntries(image), {Described(kManifestType, image.manifest,
                                                           RefNamed("localhost/pod/man:3"))}))),
            absl::OkStatus());
  EXPECT_THAT(observer_.loaded, ElementsAre("pod/man:3"));
}

TEST_F(LoadFormsTest, AnImageWithoutANameGoesWhereTheOptionSays) {
  const TestImage image({TestBytes(100, 42)});
  const std::string tar =
      Tar(Layout(BlobEntries(image), {Described(kManifestType, image.manifest)}));
  ASSERT_EQ(Load(tar), absl::OkStatus());
  EXPECT_TRUE(client_->StatManifest("untagged", image.digest()).ok());
  load_options_.repository = "mine";
  ASSERT_EQ(Load(tar), absl::OkStatus());
  EXPECT_TRUE(client_->StatManifest("mine", image.digest()).ok());
  EXPECT_THAT(observer_.loaded, ElementsAre("mine"));
}

TEST_F(LoadFormsTest, MoreTagsThanOnePutTakes) {
  const TestImage image({TestBytes(100, 43)});
  std::vector<std::string> descriptors;
  for (int i = 0; i < 25; ++i) {
    descriptors.push_back(
        Described(kManifestType, image.manifest, Named("many:" + std::to_string(i))));
  }
  ASSERT_EQ(Load(Tar(Layout(BlobEntries(image), descriptors))), absl::OkStatus());
  EXPECT_EQ(observer_.loaded.size(), 25u);
  for (int i = 0; i < 25; ++i) EXPECT_EQ(Tagged("many", std::to_string(i)), image.digest()) << i;
}

TEST_F(LoadFormsTest, ATagThatNamedAnotherImageMoves) {
  const TestImage first({TestBytes(100, 44)});
  const TestImage second({TestBytes(100, 45)});
  ASSERT_EQ(Load(Tar(LayoutOf(first, "app:1"))), absl::OkStatus());
  ASSERT_EQ(Load(Tar(LayoutOf(first, "app:1"))), absl::OkStatus());
  EXPECT_THAT(observer_.moved, IsEmpty());
  ASSERT_EQ(Load(Tar(LayoutOf(second, "app:1"))), absl::OkStatus());
  EXPECT_THAT(observer_.moved, ElementsAre("app:1 from " + first.digest().ToString()));
  EXPECT_EQ(Tagged("app", "1"), second.digest());
}

TEST_F(LoadFormsTest, WhatNothingNamesIsNotUploadedFromAFile) {
  const TestImage image({TestBytes(100, 46)});
  std::vector<TestEntry> entries = LayoutOf(image, "app:1");
  const std::string extra = TestBytes(1000, 47);
  entries.insert(entries.begin(), BlobEntry(extra));
  ASSERT_EQ(Load(Tar(entries)), absl::OkStatus());
  EXPECT_FALSE(InStore(extra));
  ASSERT_EQ(Load(Tar(entries), From::kPipe), absl::OkStatus());
  EXPECT_EQ(Tagged("app", "1"), image.digest());
}

TEST_F(LoadFormsTest, WhatTheStoreHasIsNotUploadedAgain) {
  const TestImage image({TestBytes(100'000, 48)});
  const std::string tar = Tar(LayoutOf(image, "app:1"));
  for (const From from : {From::kPipe, From::kFile}) {
    ASSERT_EQ(Load(tar, from), absl::OkStatus());
    ASSERT_EQ(Load(tar, from), absl::OkStatus());
    EXPECT_THAT(observer_.started, IsEmpty());
    EXPECT_THAT(observer_.present,
                UnorderedElementsAre(Sha256Of(image.layers[0]).ToString(), image.id().ToString()));
  }
}

TEST_F(LoadFormsTest, ForeignLayersNeedNotBeThere) {
  const TestImage image({"base"});
  std::string manifest = image.manifest;
  const std::string type = "application/vnd.oci.image.layer.v1.tar";
  manifest.replace(manifest.find(type), type.size(),
                   "application/vnd.oci.image.layer.nondistributable.v1.tar");
  ASSERT_EQ(Load(Tar(Layout({BlobEntry(image.config), BlobEntry(manifest)},
                            {Described(kManifestType, manifest, Named("windows:1"))}))),
            absl::OkStatus());
  EXPECT_EQ(Tagged("windows", "1"), Sha256Of(manifest));
}

TEST_F(LoadFormsTest, DocumentsBeyondTheMemoryForThemGoThroughTheStore) {
  const TestImage image({TestBytes(100, 49)});
  load_options_.limits.max_kept_bytes = 10;
  ASSERT_EQ(Load(Tar(LayoutOf(image, "app:1")), From::kPipe), absl::OkStatus());
  EXPECT_EQ(Tagged("app", "1"), image.digest());
}

}  // namespace
}  // namespace varve
