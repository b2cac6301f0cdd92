// Promises and reclamation: what answered "exists" stays for its promise, and what nobody keeps
// goes.
#include <gmock/gmock.h>

#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using Code = absl::StatusCode;

constexpr int64_t kPromise = 10 * kMinute;
constexpr size_t kGrantedBytes = 70'000;
constexpr uint64_t kGrantedSeed = 5;

class StorePromisesTest : public StoreContractTest {
 protected:
  void SetUp() override { MakeSettled({}); }
  // A store whose first promise time, in which nothing is removed, is over.
  void MakeSettled(const StoreSettings& settings) {
    Make(settings);
    under_test().Advance(settings.promise_nanos + kSecond);
  }
  std::string ImageJson(const Digest& config, const std::vector<Digest>& layers,
                        std::string_view note = {}) {
    ManifestParts parts;
    parts.config = config;
    parts.layers = layers;
    parts.note = note;
    return ManifestJson(parts);
  }
  // A blob that is about to go stays for another promise after `exists` said yes.
  void ExpectGrant(const std::function<bool(const Digest&)>& exists) {
    const Digest digest = Push("app", MakeBytes(kGrantedBytes, kGrantedSeed));
    PassTime(kPromise - kSecond);
    EXPECT_TRUE(exists(digest));
    PassTime(kPromise - kSecond);
    EXPECT_EQ(OpenCode("", digest), Code::kOk);
    PassTime(2 * kSecond);
    EXPECT_EQ(StatCode("", digest), Code::kNotFound);
  }
  // Reclaims often while `nanos` pass.
  void PassTime(int64_t nanos) {
    for (int i = 0; i < 10; ++i) {
      under_test().Advance(nanos / 10);
      Reclaim();
    }
  }
};
STORE_SUITE(StorePromisesWholeTest, StorePromisesTest, kWholeStore);
STORE_SUITE(StorePromisesMissingTest, StorePromisesTest, kFindMissing);
STORE_SUITE(StorePromisesMountTest, StorePromisesTest, kMountBlob);
STORE_SUITE(StorePromisesImagesTest, StorePromisesTest, kListImages);
STORE_SUITE(StorePromisesReaderTest, StorePromisesTest, kOpenReaders);

