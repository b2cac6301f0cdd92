// Prune, and the disk usage that says beforehand what it would free.
#include <gmock/gmock.h>

#include "storage/base/str_cat.h"
#include "storage/catalog/manifest.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;
using Code = absl::StatusCode;

class StorePruneTest : public StoreContractTest {
 protected:
  void SetUp() override {
    StoreContractTest::SetUp();
    VARVE_NEEDS(kListImages);
  }

  // Until no promise holds.
  void Wait() { under_test().Advance(11 * kMinute); }

  struct Pruned {
    PruneReport report;
    std::vector<Digest> images;
  };
  Pruned Prune(const PruneRequest& request = {}) {
    Pruned pruned;
    const absl::StatusOr<PruneReport> report = store().Prune(request, [&](const ImageInfo& image) {
      pruned.images.push_back(image.manifest.digest);
      return true;
    });
    EXPECT_TRUE(report.ok()) << report.status();
    pruned.report = report.value_or(PruneReport());
    EXPECT_EQ(pruned.report.images, pruned.images.size());
    return pruned;
  }
  Pruned DryRun() {
    PruneRequest request;
    request.dry_run = true;
    return Prune(request);
  }
  DiskUsage Usage() {
    const absl::StatusOr<DiskUsage> usage = store().MeasureDiskUsage();
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.value_or(DiskUsage());
  }
  Digest PutIndex(std::string_view repository, const std::vector<Digest>& children,
                  std::vector<std::string> tags) {
    ManifestParts parts;
    parts.media_type = kMediaTypeOciIndex;
    parts.children = children;
    return PutManifest(repository, ManifestJson(parts), std::move(tags));
  }
  Digest PutReferrer(std::string_view repository, const Digest& subject) {
    ManifestParts parts;
    parts.config = Push(repository, "{}");
    parts.subject = subject;
    return PutManifest(repository, ManifestJson(parts));
  }
  // An image whose config states a label and when it was made.
  Digest PutDescribed(std::string_view label, std::string_view created) {
    ManifestParts parts;
    parts.config =
        Push("app", StrCat(R"({"architecture":"amd64","os":"linux","created":")", created,
                           R"(","config":{"Labels":{"team":")", label, R"("}}})"));
    return PutManifest("app", ManifestJson(parts));
  }
  bool IsThere(std::string_view repository, const Digest& manifest) {
    return ManifestCode(repository, manifest) == Code::kOk;
  }
};

