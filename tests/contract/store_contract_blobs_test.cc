// Blobs: bytes come back as pushed, are visible where they were pushed, mounted or named, are kept
// once, and heal when the disk loses them.
#include <gmock/gmock.h>

#include "storage/image/hasher.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using Code = absl::StatusCode;

class StoreBlobsTest : public StoreContractTest {};
STORE_SUITE(StoreBlobsSmallTest, StoreBlobsTest, kSmallUploads);
STORE_SUITE(StoreBlobsMountTest, StoreBlobsTest, kMountBlob);
STORE_SUITE(StoreBlobsWholeTest, StoreBlobsTest, kWholeStore);
STORE_SUITE(StoreBlobsMissingTest, StoreBlobsTest, kFindMissing);
STORE_SUITE(StoreBlobsDeleteTest, StoreBlobsTest, kDeleteBlob);
STORE_SUITE(StoreBlobsReaderTest, StoreBlobsTest, kOpenReaders);

TEST_P(StoreBlobsTest, BytesComeBackWhateverTheirSize) {
  for (const size_t size : {size_t{0}, size_t{1}, 64 * size_t{kKiB} - 65, 64 * size_t{kKiB} - 64,
                            64 * size_t{kKiB} - 63, 64 * size_t{kKiB}, size_t{kMiB} + 1}) {
    SCOPED_TRACE(size);
    const std::string bytes = MakeBytes(size, size);
    const Digest digest = Push("app", bytes);
    EXPECT_TRUE(Read("app", digest) == bytes);
    const absl::StatusOr<BlobInfo> info = store().blobs.StatBlob("app", digest);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->size_bytes, size);
    EXPECT_EQ(info->digest, digest);
    if (size > kMaxInlineBlobBytes) {
      EXPECT_THAT(under_test().BlobFiles(size), SizeIs(1));
    }
  }
  under_test().Reopen();
  EXPECT_TRUE(Read("app", Sha256(MakeBytes(kMiB + 1, kMiB + 1))) == MakeBytes(kMiB + 1, kMiB + 1));
  EXPECT_EQ(Read("app", Sha256("")), "");
}

TEST_P(StoreBlobsSmallTest, SmallOnesAreNoFiles) {
  for (const size_t size : {size_t{0}, size_t{1}, kMaxInlineBlobBytes}) {
    Push("app", MakeBytes(size, size));
  }
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
  Push("app", MakeBytes(kMaxInlineBlobBytes + 1, 1));
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(1));
}

TEST_P(StoreBlobsTest, SameBytesAreKeptOnce) {
  const std::string bytes = MakeBytes(200'000, 1);
  const Digest digest = Push("one", bytes);
  const absl::StatusOr<BlobInfo> first = store().blobs.StatBlob("one", digest);
  under_test().Advance(kSecond);
  Push("one", bytes);
  Push("two", bytes);
  Reclaim();
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(1));
  const absl::StatusOr<BlobInfo> again = store().blobs.StatBlob("two", digest);
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->created_nanos, again->created_nanos);
}