TEST_P(StorePromisesTest, FreshBlobLeavesAfterItsPromiseAndNotBefore) {
  const Digest digest = Push("app", MakeBytes(100'000, 1));
  const Digest small = Push("app", "small");
  PassTime(kPromise - kSecond);
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(1));
  EXPECT_TRUE(store().blobs.OpenBlob("app", digest).ok());
  EXPECT_TRUE(store().blobs.OpenBlob("app", small).ok());
  PassTime(2 * kSecond);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
  EXPECT_EQ(StatCode("app", digest), Code::kNotFound);
  EXPECT_EQ(StatCode("app", small), Code::kNotFound);
}

TEST_P(StorePromisesTest, EveryExistsAnswerGrants) {
  ExpectGrant([&](const Digest& digest) { return store().blobs.StatBlob("app", digest).ok(); });
  ExpectGrant([&](const Digest&) {
    Push("app", MakeBytes(kGrantedBytes, kGrantedSeed));
    return true;
  });
}

TEST_P(StorePromisesWholeTest, ExistsInTheWholeStoreGrants) {
  ExpectGrant([&](const Digest& digest) { return store().blobs.StatBlob("", digest).ok(); });
}

TEST_P(StorePromisesMissingTest, NotMissingGrants) {
  ExpectGrant([&](const Digest& digest) {
    return store().blobs.FindMissing("app", std::vector<Digest>{digest}).value().empty();
  });
}

TEST_P(StorePromisesMountTest, MountGrants) {
  ExpectGrant(
      [&](const Digest& digest) { return store().blobs.MountBlob("other", digest, "app").ok(); });
}

TEST_P(StorePromisesTest, AskingAgainRenewsForHoweverLong) {
  const Digest digest = Push("app", MakeBytes(70'000, 1));
  for (int i = 0; i < 184; ++i) {  // 24.5 hours
    under_test().Advance(8 * kMinute);
    Reclaim();
    ASSERT_EQ(StatCode("app", digest), Code::kOk) << i;
  }
  ASSERT_TRUE(Able(Ability::kDeleteBlob).blobs.DeleteBlob("app", digest).ok());
  PassTime(kPromise - kSecond);
  EXPECT_EQ(OpenCode("", digest), Code::kOk);
  PassTime(kMinute);
  EXPECT_EQ(StatCode("", digest), Code::kNotFound);
}

TEST_P(StorePromisesTest, AManifestPutLeavesThePromisesOfWhatItNames) {
  const Digest layer = Push("app", MakeBytes(70'000, 1));
  const Digest config = Push("app", "{}");
  const Digest manifest = PutManifest("app", ImageJson(config, {layer}));
  DeleteManifest("app", manifest);
  Reclaim();
  EXPECT_EQ(OpenCode("", layer), Code::kOk);
  PassTime(kPromise + kSecond);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
  EXPECT_EQ(StatCode("", layer), Code::kNotFound);
}

// A client reads a manifest, somebody deletes it by name, and the client goes on with its layers.
TEST_P(StorePromisesTest, WhatADeletedManifestNamesStaysForWhoeverReadIt) {
  const Digest layer = Push("app", MakeBytes(70'000, 1));
  const Digest config = Push("app", "{}");
  const Digest manifest = PutManifest("app", ImageJson(config, {layer}), {"v1"});
  PassTime(2 * kPromise);
  ASSERT_TRUE(store().manifests.GetManifest("app", std::string("v1")).ok());
  DeleteManifest("app", manifest);
  PassTime(kPromise - 2 * kSecond);
  EXPECT_EQ(OpenCode("app", layer), Code::kOk);
  EXPECT_EQ(OpenCode("app", config), Code::kOk);
  PassTime(4 * kSecond);
  EXPECT_EQ(OpenCode("", layer), Code::kNotFound);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StorePromisesWholeTest, AManifestPutFromTheWholeStoreLeavesPromisesToo) {
  const Digest layer = Push("", MakeBytes(70'000, 1));
  const Digest config = Push("", "{}");
  const std::string json = ImageJson(config, {layer});
  PutManifestRequest request;
  request.bytes = json;
  request.whole_store = true;
  const auto put = store().manifests.PutManifest("app", request);
  ASSERT_TRUE(put.ok()) << put.status();
  DeleteManifest("app", put->digest);
  Reclaim();
  EXPECT_EQ(OpenCode("", layer), Code::kOk);
  PassTime(kPromise + kSecond);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

// containerd asks once about a layer that the manifests of three platforms share.
TEST_P(StorePromisesImagesTest, ThreeManifestsOfOneClientSpendNothingOfAnother) {
  const Digest layer = Push("app", MakeBytes(70'000, 1));
  const Digest own_config = Push("app", "{\"of\":\"the first client\"}");

  EXPECT_EQ(StatCode("app", layer), Code::kOk);
  ManifestParts index;
  index.media_type = kMediaTypeOciIndex;
  for (uint64_t platform = 0; platform < 3; ++platform) {
    const Digest config = Push("app", StrCat("{\"platform\":", platform, "}"));
    index.children.push_back(PutManifest("app", ImageJson(config, {layer})));
  }
  PutManifest("app", ManifestJson(index), {"second"});
  ASSERT_TRUE(store().images.RemoveImage("app:second", /*force=*/false).ok());
  PruneRequest all;
  all.all = true;
  ASSERT_TRUE(store().images.Prune(all, nullptr).ok());
  Reclaim();

  PutManifest("app", ImageJson(own_config, {layer}), {"first"});
  PassTime(3 * kHour);
  EXPECT_TRUE(Read("app", layer) == MakeBytes(70'000, 1));
}

// The smallest of that kind: by a yes of each sort, and a manifest of somebody who did not ask.
TEST_P(StorePromisesTest, AManifestOfSomebodyWhoDidNotAskSpendsNothing) {
  const auto expect_kept = [&](const std::function<bool(const Digest&)>& say_yes, uint64_t seed) {
    SCOPED_TRACE(seed);
    const Image image = PushImage("app", seed, {"theirs"});
    PassTime(2 * kHour);
    ASSERT_TRUE(say_yes(image.layer));
    PutManifest("app", ImageJson(image.config, {image.layer}, "of who did not ask"), {"more"});
    const auto more = store().manifests.StatManifest("app", "more");
    ASSERT_TRUE(more.ok()) << more.status();
    DeleteManifest("app", image.manifest);
    DeleteManifest("app", more->digest);
    Reclaim();
    EXPECT_EQ(OpenCode("app", image.layer), Code::kOk);
    const Digest config = Push("app", "{}");
    PutManifest("app", ImageJson(config, {image.layer}, "of who asked"), {StrCat("mine", seed)});
    PassTime(3 * kHour);
    EXPECT_TRUE(Read("app", image.layer) == MakeBytes(100'000, seed));
  };
  expect_kept([&](const Digest& layer) { return StatCode("app", layer) == Code::kOk; }, 1);
  expect_kept([&](const Digest&) { return Push("app", MakeBytes(100'000, 2)) != Digest(); }, 2);
  if (!Can(Ability::kMountBlob)) return;
  expect_kept(
      [&](const Digest& layer) {
        Push("other", MakeBytes(100'000, 3));
        return store().blobs.MountBlob("app", layer, "other").ok();
      },
      3);
}

// Each answer that tells a manifest's digest, by tag or by digest, keeps that manifest from prune.
TEST_P(StorePromisesImagesTest, EveryAnswerWithAManifestsDigestPromisesIt) {
  const auto expect_kept = [&](std::string_view how,
                               const std::function<Digest(const Image&)>& answer) {
    SCOPED_TRACE(how);
    const Image image = PushImage("app", 1, {"v1"});
    PassTime(2 * kHour);
    ASSERT_EQ(answer(image), image.manifest);
    PruneRequest all;
    all.all = true;
    auto report = store().images.Prune(all, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->images, 0u);
    EXPECT_EQ(report->deferred, 1u);
    // Also when its tag has moved on.
    ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
    report = store().images.Prune({}, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->images, 0u);
    EXPECT_EQ(ManifestCode("app", image.manifest), Code::kOk);
    PassTime(2 * kHour);
    report = store().images.Prune({}, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->images, 1u);
  };
  expect_kept("put by tag",
              [&](const Image& image) { return PutManifest("app", image.manifest_json, {"v1"}); });
  expect_kept("look by tag",
              [&](const Image&) { return store().manifests.StatManifest("app", "v1")->digest; });
  expect_kept("look by digest", [&](const Image& image) {
    return store().manifests.StatManifest("app", image.manifest)->digest;
  });
  expect_kept("read by tag", [&](const Image&) {
    return store().manifests.GetManifest("app", "v1")->info.digest;
  });
  expect_kept("read by digest", [&](const Image& image) {
    return store().manifests.GetManifest("app", image.manifest)->info.digest;
  });
  expect_kept("resolve",
              [&](const Image&) { return store().images.FindImage("app:v1")->manifest; });
  expect_kept("resolve an id", [&](const Image& image) {
    return store().images.FindImage(image.config.ToString())->manifest;
  });
}

// Whoever lists what refers to an image goes on with the digests that were told, and no others.
TEST_P(StorePromisesTest, AListOfReferrersPromisesThoseThatItTells) {
  const Image image = PushImage("app", 1, {"v1"});
  const auto put_referrer = [&](const std::string& type) {
    ManifestParts parts;
    parts.artifact_type = type;
    parts.config = image.config;
    parts.subject = image.manifest;
    return PutManifest("app", ManifestJson(parts));
  };
  const Digest sbom = put_referrer("application/x.sbom");
  const Digest signature = put_referrer("application/x.signature");
  PassTime(2 * kHour);
  const auto page =
      store().manifests.ListReferrers("app", image.manifest, "application/x.sbom", {"", 10});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->rows.size(), 1u);
  PruneRequest all;
  all.all = true;
  const auto report = Able(Ability::kListImages).images.Prune(all, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->images, 2u);
  EXPECT_EQ(ManifestCode("app", signature), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", sbom), Code::kOk);
  PassTime(2 * kHour);
  EXPECT_EQ(Able(Ability::kListImages).images.Prune(all, nullptr)->images, 1u);
}

// A pull reads the manifest and then, one after the other, layers that take long.
TEST_P(StorePromisesImagesTest, APullThatLastsLongerThanThePromiseGoesOn) {
  const Digest config = Push("app", "{}");
  std::vector<Digest> layers;
  for (uint64_t i = 0; i < 5; ++i) layers.push_back(Push("app", MakeBytes(70'000 + i, i)));
  const Digest manifest = PutManifest("app", ImageJson(config, layers), {"v1"});
  PassTime(2 * kHour);
  PruneRequest all;
  all.all = true;
  ASSERT_TRUE(store().manifests.GetManifest("app", "v1").ok());
  for (uint64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(Read("app", layers[i]) == MakeBytes(70'000 + i, i)) << i;
    under_test().Advance(kPromise - kSecond);
    const auto report = store().images.Prune(all, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->images, 0u) << i;
  }
  // An hour after it was read, the manifest has to be resolved again.
  PassTime(2 * kPromise);
  const auto report = store().images.Prune(all, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->images, 1u);
  EXPECT_EQ(ManifestCode("app", manifest), Code::kNotFound);
}

TEST_P(StorePromisesReaderTest, ALayerThatTakesLongerThanThePromiseIsFollowedByTheNextOne) {
  const Digest config = Push("app", "{}");
  const std::vector<Digest> layers = {Push("app", MakeBytes(70'000, 1)),
                                      Push("app", MakeBytes(80'000, 2))};
  PutManifest("app", ImageJson(config, layers), {"v1"});
  PassTime(2 * kHour);
  PruneRequest all;
  all.all = true;
  ASSERT_TRUE(store().manifests.GetManifest("app", "v1").ok());
  {
    auto first = store().blobs.OpenBlob("app", layers[0]);
    ASSERT_TRUE(first.ok()) << first.status();
    for (int i = 0; i < 9; ++i) {
      under_test().Advance(5 * kMinute);
      const auto report = store().images.Prune(all, nullptr);
      ASSERT_TRUE(report.ok()) << report.status();
      ASSERT_EQ(report->images, 0u) << i;
    }
    EXPECT_TRUE(ReadWhole(*first).value() == MakeBytes(70'000, 1));
  }
  under_test().Advance(9 * kMinute);
  const auto report = store().images.Prune(all, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->images, 0u);
  EXPECT_TRUE(Read("app", layers[1]) == MakeBytes(80'000, 2));
}

TEST_P(StorePromisesTest, RemovingATagOrABlobIsAWriteToo) {
  const Digest seen = Push("app", MakeBytes(70'000, 1));
  PushImage("app", 2, {"a", "b", "c", "d"});
  const Digest other = Push("app", "other");
  const auto step = [&] {
    PassTime(kPromise - kMinute);
    EXPECT_EQ(OpenCode("", seen), Code::kOk);
  };
  step();
  ASSERT_TRUE(store().manifests.Untag("app", "a", false).ok());
  step();
  ASSERT_TRUE(store().manifests.Untag("app", "b", false).ok());
  step();
  ASSERT_TRUE(Able(Ability::kDeleteBlob).blobs.DeleteBlob("app", other).ok());
  step();
  PassTime(2 * kMinute);
  EXPECT_EQ(StatCode("", seen), Code::kNotFound);
}

TEST_P(StorePromisesTest, DeletedManifestThatWasSeenByDigestKeepsItsBytes) {
  const Image image = PushImage("app", 1, {"v1"});
  PassTime(kHour);
  ASSERT_TRUE(store().manifests.StatManifest("app", image.manifest).ok());
  DeleteManifest("app", image.manifest);
  Reclaim();
  EXPECT_EQ(OpenCode("", image.manifest), Code::kOk);
  PassTime(kPromise + kSecond);
  EXPECT_EQ(StatCode("", image.manifest), Code::kNotFound);
}

TEST_P(StorePromisesTest, BothSawTheBlobOneDeletesTheOtherPuts) {
  const Digest layer = Push("app", MakeBytes(70'000, 1));
  const Digest config = Push("app", "{}");
  EXPECT_EQ(StatCode("app", layer), Code::kOk);
  EXPECT_EQ(StatCode("app", layer), Code::kOk);
  ASSERT_TRUE(Able(Ability::kDeleteBlob).blobs.DeleteBlob("app", layer).ok());
  Reclaim();
  PutManifest("app", ImageJson(config, {layer}), {"v1"});
  PassTime(2 * kHour);
  EXPECT_TRUE(Read("app", layer) == MakeBytes(70'000, 1));
}

TEST_P(StorePromisesTest, BothSawTheBlobTheOnlyImageGoesTheOtherPuts) {
  const Image image = PushImage("app", 1, {"v1"});
  PassTime(2 * kHour);
  for (const Digest& digest : {image.layer, image.config, image.layer, image.config}) {
    EXPECT_EQ(StatCode("app", digest), Code::kOk);
  }
  PutManifest("app", ImageJson(image.config, {image.layer}, "first client"), {"first"});
  const Digest first = store().manifests.StatManifest("app", "first")->digest;
  DeleteManifest("app", image.manifest);
  DeleteManifest("app", first);
  Reclaim();
  PutManifest("app", ImageJson(image.config, {image.layer}, "second client"), {"second"});
  PassTime(2 * kHour);
  EXPECT_TRUE(Read("app", image.layer) == MakeBytes(100'000, 1));
}

// As `crane tag` does: it reads a manifest and puts it again under another tag. It has asked about
// no blob, so the promise that there is was given to somebody else.
TEST_P(StorePromisesTest, PutAgainOfAKnownManifestLeavesThePromisesOfOthers) {
  const Image image = PushImage("app", 1, {"v1"});
  PassTime(2 * kHour);
  EXPECT_EQ(StatCode("app", image.layer), Code::kOk);
  EXPECT_EQ(StatCode("app", image.config), Code::kOk);
  const auto bytes = store().manifests.GetManifest("app", image.manifest);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  PutManifest("app", bytes->bytes, {"v2"});
  DeleteManifest("app", image.manifest);
  Reclaim();
  PutManifest("app", ImageJson(image.config, {image.layer}, "of who asked"), {"v3"});
  PassTime(2 * kHour);
  EXPECT_TRUE(Read("app", image.layer) == MakeBytes(100'000, 1));
}

// The same for a tag in another repository, which makes the image a member there.
TEST_P(StorePromisesImagesTest, TagOfAnotherRepositoryLeavesThePromisesOfOthers) {
  const Image image = PushImage("app", 1, {"v1"});
  const Digest config = Push("other", "{}");
  const Digest layer = Push("other", MakeBytes(100'000, 1));
  ASSERT_EQ(layer, image.layer);
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "other", "copy").ok());
  DeleteManifest("other", image.manifest);
  DeleteManifest("app", image.manifest);
  Reclaim();
  PutManifest("other", ImageJson(config, {layer}), {"v1"});
  PassTime(2 * kHour);
  EXPECT_TRUE(Read("other", layer) == MakeBytes(100'000, 1));
}

TEST_P(StorePromisesTest, WritesInTheRepositoryRenewUpToAnHour) {
  const Digest layer = Push("app", MakeBytes(70'000, 1));
  const Digest elsewhere = Push("other", MakeBytes(80'000, 2));
  for (uint64_t i = 0; i < 6; ++i) {
    under_test().Advance(9 * kMinute);
    Push("app", StrCat("another blob ", i));
    Reclaim();
    ASSERT_EQ(OpenCode("", layer), Code::kOk) << i;
  }
  EXPECT_EQ(StatCode("", elsewhere), Code::kNotFound);
  for (uint64_t i = 0; i < 2; ++i) {
    under_test().Advance(9 * kMinute);
    Push("app", StrCat("still more ", i));
    Reclaim();
  }
  EXPECT_EQ(StatCode("", layer), Code::kNotFound);
}

// A client sees one layer, uploads another for longer than any activity renews, and names both.
TEST_P(StorePromisesTest, BytesOfALongUploadRenewToo) {
  const Digest seen = Push("app", MakeBytes(70'000, 1));
  const Digest elsewhere = Push("other", MakeBytes(80'000, 2));
  ASSERT_EQ(StatCode("app", seen), Code::kOk);
  const std::string bytes = MakeBytes(90'000, 3);
  constexpr size_t kPieceBytes = 5'000;
  auto upload = store().blobs.BeginUpload("app", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    ASSERT_TRUE((*upload)->Append(at, bytes.substr(at, kPieceBytes)).ok());
    under_test().Advance(9 * kMinute);
    Reclaim();
    ASSERT_EQ(OpenCode("", seen), Code::kOk) << at;
  }
  EXPECT_EQ(OpenCode("", elsewhere), Code::kNotFound);
  const Digest uploaded = Sha256(bytes);
  ASSERT_TRUE((*upload)->Commit(uploaded, bytes.size()).ok());
  const Digest config = Push("app", "{}");
  PutManifest("app", ImageJson(config, {seen, uploaded}), {"v1"});
  PassTime(2 * kHour);
  EXPECT_TRUE(Read("app", seen) == MakeBytes(70'000, 1));
}

TEST_P(StorePromisesTest, BytesOfAnUploadRenewThePromisesOfAnyLength) {
  for (const int64_t promise : {10 * kSecond, 2 * kSecond, kSecond / 20}) {
    SCOPED_TRACE(promise);
    StoreSettings settings;
    settings.promise_nanos = promise;
    MakeSettled(settings);
    const Digest seen = Push("app", MakeBytes(70'000, 1));
    const Digest elsewhere = Push("other", MakeBytes(80'000, 2));
    const std::string bytes = MakeBytes(90'000, 3);
    constexpr size_t kPieceBytes = 5'000;
    auto upload = store().blobs.BeginUpload("app", {});
    ASSERT_TRUE(upload.ok()) << upload.status();
    for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
      ASSERT_TRUE((*upload)->Append(at, bytes.substr(at, kPieceBytes)).ok());
      under_test().Advance(promise / 2);
      Reclaim();
      ASSERT_EQ(OpenCode("", seen), Code::kOk) << at;
    }
    EXPECT_EQ(OpenCode("", elsewhere), Code::kNotFound);
    ASSERT_TRUE((*upload)->Commit(Sha256(bytes), bytes.size()).ok());
  }
}

TEST_P(StorePromisesTest, NothingGoesForOnePromiseTimeAfterAStart) {
  const Digest digest = Push("app", MakeBytes(70'000, 1));
  under_test().Advance(kHour);
  under_test().Reopen();
  EXPECT_EQ(Reclaim().blobs, 0u);
  PassTime(kPromise - kSecond);
  EXPECT_TRUE(store().blobs.OpenBlob("app", digest).ok());
  PassTime(2 * kSecond);
  EXPECT_EQ(StatCode("app", digest), Code::kNotFound);
}

TEST_P(StorePromisesTest, ForwardJumpOfTheClockRemovesNothingForOnePromiseTime) {
  const Digest digest = Push("app", MakeBytes(70'000, 1));
  auto upload = store().blobs.BeginUpload("app", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  const std::string id = (*upload)->status().id;
  ASSERT_TRUE((*upload)->Append(0, "bytes").ok());
  upload->reset();
  Reclaim();
  under_test().JumpWall(365 * 24 * kHour);
  EXPECT_EQ(Reclaim().blobs, 0u);
  EXPECT_TRUE(store().blobs.ResumeUpload("app", id).ok());
  PassTime(kPromise - kSecond);
  EXPECT_EQ(OpenCode("", digest), Code::kOk);
  EXPECT_TRUE(store().blobs.ResumeUpload("app", id).ok());
  PassTime(2 * kSecond);
  EXPECT_EQ(StatCode("", digest), Code::kNotFound);
}

TEST_P(StorePromisesTest, BackwardJumpOfTheClockLosesNothing) {
  const Image image = PushImage("app", 1, {"v1"});
  const Digest fresh = Push("app", MakeBytes(70'000, 2));
  Reclaim();
  under_test().JumpWall(-2 * kHour);
  PassTime(kPromise - kSecond);
  EXPECT_EQ(StatCode("app", fresh), Code::kOk);
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kOk);
  // What was condemned by the old clock goes when the clock is there again.
  PassTime(3 * kHour);
  PassTime(kHour);
  EXPECT_EQ(StatCode("app", fresh), Code::kNotFound);
  EXPECT_EQ(StatCode("app", image.layer), Code::kOk);
}

TEST_P(StorePromisesTest, TwoPlatformIndexOneRequestAtATime) {
  for (const int64_t promise : {kPromise, 50 * kSecond}) {
    SCOPED_TRACE(promise);
    StoreSettings settings;
    settings.promise_nanos = promise;
    MakeSettled(settings);
    const auto step = [&] {
      under_test().Advance(promise / 8);
      Reclaim();
    };
    std::vector<Digest> children;
    for (uint64_t platform = 0; platform < 2; ++platform) {
      const Digest config = Push("app", StrCat("{\"platform\":", platform, "}"));
      step();
      const Digest layer = Push("app", MakeBytes(80'000, 10 + platform));
      step();
      EXPECT_EQ(StatCode("app", config), Code::kOk);
      step();
      children.push_back(PutManifest("app", ImageJson(config, {layer})));
      step();
    }
    ManifestParts index;
    index.media_type = kMediaTypeOciIndex;
    index.children = children;
    PutManifest("app", ManifestJson(index), {"multi"});
    PassTime(3 * kHour);
    EXPECT_EQ(ManifestCode("app", "multi"), Code::kOk);
    for (const Digest& child : children) EXPECT_EQ(ManifestCode("app", child), Code::kOk);
    EXPECT_TRUE(Read("app", Sha256(MakeBytes(80'000, 11))) == MakeBytes(80'000, 11));
  }
}

TEST_P(StorePromisesTest, FreedBytesAreWhatTheDiskGotBack) {
  std::vector<Digest> manifests;
  for (uint64_t i = 0; i < 20; ++i) {
    manifests.push_back(PushImage("app", i, {}, 65'000 + 7'001 * i).manifest);
  }
  for (size_t i = 0; i < manifests.size(); i += 2) {
    DeleteManifest("app", manifests[i]);
  }
  under_test().Advance(kHour);
  const uint64_t before = under_test().AllocatedBytes();
  const ReclaimReport report = Reclaim();
  EXPECT_GT(report.freed_bytes, 0u);
  EXPECT_EQ(report.freed_bytes, before - under_test().AllocatedBytes());
  EXPECT_EQ(report.blobs, 30u);
  const ReclaimReport again = Reclaim();
  EXPECT_EQ(again.blobs, 0u);
  EXPECT_EQ(again.freed_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stores, StorePromisesTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
