// What `save` writes, `load` takes, and makes the same images of it; or `save` refuses it.
#include "client/archive/archive_contents.h"
#include "client/archive/image_layout.h"
#include "client/archive/image_plan.h"
#include "client/archive/save.h"
#include "client/archive/save_plan.h"
#include "gmock/gmock.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class LoadSavedTest : public LoadTest {
 protected:
  static std::string DescribedBy(DigestAlgorithm algorithm, const std::string& type,
                                 const std::string& bytes, const std::string& more = "") {
    return "{\"mediaType\":\"" + type + "\",\"digest\":\"" +
           HashBytes(algorithm, bytes).ToString() + "\",\"size\":" + std::to_string(bytes.size()) +
           more + "}";
  }

  static TestEntry EntryOf(DigestAlgorithm algorithm, const std::string& bytes) {
    std::string path = HashBytes(algorithm, bytes).ToString();
    path.replace(path.find(':'), 1, "/");
    return {.name = "blobs/" + path, .bytes = bytes};
  }

  // A layout of one image whose layer is `stored`, of the content `plain`.
  static std::vector<TestEntry> LayoutWith(const std::string& plain, const std::string& stored,
                                           const std::string& layer_type, const std::string& name,
                                           DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
    const std::string config = TestImage({plain}).config;
    const std::string manifest = ManifestOf(DescribedBy(algorithm, kConfigType, config),
                                            {DescribedBy(algorithm, layer_type, stored)});
    return Layout(
        {EntryOf(algorithm, stored), EntryOf(algorithm, config), EntryOf(algorithm, manifest)},
        {DescribedBy(algorithm, kManifestType, manifest, Named(name))});
  }

  absl::Status Save(const std::vector<std::string>& names, std::string* archive) {
    archive->clear();
    return SaveImages(*client_, names, {}, [&](std::string_view bytes) {
      archive->append(bytes);
      return absl::OkStatus();
    });
  }

  void StartEmpty() {
    StopDaemon();
    std::filesystem::remove_all(directory_ + "/data");
    StartDaemon();
  }

  // Saves app:1, and app:2 if there is one, and loads the archive into an empty store.
  void ExpectSameAfterSaveAndLoad(const std::vector<std::string>& names) {
    const Digest first = Tagged("app", "1");
    const Digest second = Tagged("app", "2");
    std::string archive;
    ASSERT_EQ(Save(names, &archive), absl::OkStatus());
    for (const From from : {From::kFile, From::kPipe}) {
      StartEmpty();
      EXPECT_EQ(Load(archive, from), absl::OkStatus());
      EXPECT_EQ(Tagged("app", "1"), first);
      EXPECT_EQ(Tagged("app", "2"), second);
    }
  }
};

TEST_F(LoadSavedTest, LayersThatDockerDoesNotKnowStayAsTheyAre) {
  const std::string plain = Tar({{.name = "file", .bytes = TestBytes(3000, 1)}});
  const std::string xz = Compress(plain, "xz");
  struct Case {
    std::string stored;
    std::string type;
  };
  const std::vector<Case> cases = {
      {TestBytes(4000, 2), std::string(kLayerType) + "+gzip+encrypted"},
      {TestBytes(4000, 3), std::string(kLayerType) + "+encrypted"},
      {xz, std::string(kLayerType) + "+xz"},
      {Compress(plain, "bzip2"), std::string(kLayerType) + "+bzip2"},
      {xz, "application/vnd.docker.image.rootfs.diff.tar.xz"},
      {TestBytes(4000, 4), "application/vnd.oci.image.layer.v1.erofs"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.type);
    ASSERT_EQ(Load(Tar(LayoutWith(plain, one.stored, one.type, "app:1"))), absl::OkStatus());
    std::string archive;
    ASSERT_EQ(Save({"app"}, &archive), absl::OkStatus());
    EXPECT_THAT(archive, Not(HasSubstr("manifest.json")));
    ExpectSameAfterSaveAndLoad({"app"});
    StartEmpty();
  }
}