TEST_P(StoreBlobsTest, Sha512IsTakenWhateverWasHashedOnTheWay) {
  for (const size_t size : {size_t{10}, size_t{300'000}}) {
    const std::string bytes = MakeBytes(size, 7);
    const Digest digest = HashBytes(DigestAlgorithm::kSha512, bytes);
    for (const auto algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
      UploadOptions options;
      options.algorithm = algorithm;
      auto upload = store().blobs.BeginUpload("app", options);
      ASSERT_TRUE(upload.ok()) << upload.status();
      ASSERT_TRUE((*upload)->Append(0, bytes).ok());
      const auto info = (*upload)->Commit(digest, std::nullopt);
      ASSERT_TRUE(info.ok()) << info.status();
    }
    EXPECT_TRUE(Read("app", digest) == bytes);
    EXPECT_EQ(StatCode("app", Sha256(bytes)), Code::kNotFound);
  }
}

TEST_P(StoreBlobsTest, VisibleOnlyWherePushed) {
  const Digest digest = Push("here", MakeBytes(1000, 1));
  Push("there", "something else");
  EXPECT_EQ(StatCode("here", digest), Code::kOk);
  EXPECT_EQ(StatCode("there", digest), Code::kNotFound);
  EXPECT_EQ(StatCode("nowhere", digest), Code::kNotFound);
  EXPECT_EQ(OpenCode("there", digest), Code::kNotFound);
  EXPECT_EQ(StatCode("", digest), Code::kOk);
}

TEST_P(StoreBlobsMountTest, VisibleWhereMounted) {
  const std::string bytes = MakeBytes(1000, 1);
  const Digest digest = Push("here", bytes);
  Push("there", "something else");
  EXPECT_EQ(store().blobs.MountBlob("there", digest, "nowhere").status().code(), Code::kNotFound);
  EXPECT_EQ(StatCode("there", digest), Code::kNotFound);
  const auto mounted = store().blobs.MountBlob("there", digest, "here");
  ASSERT_TRUE(mounted.ok()) << mounted.status();
  EXPECT_EQ(mounted->size_bytes, bytes.size());
  EXPECT_EQ(Read("there", digest), bytes);

  EXPECT_TRUE(store().blobs.MountBlob("anywhere", digest, std::nullopt).ok());
  EXPECT_EQ(Read("anywhere", digest), bytes);
  EXPECT_EQ(store().blobs.MountBlob("x", Sha256("unknown"), std::nullopt).status().code(),
            Code::kNotFound);
}

TEST_P(StoreBlobsMountTest, MountFromARepositoryThatDoesNotShowItIsRefused) {
  const Digest digest = Push("here", "bytes");
  Push("other", "other bytes");
  EXPECT_EQ(store().blobs.MountBlob("there", digest, "other").status().code(), Code::kNotFound);
  EXPECT_EQ(StatCode("there", digest), Code::kNotFound);
}

TEST_P(StoreBlobsWholeTest, PushedToTheWholeStoreIsVisibleInNoRepository) {
  const Digest digest = Push("", "bytes");
  Push("app", "other");
  EXPECT_EQ(StatCode("", digest), Code::kOk);
  EXPECT_EQ(StatCode("app", digest), Code::kNotFound);
}

TEST_P(StoreBlobsTest, VisibleWhileAManifestNamesItHoweverOld) {
  const Image image = PushImage("app", 1, {"v1"});
  under_test().Advance(48 * kHour);
  Reclaim();
  EXPECT_EQ(StatCode("app", image.layer), Code::kOk);
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
  EXPECT_EQ(StatCode("app", image.config), Code::kOk);
}

TEST_P(StoreBlobsMissingTest, FindMissingNamesWhatIsAbsentInOrder) {
  const Digest here = Push("app", "here");
  const Digest elsewhere = Push("other", "elsewhere");
  const Digest unknown = Sha256("unknown");
  const auto missing =
      store().blobs.FindMissing("app", std::vector<Digest>{unknown, here, elsewhere, unknown});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_THAT(*missing, ElementsAre(unknown, elsewhere, unknown));
  const auto in_store =
      store().blobs.FindMissing("", std::vector<Digest>{here, elsewhere, unknown});
  ASSERT_TRUE(in_store.ok());
  EXPECT_THAT(*in_store, ElementsAre(unknown));
  const auto none = store().blobs.FindMissing("no/such", std::vector<Digest>{here});
  ASSERT_TRUE(none.ok());
  EXPECT_THAT(*none, ElementsAre(here));
}

TEST_P(StoreBlobsMissingTest, FindMissingHasALimit) {
  Push("app", "here");
  std::vector<Digest> digests(kMaxFindMissingDigests, Sha256("unknown"));
  const auto missing = store().blobs.FindMissing("app", digests);
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_THAT(*missing, SizeIs(kMaxFindMissingDigests));
  digests.push_back(Sha256("one more"));
  EXPECT_EQ(store().blobs.FindMissing("app", digests).status().code(), Code::kInvalidArgument);
}

const std::vector<std::string>& MalformedNames() {
  static const std::vector<std::string> names = {
      "Upper", "a//b", "../a", "a/", std::string(256, 'a'), std::string("a\0b", 3)};
  return names;
}

TEST_P(StoreBlobsTest, RepositoryNamesAreChecked) {
  const Digest digest = Sha256("x");
  for (const std::string& name : MalformedNames()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(StatCode(name, digest), Code::kInvalidArgument);
    EXPECT_EQ(OpenCode(name, digest), Code::kInvalidArgument);
    EXPECT_EQ(store().blobs.BeginUpload(name, {}).status().code(), Code::kInvalidArgument);
    EXPECT_EQ(PutCode(name, "{}"), Code::kInvalidArgument);
    EXPECT_EQ(ManifestCode(name, digest), Code::kInvalidArgument);
    EXPECT_EQ(store().manifests.Untag(name, "tag", false).code(), Code::kInvalidArgument);
    EXPECT_EQ(store().manifests.ListTags(name, {}).status().code(), Code::kInvalidArgument);
  }
  const std::string longest(255, 'a');
  EXPECT_EQ(StatCode(longest, Push(longest, "bytes")), Code::kOk);
}

TEST_P(StoreBlobsMountTest, RepositoryNamesOfMountsAreChecked) {
  for (const std::string& name : MalformedNames()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(store().blobs.MountBlob(name, Sha256("x"), std::nullopt).status().code(),
              Code::kInvalidArgument);
  }
}

TEST_P(StoreBlobsDeleteTest, RepositoryNamesOfBlobDeletionsAreChecked) {
  for (const std::string& name : MalformedNames()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(store().blobs.DeleteBlob(name, Sha256("x")).code(), Code::kInvalidArgument);
  }
}

TEST_P(StoreBlobsDeleteTest, DeletedBlobIsGoneFromThatRepositoryOnly) {
  const Digest digest = Push("one", "bytes");
  Push("two", "bytes");
  ASSERT_TRUE(store().blobs.DeleteBlob("one", digest).ok());
  EXPECT_EQ(StatCode("one", digest), Code::kNotFound);
  EXPECT_EQ(Read("two", digest), "bytes");
  EXPECT_EQ(store().blobs.DeleteBlob("one", digest).code(), Code::kNotFound);
  EXPECT_EQ(store().blobs.DeleteBlob("none", digest).code(), Code::kNotFound);
  Push("one", "bytes");
  EXPECT_EQ(Read("one", digest), "bytes");
}

TEST_P(StoreBlobsDeleteTest, DeleteIsRefusedWhileAManifestNamesTheBlob) {
  const Image image = PushImage("app", 1);
  ASSERT_TRUE(Able(Ability::kMountBlob).blobs.MountBlob("other", image.layer, "app").ok());
  EXPECT_EQ(store().blobs.DeleteBlob("app", image.layer).code(), Code::kFailedPrecondition);
  EXPECT_EQ(store().blobs.DeleteBlob("app", image.config).code(), Code::kFailedPrecondition);
  EXPECT_EQ(StatCode("app", image.layer), Code::kOk);
  EXPECT_TRUE(store().blobs.DeleteBlob("other", image.layer).ok());
  DeleteManifest("app", image.manifest);
  EXPECT_TRUE(store().blobs.DeleteBlob("app", image.layer).ok());
}

TEST_P(StoreBlobsReaderTest, ReaderKeepsItsBytesWhateverIsRemoved) {
  const std::string bytes = MakeBytes(200'000, 1);
  const Digest digest = Push("app", bytes);
  const auto reader = store().blobs.OpenBlob("app", digest);
  ASSERT_TRUE(reader.ok());
  under_test().Advance(kHour);
  EXPECT_EQ(Reclaim().blobs, 1u);
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
  EXPECT_EQ(StatCode("app", digest), Code::kNotFound);
  const auto read = ReadWhole(*reader);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == bytes);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreBlobsTest, testing::ValuesIn(AllStores()), StoreName);

// --- healing ---------------------------------------------------------------------------------

class StoreHealingTest : public StoreContractTest {
 protected:
  // Into an empty store.
  Digest PushToOneAndTwo(std::string_view bytes) {
    Make({});
    Push("one", bytes);
    return Push("two", bytes);
  }
  // The disk loses the one blob file of this size, or cuts it short.
  void Lose(uint64_t size_bytes) {
    const std::vector<std::string> files = under_test().BlobFiles(size_bytes);
    ASSERT_THAT(files, SizeIs(1));
    ASSERT_TRUE(under_test().disk().Remove(files[0]).ok());
  }
  void CutShort(uint64_t size_bytes) {
    const std::vector<std::string> files = under_test().BlobFiles(size_bytes);
    ASSERT_THAT(files, SizeIs(1));
    auto file = under_test().disk().OpenForWrite(files[0]);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Truncate(size_bytes - 1).ok());
  }
};
STORE_SUITE(StoreHealingMissingTest, StoreHealingTest, kFindMissing);
STORE_SUITE(StoreHealingMountTest, StoreHealingTest, kMountBlob);

// That a copy was good some days ago keeps it from no push once somebody meets the damage.
TEST_P(StoreHealingTest, AProvenCopyThatIsLostOrCutShortIsReplacedByAPush) {
  const std::string bytes = MakeBytes(200'000, 1);
  for (const bool lost : {true, false}) {
    SCOPED_TRACE(lost ? "lost" : "cut short");
    const Digest digest = PushToOneAndTwo(bytes);
    ASSERT_EQ(under_test().engine().system.CheckContent(nullptr)->findings, 0u);
    under_test().Advance(kMinute);
    lost ? Lose(bytes.size()) : CutShort(bytes.size());
    EXPECT_EQ(OpenCode("one", digest), Code::kNotFound);
    EXPECT_EQ(StatCode("one", digest), Code::kNotFound);
    Push("one", bytes);
    EXPECT_EQ(Read("one", digest), bytes);
    EXPECT_EQ(Read("two", digest), bytes);
  }
}

// A manifest is read whole, so that rot of it is met by whoever asks.
TEST_P(StoreHealingTest, AProvenLargeManifestThatRotsIsAbsentUntilItIsPushedAgain) {
  ManifestParts parts;
  parts.config = Push("one", "{}");
  parts.note = std::string(100'000, 'n');
  const std::string json = ManifestJson(parts);
  PutManifest("one", json, {"v1"});
  ASSERT_EQ(under_test().engine().system.CheckContent(nullptr)->findings, 0u);
  under_test().Advance(kMinute);
  const std::vector<std::string> files = under_test().BlobFiles(json.size());
  ASSERT_THAT(files, SizeIs(1));
  {
    auto file = under_test().disk().OpenForWrite(files[0]);
    ASSERT_TRUE(file.ok() && (*file)->WriteAt(json.size() / 2, "rot").ok());
  }
  EXPECT_EQ(ManifestCode("one", "v1"), Code::kNotFound);
  EXPECT_EQ(store().manifests.StatManifest("one", "v1").status().code(), Code::kNotFound);
  PutManifest("one", json, {"v1"});
  EXPECT_EQ(store().manifests.GetManifest("one", "v1")->bytes, json);
}

TEST_P(StoreHealingTest, LostBlobIsAbsentEverywhereUntilPushedAgain) {
  const std::string bytes = MakeBytes(200'000, 1);
  for (const bool lost : {true, false}) {
    SCOPED_TRACE(lost ? "lost" : "cut short");
    const Digest digest = PushToOneAndTwo(bytes);
    lost ? Lose(bytes.size()) : CutShort(bytes.size());
    for (const std::string repository : {"", "one", "two"}) {
      EXPECT_EQ(StatCode(repository, digest), Code::kNotFound);
      EXPECT_EQ(OpenCode(repository, digest), Code::kNotFound);
    }
    Push("one", bytes);
    EXPECT_TRUE(Read("one", digest) == bytes);
    EXPECT_TRUE(Read("two", digest) == bytes);
    Reclaim();
    EXPECT_THAT(under_test().BlobFiles(), SizeIs(1));
  }
}

TEST_P(StoreHealingMissingTest, LostBlobIsMissingWhenLookedFor) {
  const std::string bytes = MakeBytes(200'000, 1);
  for (const std::string repository : {"", "one", "two"}) {
    for (const bool lost : {true, false}) {
      const Digest digest = PushToOneAndTwo(bytes);
      lost ? Lose(bytes.size()) : CutShort(bytes.size());
      const auto missing = store().blobs.FindMissing(repository, std::vector<Digest>{digest});
      ASSERT_TRUE(missing.ok());
      EXPECT_THAT(*missing, ElementsAre(digest));
    }
  }
}

TEST_P(StoreHealingMountTest, LostBlobCannotBeMounted) {
  const std::string bytes = MakeBytes(200'000, 1);
  for (const bool lost : {true, false}) {
    const Digest digest = PushToOneAndTwo(bytes);
    lost ? Lose(bytes.size()) : CutShort(bytes.size());
    EXPECT_EQ(store().blobs.MountBlob("three", digest, "one").status().code(), Code::kNotFound);
    EXPECT_EQ(store().blobs.MountBlob("three", digest, std::nullopt).status().code(),
              Code::kNotFound);
  }
}

TEST_P(StoreHealingTest, LostBlobTakesNoNewReference) {
  const Image image = PushImage("app", 1);
  Lose(100'000);
  ManifestParts parts;
  parts.config = image.config;
  parts.layers = {image.layer};
  parts.note = "second";
  PutManifestRequest request;
  const std::string json = ManifestJson(parts);
  request.bytes = json;
  const auto put = store().manifests.PutManifest("app", request);
  EXPECT_EQ(put.status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(put.status().GetPayload(kMissingDigestPayload), image.layer.ToString());
  Push("app", MakeBytes(100'000, 1));
  EXPECT_TRUE(store().manifests.PutManifest("app", request).ok());
}

TEST_P(StoreHealingTest, HealedBlobStaysAsLongAsItsManifest) {
  const Image image = PushImage("app", 1, {"v1"});
  Lose(100'000);
  Push("app", MakeBytes(100'000, 1));
  under_test().Advance(48 * kHour);
  Reclaim();
  EXPECT_TRUE(Read("app", image.layer) == MakeBytes(100'000, 1));
}

TEST_P(StoreHealingTest, LostLargeManifestIsAbsentAndTakesNoTag) {
  const Digest config = Push("app", "{}");
  ManifestParts parts;
  parts.config = config;
  parts.note = std::string(100'000, 'x');
  const std::string json = ManifestJson(parts);
  const Digest digest = PutManifest("app", json, {"v1"});
  Lose(json.size());
  EXPECT_EQ(ManifestCode("app", digest), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kNotFound);
  EXPECT_EQ(store().manifests.StatManifest("app", digest).status().code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.Tag("app", "v2", digest).code(), Code::kNotFound);
  PutManifest("app", json);
  const auto manifest = store().manifests.GetManifest("app", "v1");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(manifest->bytes == json);
  EXPECT_TRUE(store().manifests.Tag("app", "v2", digest).ok());
}

// Who looks for referrers learns of it, and of its loss when it is read.
TEST_P(StoreHealingTest, ADamagedReferrerIsListedWithWhatIsKnownOfIt) {
  const Image image = PushImage("app", 1, {"v1"});
  ManifestParts parts;
  parts.config = Push("app", "{}");
  parts.subject = image.manifest;
  parts.artifact_type = "application/vnd.example.signature";
  parts.note = std::string(100'000, 'x');
  const std::string json = ManifestJson(parts);
  const Digest digest = PutManifest("app", json);
  Lose(json.size());
  const auto referrers =
      store().manifests.ListReferrers("app", image.manifest, parts.artifact_type, {"", 10});
  ASSERT_TRUE(referrers.ok()) << referrers.status();
  ASSERT_THAT(referrers->rows, SizeIs(1));
  EXPECT_EQ(referrers->rows[0].manifest.digest, digest);
  EXPECT_EQ(referrers->rows[0].manifest.artifact_type, parts.artifact_type);
  EXPECT_EQ(referrers->rows[0].annotations_json, "");
  EXPECT_EQ(ManifestCode("app", digest), Code::kNotFound);
  DeleteManifest("app", digest);
  EXPECT_THAT(store().manifests.ListReferrers("app", image.manifest, "", {"", 10})->rows,
              SizeIs(0));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreHealingTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