TEST_P(StorePruneTest, RemovesWhatNoTagNamesAndFreesWhatOnlyThatKept) {
  const Image old = PushImage("app", 1, {"latest"});
  ManifestParts parts;
  parts.config = Push("app", "{\"config\":2}");
  parts.layers = {old.layer, Push("app", MakeBytes(70'000, 2))};
  const Digest middle = PutManifest("app", ManifestJson(parts), {"latest"});
  const Image now = PushImage("app", 3, {"latest"});
  Wait();
  const uint64_t before = under_test().AllocatedBytes();
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, UnorderedElementsAre(old.manifest, middle));
  EXPECT_EQ(pruned.report.freed_bytes, before - under_test().AllocatedBytes());
  EXPECT_GT(pruned.report.freed_bytes, 0u);
  EXPECT_GE(pruned.report.content_bytes, 170'000u);
  EXPECT_LT(pruned.report.content_bytes, 172'000u);
  EXPECT_EQ(pruned.report.deferred, 0u);
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
  EXPECT_TRUE(IsThere("app", now.manifest));
  EXPECT_EQ(Prune().report.images, 0u);
}

TEST_P(StorePruneTest, KeepsWhatAnythingNeeds) {
  const Image child = PushImage("app", 1);
  const Digest index = PutIndex("app", {child.manifest}, {"all"});
  const Image subject = PushImage("app", 2, {"v2"});
  const Digest signature = PutReferrer("app", subject.manifest);
  // Untagged here, tagged elsewhere.
  ASSERT_TRUE(store().TagFrom("app", subject.manifest, "copy", "v2").ok());
  ASSERT_TRUE(store().Untag("copy", "v2").ok());
  Wait();
  EXPECT_THAT(Prune().images, IsEmpty());
  for (const Digest& manifest : {child.manifest, index, subject.manifest, signature}) {
    EXPECT_TRUE(IsThere("app", manifest));
  }
  EXPECT_TRUE(IsThere("copy", subject.manifest));
}

TEST_P(StorePruneTest, WhatBelongsToARemovedImageGoesWithIt) {
  const Image own = PushImage("app", 1);
  const Image shared = PushImage("app", 2);
  const Digest inner = PutIndex("app", {own.manifest}, {});
  const Digest outer = PutIndex("app", {inner, shared.manifest}, {"all"});
  const Digest signature = PutReferrer("app", outer);
  const Digest of_signature = PutReferrer("app", signature);
  const Digest now = PutIndex("app", {shared.manifest}, {"all"});
  Wait();
  const Pruned planned = DryRun();
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images,
              UnorderedElementsAre(own.manifest, inner, outer, signature, of_signature));
  EXPECT_THAT(planned.images, UnorderedElementsAreArray(pruned.images));
  EXPECT_EQ(planned.report.content_bytes, pruned.report.content_bytes);
  EXPECT_TRUE(IsThere("app", shared.manifest));
  EXPECT_TRUE(IsThere("app", now));
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
}

TEST_P(StorePruneTest, WhatIsBeingPulledStays) {
  const Image image = PushImage("app", 1, {"latest"});
  Wait();
  ASSERT_TRUE(store().GetManifest("app", "latest").ok());
  PushImage("app", 2, {"latest"});
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, IsEmpty());
  EXPECT_EQ(pruned.report.deferred, 1u);
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
  Wait();
  EXPECT_THAT(Prune().images, ElementsAre(image.manifest));
}

TEST_P(StorePruneTest, ADryRunAndTheDiskUsageSayWhatAPruneFrees) {
  const Image old = PushImage("app", 1, {"latest"});
  PushImage("app", 2, {"latest"});
  ASSERT_TRUE(store().TagFrom("app", old.manifest, "copy", "v1").ok());
  ASSERT_TRUE(store().Untag("copy", "v1").ok());
  Push("app", MakeBytes(80'000, 9));  // for nobody
  Wait();
  const Pruned planned = DryRun();
  EXPECT_EQ(planned.report.freed_bytes, 0u);
  EXPECT_TRUE(IsThere("app", old.manifest));
  const DiskUsage before = Usage();
  EXPECT_EQ(before.dangling.count, 2u);
  EXPECT_EQ(before.dangling.logical_bytes, planned.report.content_bytes);
  EXPECT_EQ(before.tagged.count, 1u);
  EXPECT_EQ(before.tags, 1u);
  EXPECT_EQ(before.repositories, 2u);
  EXPECT_EQ(before.unreferenced.count, 1u);
  EXPECT_EQ(before.unreferenced.logical_bytes, 80'000u);
  EXPECT_EQ(before.loose.count, 3u);
  EXPECT_EQ(before.loose.logical_bytes, 280'000u);
  EXPECT_EQ(before.loose.disk_bytes, under_test().AllocatedBytes());
  EXPECT_EQ(before.inlined.count, 4u);
  EXPECT_EQ(before.uploads.count, 0u);
  EXPECT_EQ(before.loose.logical_bytes + before.inlined.logical_bytes,
            before.tagged.logical_bytes + before.dangling.logical_bytes +
                before.unreferenced.logical_bytes);
  Wait();  // to look was a pull
  const Pruned pruned = Prune();
  EXPECT_EQ(pruned.report.images, planned.report.images);
  EXPECT_EQ(pruned.report.content_bytes, planned.report.content_bytes);
  EXPECT_EQ(pruned.report.freed_bytes, before.dangling.disk_bytes);
  const DiskUsage after = Usage();
  EXPECT_EQ(after.dangling.count, 0u);
  EXPECT_EQ(after.dangling.logical_bytes, 0u);
  EXPECT_EQ(after.tagged.logical_bytes, before.tagged.logical_bytes);
  EXPECT_EQ(after.tagged.disk_bytes, after.loose.disk_bytes);
  EXPECT_EQ(after.repositories, 1u);
}

TEST_P(StorePruneTest, UploadsAreCountedWhileTheyArrive) {
  VARVE_NEEDS(kHeldUploads);
  const auto upload = store().BeginIngest("app", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append(0, MakeBytes(150'000, 1)).ok());
  const DiskUsage usage = Usage();
  EXPECT_EQ(usage.uploads.count, 1u);
  EXPECT_EQ(usage.uploads.logical_bytes, 150'000u);
  EXPECT_EQ(usage.uploads.disk_bytes, under_test().AllocatedBytes());
  EXPECT_EQ(usage.loose.count, 0u);
  ASSERT_TRUE((*upload)->Abort().ok());
  EXPECT_EQ(Usage().uploads.count, 0u);
}

TEST_P(StorePruneTest, APromiseKeepsAnImageForNow) {
  const Image image = PushImage("app", 1);
  PushImage("app", 2, {"latest"});
  Wait();
  ASSERT_TRUE(under_test().engine().StatManifest("app", image.manifest).ok());
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, IsEmpty());
  EXPECT_EQ(pruned.report.deferred, 1u);
  EXPECT_EQ(DryRun().report.deferred, 1u);
  EXPECT_TRUE(IsThere("app", image.manifest));
  Wait();
  EXPECT_THAT(Prune().images, ElementsAre(image.manifest));
}

TEST_P(StorePruneTest, AnIndexPushedChildByChildIsNotPrunedInBetween) {
  Wait();
  const Image first = PushImage("app", 1);
  EXPECT_THAT(Prune().images, IsEmpty());
  const Image second = PushImage("app", 2);
  under_test().Advance(9 * kMinute);
  EXPECT_EQ(Prune().report.deferred, 2u);
  PutIndex("app", {first.manifest, second.manifest}, {"all"});
  Wait();
  EXPECT_THAT(Prune().images, IsEmpty());
  EXPECT_EQ(OpenCode("app", first.layer), Code::kOk);
}

TEST_P(StorePruneTest, ATagThatMovesOnLeavesNoPromise) {
  const Image old = PushImage("app", 1, {"latest"});
  Wait();
  PushImage("app", 2, {"latest"});
  const Image recent = PushImage("app", 3, {"recent"});
  PushImage("app", 4, {"recent"});
  EXPECT_THAT(Prune().images, UnorderedElementsAre(old.manifest, recent.manifest));
}

TEST_P(StorePruneTest, NothingGoesRightAfterAStart) {
  const Image old = PushImage("app", 1);
  Wait();
  under_test().Reopen();
  EXPECT_EQ(Prune().report.deferred, 1u);
  Wait();
  EXPECT_THAT(Prune().images, ElementsAre(old.manifest));
}

TEST_P(StorePruneTest, TheObserverEndsIt) {
  for (uint64_t seed = 1; seed <= 5; ++seed) PushImage("app", seed);
  Wait();
  // Of the engine: a door may have told more when the client's word arrives.
  size_t seen = 0;
  const absl::StatusOr<PruneReport> report =
      under_test().engine().Prune({}, [&](const ImageInfo&) { return ++seen < 2; });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(seen, 2u);
  EXPECT_EQ(report->images, 2u);
  EXPECT_EQ(under_test().BlobFiles().size(), 3u);
  EXPECT_EQ(Prune().report.images, 3u);
}

TEST_P(StorePruneTest, FiltersChooseImagesButNotWhatBelongsToThem) {
  const Digest red = PutDescribed("red", "2020-01-01T00:00:00Z");
  const Digest blue = PutDescribed("blue", "2021-01-01T00:00:00Z");
  const Digest green = PutDescribed("green", "2029-01-01T00:00:00Z");
  const Digest signature = PutReferrer("app", red);
  Wait();
  PruneRequest request;
  request.filters = {"label=team=red"};
  EXPECT_THAT(Prune(request).images, UnorderedElementsAre(red, signature));
  request.filters = {"label!=team=blue", "until=2020-06-01"};
  EXPECT_THAT(Prune(request).images, IsEmpty());
  request.filters = {"until=2022-01-01"};
  EXPECT_THAT(Prune(request).images, ElementsAre(blue));
  EXPECT_TRUE(IsThere("app", green));
  for (const char* bad : {"colour=red", "dangling=false", "until"}) {
    request.filters = {bad};
    EXPECT_EQ(store().Prune(request, nullptr).status().code(), Code::kInvalidArgument) << bad;
  }
  Wait();                               // to look was a pull
  request.filters = {"dangling=true"};  // which Docker's client always says
  EXPECT_THAT(Prune(request).images, ElementsAre(green));
}

TEST_P(StorePruneTest, WhatComesBackIsThere) {
  const Image image = PushImage("app", 1);
  Wait();
  EXPECT_THAT(Prune().images, ElementsAre(image.manifest));
  EXPECT_FALSE(IsThere("app", image.manifest));
  EXPECT_EQ(OpenCode("app", image.layer), Code::kNotFound);
  PushImage("app", 1, {"back"});
  Wait();
  EXPECT_THAT(Prune().images, IsEmpty());
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
}

INSTANTIATE_TEST_SUITE_P(Stores, StorePruneTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
