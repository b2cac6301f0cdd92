// Docker archives, judged by Docker's rules: what manifest.json says counts, and every layer is
// what the config says, whatever compressed it. From a file and a pipe alike.
#include <utility>

#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kFilters[] = {"", "gzip", "zstd", "xz", "bzip2"};

std::string Packed(const std::string& bytes, const std::string& filter) {
  return filter.empty() ? bytes : Compress(bytes, filter.c_str());
}

// A tar archive of one file, as a layer is.
std::string LayerOf(uint32_t seed) {
  return Tar({{.name = "file" + std::to_string(seed), .bytes = TestBytes(20'000, seed)}});
}

std::string DockerList(const std::string& config, const std::string& tags,
                       const std::vector<std::string>& layers) {
  std::vector<std::string> quoted;
  for (const std::string& layer : layers) quoted.push_back("\"" + layer + "\"");
  return "{\"Config\":\"" + config + "\",\"RepoTags\":[" + tags + "],\"Layers\":[" + Join(quoted) +
         "]}";
}

class LoadDockerTest : public LoadTest {
 protected:
  // A Docker archive of `image` as app:1, whose layer is the entry `layer`.
  static std::vector<TestEntry> Archive(const TestImage& image, const TestEntry& layer) {
    return {layer,
            {.name = "c.json", .bytes = image.config},
            {.name = "manifest.json",
             .bytes = "[" + DockerList("c.json", "\"app:1\"", {layer.name}) + "]"}};
  }

  void ExpectRefused(const std::vector<TestEntry>& entries, absl::StatusCode code,
                     const std::string& part) {
    std::vector<std::string> said;
    for (const From from : {From::kFile, From::kPipe, From::kFile}) {
      const absl::Status status = Load(Tar(entries), from);
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(part));
      EXPECT_THAT(observer_.loaded, IsEmpty());
      EXPECT_EQ(Tagged("app", "1"), Digest());
      said.emplace_back(status.message());
    }
    EXPECT_EQ(said[0], said[1]);
    EXPECT_EQ(said[0], said[2]) << "what is left of the first tries does not matter";
  }

  void ExpectLoads(const std::vector<TestEntry>& entries, const TestImage& image) {
    for (const From from : {From::kPipe, From::kFile}) {
      ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
      EXPECT_THAT(observer_.loaded, ElementsAre("app:1"));
      EXPECT_EQ(client_->StatManifest("app", "1")->config, image.id());
      ASSERT_TRUE(client_->Untag("app", "1", false).ok());
    }
  }

  std::string StoredManifest(const std::string& repository, const std::string& tag) {
    const absl::StatusOr<Manifest> manifest = client_->GetManifest(repository, tag);
    return manifest.ok() ? manifest->bytes : std::string(manifest.status().message());
  }
};

TEST_F(LoadDockerTest, ALayerIsItsDiffIdWhateverCompressedIt) {
  uint32_t seed = 0;
  for (const std::string filter : kFilters) {
    SCOPED_TRACE(filter);
    const TestImage right({LayerOf(++seed)});
    const TestImage wrong({LayerOf(++seed)});
    const TestEntry layer = {.name = "l.tar", .bytes = Packed(right.layers[0], filter)};
    ExpectRefused(Archive(wrong, layer), absl::StatusCode::kDataLoss, "l.tar");
    ExpectLoads(Archive(right, layer), right);
  }
}

TEST_F(LoadDockerTest, ALayerThatCannotBeDecompressedIsDamage) {
  uint32_t seed = 100;
  for (const std::string filter : kFilters) {
    if (filter.empty()) continue;
    SCOPED_TRACE(filter);
    const TestImage image({LayerOf(++seed)});
    const std::string whole = Packed(image.layers[0], filter);
    for (const std::string& bytes : {whole.substr(0, whole.size() / 2), whole + "more"}) {
      ExpectRefused(Archive(image, {.name = "l.tar", .bytes = bytes}), absl::StatusCode::kDataLoss,
                    "the archive is damaged");
    }
  }
}

TEST_F(LoadDockerTest, WhatNoOciLayerCanHaveIsStoredUncompressed) {
  uint32_t seed = 200;
  for (const char* const filter : {"xz", "bzip2"}) {
    for (const From from : {From::kFile, From::kPipe}) {
      const TestImage image({LayerOf(++seed)});
      const std::string packed = Compress(image.layers[0], filter);
      ASSERT_EQ(Load(Tar(Archive(image, {.name = "l.tar.xz", .bytes = packed})), from),
                absl::OkStatus());
      EXPECT_EQ(StoredManifest("app", "1"), image.manifest) << "the layer is its diff id";
      EXPECT_TRUE(client_->StatBlob("app", Sha256Of(image.layers[0])).ok());
      EXPECT_FALSE(client_->StatBlob("app", Sha256Of(packed)).ok());
    }
  }
}

TEST_F(LoadDockerTest, FramesInAnyLegalOrder) {
  const std::string layer = LayerOf(300);
  const TestImage image({layer});
  const std::string skippable = std::string("\x5a\x2a\x4d\x18\x04\0\0\0more", 12);
  const auto halves = [&](const char* filter) {
    return std::pair(Compress(layer.substr(0, 5000), filter), Compress(layer.substr(5000), filter));
  };
  const auto [zstd, more_zstd] = halves("zstd");
  const auto [gzip, more_gzip] = halves("gzip");
  const auto [xz, more_xz] = halves("xz");
  const auto [bzip2, more_bzip2] = halves("bzip2");
  const std::vector<std::string> forms = {zstd + more_zstd,
                                          skippable + zstd + more_zstd,
                                          zstd + skippable + more_zstd + skippable,
                                          skippable + skippable + zstd + more_zstd,
                                          gzip + more_gzip,
                                          xz + more_xz,
                                          xz + std::string(8, '\0') + more_xz,
                                          bzip2 + more_bzip2};
  for (size_t i = 0; i < forms.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectLoads(Archive(image, {.name = "l.tar", .bytes = forms[i]}), image);
  }
}

TEST_F(LoadDockerTest, AnyNameIsThatOfALayer) {
  for (const char* const name : {"layer0", "a/b/data", "VERSION"}) {
    const TestImage image({LayerOf(400)});
    ExpectLoads(Archive(image, {.name = name, .bytes = image.layers[0]}), image);
  }
  const TestImage none({TestBytes(20'000, 401)});
  ExpectRefused(Archive(none, {.name = "layer0", .bytes = none.layers[0]}),
                absl::StatusCode::kInvalidArgument, "neither a layer nor");
}

TEST_F(LoadDockerTest, NamesMeanTheSameHoweverTheyAreWritten) {
  const TestImage image({LayerOf(410)});
  for (const char* const entry : {"d/l.tar", "/d/l.tar", "./d/l.tar", "d//l.tar"}) {
    for (const char* const listed : {"d/l.tar", "/d/l.tar", "./d/./l.tar"}) {
      ExpectLoads({{.name = entry, .bytes = image.layers[0]},
                   {.name = "./c.json", .bytes = image.config},
                   {.name = "/manifest.json",
                    .bytes = "[" + DockerList("/c.json", "\"app:1\"", {listed}) + "]"}},
                  image);
    }
  }
}

TEST_F(LoadDockerTest, LinksBetweenLayersAreFollowed) {
  const TestImage image({LayerOf(420)});
  const TestEntry real = {.name = "aa/layer.tar", .bytes = image.layers[0]};
  for (const TestEntry& link :
       std::vector<TestEntry>{{.name = "bb/layer.tar", .type = '2', .target = "../aa/layer.tar"},
                              {.name = "bb/layer.tar", .type = '2', .target = "/aa/layer.tar"},
                              {.name = "bb/layer.tar", .type = '1', .target = "aa/layer.tar"},
                              {.name = "bb/layer.tar", .type = '1', .target = "./aa/layer.tar"},
                              {.name = "bb", .type = '2', .target = "aa"},
                              {.name = "bb", .type = '2', .target = "cc"}}) {
    std::vector<TestEntry> entries = Archive(image, {.name = "bb/layer.tar"});
    entries[0] = link;
    entries.insert(entries.begin(), {.name = "cc", .type = '2', .target = "./aa"});
    entries.push_back(real);
    ExpectLoads(entries, image);
  }
}

TEST_F(LoadDockerTest, AnEntryThatComesAgainWithTheSameBytesIsHarmless) {
  const TestImage image({LayerOf(430)});
  for (const std::string filter : {"", "gzip", "xz"}) {
    std::vector<TestEntry> entries =
        Archive(image, {.name = "l.tar", .bytes = Packed(image.layers[0], filter)});
    const std::vector<TestEntry> once = entries;
    entries.insert(entries.end(), once.begin(), once.end());
    ExpectLoads(entries, image);
    entries.back().bytes[3] ^= 1;
    ExpectRefused(entries, absl::StatusCode::kInvalidArgument, "twice");
    entries = once;
    entries.push_back(once[0]);
    entries.back().bytes.back() ^= 1;
    ExpectRefused(entries, absl::StatusCode::kInvalidArgument, "twice");
    entries.back().bytes += "x";
    ExpectRefused(entries, absl::StatusCode::kInvalidArgument, "twice");
  }
}

TEST_F(LoadDockerTest, ALayerThatOnlyAnotherNameHasIsFound) {
  uint32_t seed = 440;  // another image each time, for the store keeps the layer
  for (const From from : {From::kFile, From::kPipe}) {
    const TestImage image({LayerOf(++seed)});
    const TestEntry moved = {.name = "moved.tar", .bytes = image.layers[0]};
    std::vector<TestEntry> entries = Archive(image, {.name = "l.tar", .bytes = "not this one"});
    entries[0] = moved;
    ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
    EXPECT_EQ(client_->StatManifest("app", "1")->config, image.id());
  }
}

TEST_F(LoadDockerTest, ABaseThatIsHereMayBeAbsent) {
  const std::string base = LayerOf(440);
  const std::string top = LayerOf(441);
  const TestImage below({base});
  const TestImage image({base, top});
  const std::vector<TestEntry> entries = {
      {.name = "top.tar", .bytes = top},
      {.name = "c.json", .bytes = image.config},
      {.name = "manifest.json",
       .bytes = "[" + DockerList("c.json", "\"app:1\"", {"base.tar", "top.tar"}) + "]"}};
  EXPECT_EQ(Load(Tar(entries)).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(InStore(top)) << "nothing is sent of an image that is not whole";
  ExpectRefused(entries, absl::StatusCode::kNotFound, "base.tar");
  ASSERT_EQ(Load(Tar(LayoutOf(below, "base:1"))), absl::OkStatus());
  ExpectLoads(entries, image);
}

TEST_F(LoadDockerTest, ACompressedBaseIsKnownByItsName) {
  const std::string base = LayerOf(450);
  const std::string packed = Compress(base, "gzip");
  const TestImage image({base});
  const std::string config =
      "[" + DockerList("c.json", "\"app:1\"", {Sha256Hex(packed) + ".tar.gz"}) + "]";
  const std::vector<TestEntry> entries = {{.name = "c.json", .bytes = image.config},
                                          {.name = "manifest.json", .bytes = config}};
  ExpectRefused(entries, absl::StatusCode::kNotFound, Sha256Hex(packed));
  ASSERT_EQ(Load(Tar(LayoutOf(TestImage({packed}), "base:1"))), absl::OkStatus());
  ExpectLoads(entries, image);
}

// What is beside manifest.json may be poorer.
class LoadBothFormsTest : public LoadDockerTest {
 protected:
  // The blobs of `image` as a layout has them, the layers packed; and what both documents say.
  static std::vector<TestEntry> Both(const std::vector<TestEntry>& blobs,
                                     const std::vector<std::string>& descriptors,
                                     const std::string& docker) {
    std::vector<TestEntry> entries = Layout(blobs, descriptors);
    entries.push_back({.name = "manifest.json", .bytes = "[" + docker + "]"});
    return entries;
  }
  static std::string Listed(const TestImage& image, const std::string& tags) {
    std::vector<std::string> layers;
    for (const std::string& layer : image.layers) layers.push_back(BlobEntry(layer).name);
    return DockerList(BlobEntry(image.config).name, tags, layers);
  }
};

TEST_F(LoadBothFormsTest, AManifestWithoutItsLayersIsNotTheImage) {
  const TestImage image({LayerOf(500)});
  TestImage poorer(std::vector<std::string>{});
  poorer.config = image.config;
  poorer.manifest = ManifestOf(Described(kConfigType, image.config), {});
  const std::vector<TestEntry> blobs = {BlobEntry(image.layers[0]), BlobEntry(image.config),
                                        BlobEntry(poorer.manifest)};
  const std::vector<std::string> listed = {
      Described(kManifestType, poorer.manifest, Named("docker.io/library/app:1"))};
  ExpectRefused(Layout(blobs, listed), absl::StatusCode::kNotFound, "lists 0 layers, its config 1");
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(Both(blobs, listed, Listed(image, "\"app:1\",\"app:2\""))), from),
              absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("app:1", "app:2"));
    EXPECT_EQ(StoredManifest("app", "1"), image.manifest);
  }
}

TEST_F(LoadBothFormsTest, ImagesAndNamesOfBothAreLoaded) {
  const TestImage one({LayerOf(510)});
  const TestImage two({LayerOf(511)});
  const TestImage three({LayerOf(512)});
  std::vector<TestEntry> blobs = BlobEntries(one);
  for (const TestEntry& entry : BlobEntries(two)) blobs.push_back(entry);
  for (const TestEntry& entry : BlobEntries(three)) blobs.push_back(entry);
  const std::vector<std::string> listed = {Described(kManifestType, one.manifest, Named("one:1")),
                                           Described(kManifestType, two.manifest, Named("two:1"))};
  const std::string docker =
      Listed(two, "\"two:1\",\"two:2\"") + "," + Listed(three, "\"three:1\"");
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(Both(blobs, listed, docker)), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("one:1", "two:1", "two:2", "three:1"));
    EXPECT_EQ(Tagged("two", "2"), two.digest());
    EXPECT_EQ(Tagged("three", "1"), three.digest());
  }
}

TEST_F(LoadBothFormsTest, LayersOfTheManifestAreCheckedToo) {
  for (const bool right : {false, true}) {
    const std::string layer = Compress(LayerOf(right ? 520 : 521), "gzip");
    const TestImage named({LayerOf(520)});
    TestImage image({layer});
    const std::string diff_id = Sha256Hex(layer);
    image.config.replace(image.config.find(diff_id), diff_id.size(), Sha256Hex(named.layers[0]));
    image.manifest = ManifestOf(Described(kConfigType, image.config),
                                {Described("application/vnd.oci.image.layer.v1.tar+gzip", layer)});
    const std::vector<std::string> listed = {
        Described(kManifestType, image.manifest, Named("app:1"))};
    const std::vector<TestEntry> entries =
        Both(BlobEntries(image), listed, Listed(image, "\"app:1\""));
    if (right) {
      ExpectLoads(entries, image);
    } else {
      ExpectRefused(entries, absl::StatusCode::kDataLoss, Sha256Hex(layer));
    }
  }
}

TEST_F(LoadBothFormsTest, ALayerThatNoOciImageHasIsTakenAsDockerWould) {
  const TestImage image({LayerOf(530)});
  const std::string packed = Compress(image.layers[0], "xz");
  const std::string manifest =
      ManifestOf(Described(kConfigType, image.config), {Described(kLayerType, packed)});
  const std::vector<TestEntry> entries =
      Both({BlobEntry(packed), BlobEntry(image.config), BlobEntry(manifest)},
           {Described(kManifestType, manifest, Named("app:1"))},
           DockerList(BlobEntry(image.config).name, "\"app:1\"", {BlobEntry(packed).name}));
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
    EXPECT_EQ(StoredManifest("app", "1"), image.manifest);
  }
}

}  // namespace
}  // namespace varve
