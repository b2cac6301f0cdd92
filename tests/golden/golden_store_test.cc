// Stores written by earlier versions open and show all they held; what must be refused is refused
// with a sentence that says what to do.
#include "tests/golden/golden_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_format.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/str_cat.h"
#include "storage/store_file.h"
#include "tests/crash/model.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// The store of one version, copied; by default of the newest.
class GoldenStoreTest : public ::testing::Test {
 protected:
  explicit GoldenStoreTest(const std::string& version = "v2") {
    store_ = fs::path(::testing::TempDir()) / StrCat("varve_golden_", getpid());
    fs::remove_all(store_);
    fs::copy(fs::path(VARVE_GOLDEN_DIRECTORY) / version, store_, fs::copy_options::recursive);
  }
  ~GoldenStoreTest() override { fs::remove_all(store_); }

  absl::StatusOr<std::unique_ptr<Engine>> Open() {
    EngineOptions options;
    options.clock = &clock_;
    options.random = &random_;
    return OpenEngine(store_.string(), options);
  }

  std::string ReadStoreText() {
    std::ifstream in(store_ / "STORE", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void WriteStoreText(const std::string& text) {
    std::ofstream(store_ / "STORE", std::ios::binary) << text;
  }

  void ExpectRefused(absl::StatusCode code, const std::string& sentence) {
    const absl::Status refused = Open().status();
    EXPECT_EQ(refused.code(), code);
    EXPECT_THAT(std::string(refused.message()), HasSubstr(sentence));
  }

  fs::path store_;
  FakeClock clock_;
  SeededRandom random_{2};
  const GoldenContent content_ = MakeGoldenContent();
};

class EveryVersionTest : public GoldenStoreTest, public ::testing::WithParamInterface<const char*> {
 protected:
  EveryVersionTest() : GoldenStoreTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Versions, EveryVersionTest, ::testing::Values("v1", "v2"),
                         [](const auto& version) { return version.param; });

// The text with its checksum made right again.
std::string Resealed(std::string text) {
  text.resize(text.find("checksum "));
  return StrCat(text, "checksum ",
                absl::StrFormat("%016x\n", XXH3_64bits(text.data(), text.size())));
}

std::string ReadBlob(Blobs& blobs, const std::string& repository, const TestBlob& blob) {
  const absl::StatusOr<BlobReader> reader = blobs.OpenBlob(repository, blob.digest);
  if (!reader.ok()) return reader.status().ToString();
  const absl::StatusOr<std::string> bytes = ReadWhole(*reader);
  return bytes.ok() ? *bytes : bytes.status().ToString();
}

TEST_P(EveryVersionTest, ShowsItsBlobs) {
  const absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  for (const TestBlob& blob : {content_.config, content_.layer, content_.sha512}) {
    EXPECT_EQ(ReadBlob((*store)->blobs, kGoldenApp, blob), blob.bytes);
  }
  EXPECT_EQ(ReadBlob((*store)->blobs, kGoldenMirror, content_.layer), content_.layer.bytes);
  EXPECT_TRUE(
      absl::IsNotFound((*store)->blobs.StatBlob(kGoldenMirror, content_.config.digest).status()));
  const absl::StatusOr<BlobInfo> info = (*store)->blobs.StatBlob(kGoldenApp, content_.layer.digest);
  ASSERT_EQ(info.status(), absl::OkStatus());
  EXPECT_EQ(info->size_bytes, content_.layer.bytes.size());
  EXPECT_EQ(info->created_nanos, FakeClock::kDefaultWallNanos);
}

TEST_P(EveryVersionTest, ShowsItsManifestsTagsAndReferrers) {
  const absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  for (const TestManifest& manifest : {content_.image, content_.signature, content_.index}) {
    const absl::StatusOr<Manifest> read =
        (*store)->manifests.GetManifest(kGoldenApp, manifest.digest);
    ASSERT_EQ(read.status(), absl::OkStatus());
    EXPECT_EQ(read->bytes, manifest.bytes);
    EXPECT_EQ(read->info.subject, manifest.subject);
    EXPECT_EQ(read->info.pushed_nanos, FakeClock::kDefaultWallNanos);
  }
  const absl::StatusOr<Page<TagInfo>> tags =
      (*store)->manifests.ListTags(kGoldenApp, {.after = ""});
  ASSERT_EQ(tags.status(), absl::OkStatus());
  std::vector<std::string> names;
  for (const TagInfo& tag : tags->rows) names.push_back(tag.name);
  EXPECT_THAT(names, ElementsAre("all", "latest", "v1"));
  EXPECT_EQ(tags->rows[0].digest, content_.index.digest);
  EXPECT_EQ(tags->rows[1].digest, content_.image.digest);
  const absl::StatusOr<Page<ReferrerInfo>> referrers =
      (*store)->manifests.ListReferrers(kGoldenApp, content_.image.digest, "", {.after = ""});
  ASSERT_EQ(referrers.status(), absl::OkStatus());
  ASSERT_EQ(referrers->rows.size(), 1u);
  EXPECT_EQ(referrers->rows[0].manifest.digest, content_.signature.digest);
}

TEST_P(EveryVersionTest, IsSound) {
  const absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  const absl::StatusOr<CheckReport> report = (*store)->system.Check([](const CheckStep& step) {
    if (step.finding.has_value()) ADD_FAILURE() << step.finding->text;
    return true;
  });
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(report->manifests, 3u);
}

TEST_P(EveryVersionTest, NamesTheRepositoriesOfAnId) {
  const absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  const absl::StatusOr<ImageMatch> match =
      (*store)->images.FindImage(content_.image.digest.ToString());
  ASSERT_EQ(match.status(), absl::OkStatus());
  EXPECT_EQ(match->manifest, content_.image.digest);
  ASSERT_EQ(match->places.size(), 1u);
  EXPECT_EQ(match->places[0].repository, kGoldenApp);
  EXPECT_THAT(match->places[0].tags, ElementsAre("latest", "v1"));
}

TEST_P(EveryVersionTest, GoesOnWithItsUpload) {
  const absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  const absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
      (*store)->blobs.ResumeUpload(kGoldenApp, kGoldenUpload);
  ASSERT_EQ(upload.status(), absl::OkStatus());
  EXPECT_EQ((*upload)->status().offset_bytes, kGoldenUploadBytes);
  const std::string_view rest = std::string_view(content_.upload.bytes).substr(kGoldenUploadBytes);
  ASSERT_EQ((*upload)->Append(kGoldenUploadBytes, rest), absl::OkStatus());
  ASSERT_EQ((*upload)->Commit(content_.upload.digest, {}).status(), absl::OkStatus());
  EXPECT_EQ(ReadBlob((*store)->blobs, kGoldenApp, content_.upload), content_.upload.bytes);
}

TEST_P(EveryVersionTest, TakesDeletionsAndGivesItsFilesBack) {
  absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  for (const TestManifest& manifest : {content_.index, content_.signature, content_.image}) {
    ASSERT_EQ((*store)->manifests.DeleteManifest(kGoldenApp, manifest.digest), absl::OkStatus());
  }
  clock_.Advance(48 * 3600 * kNanosPerSecond);
  ASSERT_EQ((*store)->system.Reclaim().status(), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound((*store)->blobs.StatBlob("", content_.layer.digest).status()));
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(store_ / "blobs")) {
    if (entry.is_regular_file()) ++files;
  }
  EXPECT_EQ(files, 0u);
}

TEST_F(GoldenStoreTest, ANewerFormatIsRefusedNamingBothVersions) {
  WriteStoreText("varve-store 3\nwhatever the future writes\n");
  ExpectRefused(absl::StatusCode::kFailedPrecondition,
                "the store was written by a newer Varve (format 3, this one knows 2); install the "
                "newer version");
}

TEST_P(EveryVersionTest, IsOfTheNewestVersionOnceItWasOpened) {
  const absl::StatusOr<StoreFile> before = DecodeStoreFile(ReadStoreText());
  ASSERT_EQ(before.status(), absl::OkStatus());
  EXPECT_EQ(StrCat("v", before->format_version), GetParam());
  for (int opening = 0; opening < 2; ++opening) {
    const absl::StatusOr<std::unique_ptr<Engine>> store = Open();
    ASSERT_EQ(store.status(), absl::OkStatus());
    EXPECT_EQ((*store)->system.Info()->format_version, kStoreFormatVersion);
    EXPECT_EQ(ReadBlob((*store)->blobs, kGoldenApp, content_.layer), content_.layer.bytes);
  }
  const absl::StatusOr<StoreFile> after = DecodeStoreFile(ReadStoreText());
  ASSERT_EQ(after.status(), absl::OkStatus());
  EXPECT_EQ(after->format_version, kStoreFormatVersion);
  EXPECT_EQ(after->uuid, before->uuid);
  EXPECT_EQ(after->created_nanos, before->created_nanos);
  EXPECT_FALSE(fs::exists(store_ / "STORE.new"));
}

// What a crash in the middle of an upgrade leaves.
TEST_P(EveryVersionTest, ARewriteThatWasBrokenOffIsDoneAgain) {
  std::ofstream(store_ / "STORE.new", std::ios::binary) << "varve-store 2\nuuid 91";
  ASSERT_EQ(Open().status(), absl::OkStatus());
  ASSERT_EQ(Open().status(), absl::OkStatus());
  EXPECT_EQ(DecodeStoreFile(ReadStoreText())->format_version, kStoreFormatVersion);
}

// Rows of both versions stand side by side after an upgrade.
TEST_P(EveryVersionTest, TakesPushesBesideItsOwnBlobs) {
  absl::StatusOr<std::unique_ptr<Engine>> store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  const TestBlob layer = MakeBlob(5, 70'000);
  ASSERT_EQ(PushBlob((*store)->blobs, kGoldenApp, layer), absl::OkStatus());
  const TestManifest image = MakeImage(content_.config, {content_.layer, layer});
  ASSERT_EQ(PutManifest((*store)->manifests, kGoldenApp, image, {"v2"}), absl::OkStatus());
  ASSERT_EQ(PushBlob((*store)->blobs, kGoldenApp, content_.layer), absl::OkStatus());
  ASSERT_EQ(PushBlob((*store)->blobs, kGoldenApp, content_.config), absl::OkStatus());
  store->reset();
  store = Open();
  ASSERT_EQ(store.status(), absl::OkStatus());
  for (const TestBlob& blob : {content_.config, content_.layer, content_.sha512, layer}) {
    EXPECT_EQ(ReadBlob((*store)->blobs, kGoldenApp, blob), blob.bytes);
  }
}

TEST_P(EveryVersionTest, LinesAndCompatBitsThatAreNotKnownStayAsTheyAre) {
  std::string text = ReadStoreText();
  text.replace(text.find("\ncompat 0"), 9, "\nencoder_model go/1.26/6\nsealed\ncompat 8");
  WriteStoreText(Resealed(text));
  ASSERT_EQ(Open().status(), absl::OkStatus());
  const absl::StatusOr<StoreFile> store = DecodeStoreFile(ReadStoreText());
  ASSERT_EQ(store.status(), absl::OkStatus());
  EXPECT_THAT(store->other_lines, ElementsAre("encoder_model go/1.26/6", "sealed"));
  EXPECT_EQ(store->compat, 8u);
  // Written again, they are still the same.
  const absl::StatusOr<StoreFile> again = DecodeStoreFile(EncodeStoreFile(*store));
  ASSERT_EQ(again.status(), absl::OkStatus());
  EXPECT_EQ(again->other_lines, store->other_lines);
}

TEST_F(GoldenStoreTest, ALineThatIsThereTwiceOrMissingIsDamage) {
  const std::string text = ReadStoreText();
  for (const char* name : {"uuid", "created", "compat", "ro_compat", "incompat"}) {
    const size_t begin = text.find(StrCat("\n", name, " ")) + 1;
    const size_t end = text.find('\n', begin) + 1;
    std::string twice = text;
    twice.insert(end, text.substr(begin, end - begin));
    WriteStoreText(Resealed(twice));
    ExpectRefused(absl::StatusCode::kDataLoss, "the STORE file is damaged");
    std::string missing = text;
    missing.erase(begin, end - begin);
    WriteStoreText(Resealed(missing));
    ExpectRefused(absl::StatusCode::kDataLoss, "the STORE file is damaged");
  }
}

TEST_F(GoldenStoreTest, AnUnknownIncompatBitIsRefused) {
  std::string text = ReadStoreText();
  text.replace(text.find("\nincompat 0"), 11, "\nincompat 4");
  WriteStoreText(Resealed(text));
  ExpectRefused(absl::StatusCode::kFailedPrecondition,
                "the store uses features of a newer Varve (incompat 4, ro_compat 0); install the "
                "newer version");
}

TEST_F(GoldenStoreTest, AnUnknownCompatBitIsIgnored) {
  std::string text = ReadStoreText();
  text.replace(text.find("\ncompat 0"), 9, "\ncompat 8");
  WriteStoreText(Resealed(text));
  EXPECT_EQ(Open().status(), absl::OkStatus());
}

TEST_F(GoldenStoreTest, ADamagedStoreFileIsRefused) {
  const std::string text = ReadStoreText();
  for (const size_t at : {text.find("uuid") + 6, text.find("created") + 9, text.size() - 3}) {
    std::string damaged = text;
    damaged[at] = damaged[at] == '1' ? '2' : '1';
    WriteStoreText(damaged);
    ExpectRefused(absl::StatusCode::kDataLoss,
                  "the STORE file is damaged; restore it from a backup of the data directory");
  }
  WriteStoreText("");
  ExpectRefused(absl::StatusCode::kDataLoss, "the STORE file is damaged");
}

TEST_F(GoldenStoreTest, AMissingStoreFileIsRefused) {
  fs::remove(store_ / "STORE");
  ExpectRefused(absl::StatusCode::kDataLoss,
                "holds a store without its STORE file; restore it from a backup, or choose another "
                "directory");
}

TEST_F(GoldenStoreTest, AMissingIndexBesideBlobFilesIsRefusedAndTheFilesStay) {
  fs::remove_all(store_ / "index");
  ExpectRefused(absl::StatusCode::kDataLoss, "is missing; restore it from a backup");
  // Nor does a second attempt take the empty index of the first for a good one.
  ExpectRefused(absl::StatusCode::kDataLoss, "is missing; restore it from a backup");
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(store_ / "blobs")) {
    if (entry.is_regular_file()) ++files;
  }
  EXPECT_EQ(files, 1u);
}

TEST_F(GoldenStoreTest, TheIndexOfAnotherStoreIsRefusedNamingBoth) {
  StoreFile other;
  other.uuid = "00000000-0000-4000-8000-000000000001";
  WriteStoreText(EncodeStoreFile(other));
  ExpectRefused(absl::StatusCode::kDataLoss,
                StrCat("the index belongs to the store ", kGoldenUuid, ", but STORE says ",
                       other.uuid, "; restore both together"));
}

}  // namespace
}  // namespace varve