TEST_F(LoadSavedTest, LayersThatDockerKnowsAreListedForIt) {
  const std::string plain = Tar({{.name = "file", .bytes = TestBytes(3000, 1)}});
  for (const std::string& type :
       {std::string(kLayerType) + "+gzip",
        std::string("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        std::string("application/vnd.docker.image.rootfs.diff.tar.gzip"),
        std::string("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")}) {
    SCOPED_TRACE(type);
    ASSERT_EQ(Load(Tar(LayoutWith(plain, Compress(plain, "gzip"), type, "app:1"))),
              absl::OkStatus());
    std::string archive;
    ASSERT_EQ(Save({"app"}, &archive), absl::OkStatus());
    EXPECT_THAT(archive, HasSubstr("manifest.json"));
    ExpectSameAfterSaveAndLoad({"app"});
    StartEmpty();
  }
}

TEST_F(LoadSavedTest, ImagesOfOtherDigestsStayAsTheyAre) {
  const std::string plain = Tar({{.name = "file", .bytes = TestBytes(3000, 1)}});
  const std::string directory = WriteDirectory(
      "layout", LayoutWith(plain, plain, kLayerType, "app:1", DigestAlgorithm::kSha512));
  ASSERT_EQ(LoadPath(directory), absl::OkStatus());
  EXPECT_EQ(Tagged("app", "1").algorithm(), DigestAlgorithm::kSha512);
  ExpectSameAfterSaveAndLoad({"app:1"});
}

// Encryption keeps the config, so manifest.json would be taken to speak of both.
TEST_F(LoadSavedTest, AnImageAndItsEncryptedFormStayAsTheyAre) {
  const std::string plain = Tar({{.name = "file", .bytes = TestBytes(3000, 1)}});
  for (const std::string& kind : {std::string("+encrypted"), std::string("+xz")}) {
    SCOPED_TRACE(kind);
    const std::string other = kind == "+xz" ? Compress(plain, "xz") : TestBytes(4000, 2);
    ASSERT_EQ(Load(Tar(LayoutWith(plain, plain, kLayerType, "app:2"))), absl::OkStatus());
    ASSERT_EQ(Load(Tar(LayoutWith(plain, other, kLayerType + kind, "app:1"))), absl::OkStatus());
    ExpectSameAfterSaveAndLoad({"app"});
    StartEmpty();
  }
}

TEST_F(LoadSavedTest, ThousandsOfTagsAreOneArchive) {
  const TestImage image({"layer"});
  ASSERT_EQ(Load(Tar(LayoutOf(image, "app:1"))), absl::OkStatus());
  for (int i = 2; i <= 1001; ++i) {
    ASSERT_TRUE(store_->manifests.Tag("app", std::to_string(i), image.digest()).ok());
  }
  std::string archive;
  ASSERT_EQ(Save({"app"}, &archive), absl::OkStatus());
  for (const From from : {From::kFile, From::kPipe}) {
    StartEmpty();
    ASSERT_EQ(Load(archive, from), absl::OkStatus());
    EXPECT_EQ(observer_.images.size(), 1001u);
    EXPECT_EQ(Tagged("app", "1001"), image.digest());
  }
}

TEST_F(LoadSavedTest, WhatLoadWouldRefuseIsNotSaved) {
  const TestImage image({"layer"});
  const std::string repository = std::string(250, 'a');
  ASSERT_EQ(Load(Tar(LayoutOf(image, repository + ":1"))), absl::OkStatus());
  constexpr size_t kEntryBytes = 900;  // at least, with such names
  for (size_t i = 0; i <= kMaxDocumentBytes / kEntryBytes; ++i) {
    const std::string tag = std::to_string(i) + std::string(120, 't');
    ASSERT_TRUE(store_->manifests.Tag(repository, tag, image.digest()).ok());
  }
  std::string archive;
  const absl::Status status = Save({repository}, &archive);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("varve load takes at most 4194304"));
  EXPECT_EQ(archive, "");
  EXPECT_EQ(Save({repository + ":1"}, &archive), absl::OkStatus());
}

TEST(CheckLoadableTest, HoldsToTheLimitsOfLoad) {
  const ArchiveSize most{.images = kMaxArchiveImages,
                         .index_bytes = kMaxDocumentBytes,
                         .files = kMaxArchiveEntries,
                         .contents = kMaxPlannedContents};
  EXPECT_EQ(CheckLoadable(most), absl::OkStatus());
  EXPECT_EQ(CheckArchiveImages(most.images), absl::OkStatus());
  EXPECT_FALSE(CheckArchiveImages(most.images + 1).ok());
  for (size_t ArchiveSize::*const field : {&ArchiveSize::images, &ArchiveSize::index_bytes,
                                           &ArchiveSize::files, &ArchiveSize::contents}) {
    ArchiveSize size = most;
    ++(size.*field);
    const absl::Status status = CheckLoadable(size);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(size.*field)));
  }
}

TEST_F(LoadSavedTest, AWindowThatIsTooLargeIsNoDamage) {
  const std::string plain = Tar({{.name = "file", .bytes = TestBytes(3000, 1)}});
  std::string zstd = Compress(plain, "zstd");
  ASSERT_EQ(zstd[4] & 0x20, 0) << "its window is stated";
  zstd[5] = static_cast<char>((28 - 10) << 3);
  std::vector<TestEntry> entries =
      LayoutWith(plain, zstd, std::string(kLayerType) + "+zstd", "app:1");
  const std::string config = TestImage({plain}).config;
  entries.push_back({.name = "manifest.json",
                     .bytes = "[{\"Config\":\"blobs/sha256/" + Sha256Hex(config) +
                              "\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"blobs/sha256/" +
                              Sha256Hex(zstd) + "\"]}]"});
  for (const From from : {From::kFile, From::kPipe}) {
    const absl::Status status = Load(Tar(entries), from);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("a window of 268435456 bytes"), HasSubstr("134217728"),
                      Not(HasSubstr("damaged"))));
  }
  zstd = Compress(Tar(entries), "zstd");
  zstd[5] = static_cast<char>((28 - 10) << 3);
  for (const From from : {From::kFile, From::kPipe}) {
    const absl::Status status = Load(zstd, from);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("a window of 268435456 bytes"));
  }
}

// What a bomb began to unpack to is of no use to anybody.
TEST_F(LoadSavedTest, ARefusedBombLeavesNoUpload) {
  const std::string zeros(8 * kMiB, '\0');
  const std::string bomb = Compress(Tar(LayoutWith(zeros, zeros, kLayerType, "app:1")), "gzip");
  load_options_.limits.reader.free_bytes = 3 * kMiB;
  for (const From from : {From::kFile, From::kPipe}) {
    EXPECT_EQ(Load(bomb, from).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(observer_.started, Not(IsEmpty()));
    const absl::StatusOr<UploadPage> uploads = client_->ListUploads("", 10);
    ASSERT_TRUE(uploads.ok()) << uploads.status();
    EXPECT_THAT(uploads->uploads, IsEmpty());
  }
}

}  // namespace
}  // namespace varve
