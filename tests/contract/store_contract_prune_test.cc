// Prune, and the disk usage that says beforehand what it would free.
#include <gmock/gmock.h>

#include <algorithm>

#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
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
  // Until no promise holds.
  void Wait() { under_test().Advance(11 * kMinute); }

  struct Pruned {
    PruneReport report;
    std::vector<Digest> images;
    std::vector<std::string> untagged;
    std::vector<PruneStep> kept;  // deferred or skipped
  };
  Pruned Prune(const PruneRequest& request = {}) {
    Pruned pruned;
    const absl::StatusOr<PruneReport> report =
        store().images.Prune(request, [&](const PruneStep& step) {
          if (step.kind == PruneStep::Kind::kRemoved) {
            pruned.images.push_back(step.image.manifest.digest);
            pruned.untagged.insert(pruned.untagged.end(), step.untagged.begin(),
                                   step.untagged.end());
          } else if (step.kind == PruneStep::Kind::kDeferred ||
                     step.kind == PruneStep::Kind::kSkipped) {
            pruned.kept.push_back(step);
          }
          return true;
        });
    EXPECT_TRUE(report.ok()) << report.status();
    pruned.report = report.value_or(PruneReport());
    EXPECT_EQ(pruned.report.images, pruned.images.size());
    EXPECT_EQ(pruned.report.untagged, pruned.untagged.size());
    return pruned;
  }
  Pruned PruneUnused(std::vector<std::string> filters = {}) {
    PruneRequest request;
    request.filters = std::move(filters);
    request.all = true;
    return Prune(request);
  }
  Pruned DryRun(bool all = false) {
    PruneRequest request;
    request.dry_run = true;
    request.all = all;
    return Prune(request);
  }
  DiskUsage Usage() {
    const absl::StatusOr<DiskUsage> usage = store().system.MeasureDiskUsage();
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
STORE_SUITE(StorePruneHeldTest, StorePruneTest, kHeldUploads);

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
  ASSERT_TRUE(store().images.TagFrom("app", subject.manifest, "copy", "v2").ok());
  ASSERT_TRUE(store().manifests.Untag("copy", "v2", false).ok());
  Wait();
  EXPECT_THAT(Prune().images, IsEmpty());
  for (const Digest& manifest : {child.manifest, index, subject.manifest, signature}) {
    EXPECT_TRUE(IsThere("app", manifest));
  }
  EXPECT_TRUE(IsThere("copy", subject.manifest));
}

// Of all kinds in between, and more of them than go at once.
TEST_P(StorePruneTest, OfManyImagesWithOneBaseThoseGoThatNothingKeeps) {
  const Image base = PushImage("app", 1, {"kept"});
  ManifestParts parts;
  parts.config = base.config;
  parts.layers = {base.layer};
  const auto put = [&](std::string_view note, std::vector<std::string> tags = {}) {
    parts.note = note;
    return PutManifest("app", ManifestJson(parts), std::move(tags));
  };
  std::vector<Digest> go;
  for (int i = 0; i < 100; ++i) go.push_back(put(StrCat(i)));
  const Digest tagged = put("tagged", {"tagged"});
  const Digest held = put("held");
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", held, 0}).ok());
  const Digest listed = put("listed");
  const Digest index = PutIndex("app", {listed}, {"all"});
  go.push_back(put("listed by what goes"));
  go.push_back(PutIndex("app", {go.back()}, {}));
  go.push_back(put("with a signature"));
  go.push_back(PutReferrer("app", go.back()));
  const Digest elsewhere = put("tagged elsewhere");
  ASSERT_TRUE(store().images.TagFrom("app", elsewhere, "copy", "v1").ok());
  Wait();
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, UnorderedElementsAreArray(go));
  EXPECT_THAT(pruned.kept, IsEmpty());
  for (const Digest& manifest : {base.manifest, tagged, held, listed, index, elsewhere}) {
    EXPECT_TRUE(IsThere("app", manifest));
  }
  EXPECT_EQ(Read("app", base.layer).size(), 100'000u);
  EXPECT_EQ(Prune().report.images, 0u);
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
  ASSERT_TRUE(store().manifests.GetManifest("app", "latest").ok());
  PushImage("app", 2, {"latest"});
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, IsEmpty());
  EXPECT_EQ(pruned.report.deferred, 1u);
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
  // A door may notice the end of the read, which renews the promise, only after the wait.
  std::vector<Digest> removed;
  for (int round = 0; round < 8 && removed.empty(); ++round) {
    Wait();
    removed = Prune().images;
  }
  EXPECT_THAT(removed, ElementsAre(image.manifest));
}

TEST_P(StorePruneTest, ADryRunAndTheDiskUsageSayWhatAPruneFrees) {
  const Image old = PushImage("app", 1, {"latest"});
  PushImage("app", 2, {"latest"});
  ASSERT_TRUE(store().images.TagFrom("app", old.manifest, "copy", "v1").ok());
  ASSERT_TRUE(store().manifests.Untag("copy", "v1", false).ok());
  Push("app", MakeBytes(80'000, 9));  // for nobody
  Wait();
  const Pruned planned = DryRun();
  EXPECT_EQ(planned.report.freed_bytes, 0u);
  EXPECT_TRUE(IsThere("app", old.manifest));
  const DiskUsage before = Usage();
  EXPECT_EQ(before.dangling.count, 2u);
  EXPECT_EQ(before.dangling.logical_bytes, planned.report.content_bytes);
  EXPECT_EQ(before.tagged.count, 1u);
  EXPECT_EQ(before.images, 3u);
  EXPECT_EQ(before.in_use.count, 0u);
  EXPECT_EQ(before.unused.count, 3u);
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

TEST_P(StorePruneTest, TheDiskUsageSaysWhatIsInUseAndWhatAPruneOfAllFrees) {
  const Image held = PushImage("app", 1, {"v1", "v2"});
  PushImage("app", 2, {"other"});
  const Image untagged = PushImage("app", 3);
  PushImage("app", 4);  // dangling
  const Image child = PushImage("app", 5);
  ManifestParts parts;
  parts.media_type = kMediaTypeOciIndex;
  parts.children = {child.manifest};
  const Digest index = PutManifest("app", ManifestJson(parts), {"multi"});
  PutReferrer("app", index);
  for (const Digest& image : {held.manifest, untagged.manifest, index}) {
    HoldRequest hold;
    hold.name = StrCat("c-", image.ToString().substr(7, 12));
    hold.repository = "app";
    hold.manifest = image;
    ASSERT_TRUE(store().claims.CreateHold(hold).ok());
  }
  Wait();
  const DiskUsage usage = Usage();
  EXPECT_EQ(usage.images, 5u);
  EXPECT_EQ(usage.tagged.count, 3u);
  EXPECT_EQ(usage.in_use.count, 3u);
  EXPECT_EQ(usage.dangling.count, 1u);
  EXPECT_EQ(usage.unused.count, 2u);
  EXPECT_EQ(usage.in_use.logical_bytes + usage.unused.logical_bytes,
            usage.tagged.logical_bytes + usage.dangling.logical_bytes);
  EXPECT_EQ(usage.in_use.disk_bytes + usage.unused.disk_bytes, usage.loose.disk_bytes);
  const Pruned planned = DryRun(/*all=*/true);
  EXPECT_EQ(planned.report.images, usage.unused.count);
  EXPECT_EQ(planned.report.content_bytes, usage.unused.logical_bytes);
  const Pruned pruned = PruneUnused();
  EXPECT_EQ(pruned.report.freed_bytes, usage.unused.disk_bytes);
  const DiskUsage after = Usage();
  EXPECT_EQ(after.unused.count, 0u);
  EXPECT_EQ(after.unused.logical_bytes, 0u);
  EXPECT_EQ(after.in_use.logical_bytes, usage.in_use.logical_bytes);
}

TEST_P(StorePruneHeldTest, UploadsAreCountedWhileTheyArrive) {
  const auto upload = store().blobs.BeginUpload("app", {});
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
  ASSERT_TRUE(under_test().engine().manifests.StatManifest("app", image.manifest).ok());
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

TEST_P(StorePruneTest, AnImageThatWasJustPushedStaysWhenItsTagMovesOn) {
  const Image old = PushImage("app", 1, {"latest"});
  Wait();
  PushImage("app", 2, {"latest"});
  const Image recent = PushImage("app", 3, {"recent"});
  PushImage("app", 4, {"recent"});
  EXPECT_THAT(Prune().images, ElementsAre(old.manifest));
  Wait();
  EXPECT_THAT(Prune().images, ElementsAre(recent.manifest));
}

TEST_P(StorePruneTest, NothingGoesRightAfterAStart) {
  const Image old = PushImage("app", 1);
  Wait();
  under_test().Reopen();
  EXPECT_EQ(Prune().report.deferred, 1u);
  Wait();
  EXPECT_THAT(Prune().images, ElementsAre(old.manifest));
}

// For operators who know that nobody works: what was promised before goes at once, and what waits
// because the daemon was started.
TEST_P(StorePruneTest, NowEndsWhatWasPromisedBefore) {
  const Image image = PushImage("app", 1);
  const Image leased = PushImage("app", 2);
  const Digest unnamed = Push("app", MakeBytes(80'000, 3));
  LeaseRequest lease;
  lease.id = "build";
  lease.ttl_nanos = 5 * kHour;
  ASSERT_TRUE(store().claims.CreateLease(lease).ok());
  ASSERT_TRUE(store().claims.AttachToLease("build", {leased.manifest}).ok());
  Reclaim();  // puts off what is promised
  PruneRequest now;
  now.now = true;
  now.dry_run = true;
  EXPECT_THAT(Prune(now).images, ElementsAre(image.manifest));
  EXPECT_TRUE(IsThere("app", image.manifest));
  EXPECT_EQ(Prune().report.deferred, 2u);  // the dry run ended nothing
  now.dry_run = false;
  const Pruned pruned = Prune(now);
  EXPECT_THAT(pruned.images, ElementsAre(image.manifest));
  EXPECT_EQ(pruned.report.deferred, 1u);
  EXPECT_EQ(OpenCode("", unnamed), Code::kNotFound);
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
  EXPECT_TRUE(IsThere("app", leased.manifest));
}

TEST_P(StorePruneTest, NowEndsTheWaitAfterAStart) {
  const Image image = PushImage("app", 1);
  Wait();
  under_test().Reopen();
  EXPECT_EQ(Prune().report.deferred, 1u);
  PruneRequest now;
  now.now = true;
  EXPECT_THAT(Prune(now).images, ElementsAre(image.manifest));
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StorePruneTest, TellsHowMuchOfRemovedImagesStaysForNow) {
  const Image image = PushImage("app", 1);
  Wait();
  ASSERT_EQ(StatCode("app", image.layer), Code::kOk);
  Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, ElementsAre(image.manifest));
  EXPECT_EQ(pruned.report.deferred, 1u);
  EXPECT_EQ(pruned.report.deferred_bytes, under_test().AllocatedBytes());
  EXPECT_GT(pruned.report.deferred_bytes, 0u);
  Wait();
  Reclaim();
  EXPECT_EQ(under_test().AllocatedBytes(), 0u);
}

TEST_P(StorePruneTest, NamesWhoIsAtWork) {
  PushImage("idle", 1);
  under_test().Advance(2 * kMinute);
  PushImage("pushed", 2);
  const auto upload = store().blobs.BeginUpload("pushed", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append(0, "bytes").ok());
  const auto activity = under_test().engine().system.ListActivity();
  ASSERT_TRUE(activity.ok()) << activity.status();
  EXPECT_THAT(activity->repositories, ElementsAre("pushed"));
  ASSERT_EQ(activity->uploads.size(), 1u);
  EXPECT_EQ(activity->uploads[0].repository, "pushed");
  EXPECT_EQ(activity->uploads[0].received_bytes, 5u);
}

// Pages of images begin with one, and double.
TEST_P(StorePruneTest, TheObserverEndsItAfterThePageThatItIsAt) {
  for (uint64_t seed = 1; seed <= 5; ++seed) PushImage("app", seed);
  Wait();
  // Of the engine: a door may have told more when the client's word arrives.
  size_t seen = 0;
  const absl::StatusOr<PruneReport> report = under_test().engine().images.Prune(
      {},
      [&](const PruneStep& step) { return step.kind != PruneStep::Kind::kRemoved || ++seen < 2; });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(seen, 2u);
  EXPECT_EQ(report->images, 3u);
  EXPECT_EQ(under_test().BlobFiles().size(), 2u);
  EXPECT_EQ(Prune().report.images, 2u);
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
  for (const char* bad :
       {"colour=red", "dangling=maybe", "until", "before=app", "unused-for=-1h", "keep-last=x"}) {
    request.filters = {bad};
    EXPECT_EQ(store().images.Prune(request, nullptr).status().code(), Code::kInvalidArgument)
        << bad;
  }
  Wait();                               // to look was a pull
  request.filters = {"dangling=true"};  // which Docker's client always says
  EXPECT_THAT(Prune(request).images, ElementsAre(green));
}

TEST_P(StorePruneTest, AllRemovesWhatIsNotInUseWithItsTags) {
  const Image used = PushImage("app", 1, {"v1", "v2"});
  const Image unused = PushImage("app", 2, {"v3", "v4"});
  const Image untagged = PushImage("app", 3);
  ASSERT_TRUE(store().images.TagFrom("app", unused.manifest, "copy", "v3").ok());
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", used.manifest, 0}).ok());
  Wait();
  const Pruned planned = DryRun(true);
  EXPECT_TRUE(IsThere("app", unused.manifest));
  Wait();  // to look was a pull
  const Pruned pruned = PruneUnused();
  EXPECT_THAT(pruned.images,
              UnorderedElementsAre(unused.manifest, unused.manifest, untagged.manifest));
  EXPECT_THAT(pruned.untagged, UnorderedElementsAre("app:v3", "app:v4", "copy:v3"));
  EXPECT_THAT(planned.images, UnorderedElementsAreArray(pruned.images));
  EXPECT_THAT(planned.untagged, UnorderedElementsAreArray(pruned.untagged));
  EXPECT_EQ(planned.report.content_bytes, pruned.report.content_bytes);
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kOk);
  EXPECT_EQ(ManifestCode("app", "v2"), Code::kOk);
  EXPECT_EQ(ManifestCode("app", "v3"), Code::kNotFound);
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
}

TEST_P(StorePruneTest, DanglingFalseMeansAll) {
  PushImage("app", 1, {"v1"});
  Wait();
  PruneRequest request;
  request.filters = {"dangling=false"};
  EXPECT_THAT(Prune(request).untagged, ElementsAre("app:v1"));
  request.all = true;
  EXPECT_EQ(Prune(request).images.size(), 0u);
  request.filters = {"dangling=true"};
  EXPECT_EQ(store().images.Prune(request, nullptr).status().code(), Code::kInvalidArgument);
}

TEST_P(StorePruneTest, AllTakesAnIndexWithItsChildrenButNotWhatAHoldNeeds) {
  const Image first = PushImage("app", 1);
  const Image second = PushImage("app", 2, {"amd64"});
  const Image third = PushImage("app", 3);
  PutIndex("app", {first.manifest, second.manifest}, {"all"});
  const Digest held = PutIndex("app", {second.manifest, third.manifest}, {"held"});
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", held, 0}).ok());
  Wait();
  const Pruned pruned = PruneUnused();
  EXPECT_THAT(pruned.untagged, ElementsAre("app:all"));
  EXPECT_EQ(pruned.images.size(), 2u);
  EXPECT_FALSE(IsThere("app", first.manifest));
  EXPECT_TRUE(IsThere("app", second.manifest));
  // What a kept index lists keeps its own tags as well.
  EXPECT_EQ(ManifestCode("app", "amd64"), Code::kOk);
  EXPECT_TRUE(IsThere("app", third.manifest));
}

TEST_P(StorePruneTest, AChildWithATagOfItsOwnIsAskedForByTheFilters) {
  const Image child = PushImage("app", 1, {"keep"});
  const Image other = PushImage("app", 2);
  PutIndex("app", {child.manifest, other.manifest}, {"ci-1"});
  Wait();
  const Pruned pruned = PruneUnused({"reference=app:ci-*"});
  EXPECT_THAT(pruned.untagged, ElementsAre("app:ci-1"));
  EXPECT_EQ(pruned.images.size(), 2u);
  EXPECT_EQ(ManifestCode("app", "keep"), Code::kOk);
}

TEST_P(StorePruneTest, SignaturesByTagFollowTheirImage) {
  const Image image = PushImage("app", 1, {"v1"});
  const Image kept = PushImage("app", 2, {"v2"});
  const auto tag_of = [](const Digest& subject, const std::string& suffix) {
    std::string tag = subject.ToString();
    tag[tag.find(':')] = '-';
    return tag + suffix;
  };
  const Image signature = PushImage("app", 3, {tag_of(image.manifest, ".sig")});
  const Image bill = PushImage("app", 4, {tag_of(image.manifest, "")});
  const Image of_kept = PushImage("app", 5, {tag_of(kept.manifest, ".att")});
  // Its subject is in another repository: a tag like any other.
  const Image elsewhere = PushImage("signatures", 6, {tag_of(kept.manifest, ".sig")});
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", kept.manifest, 0}).ok());
  Wait();
  EXPECT_THAT(Prune().images, IsEmpty());
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images,
              UnorderedElementsAre(image.manifest, signature.manifest, bill.manifest));
  EXPECT_THAT(pruned.untagged, UnorderedElementsAre("app:" + tag_of(image.manifest, ".sig"),
                                                    "app:" + tag_of(image.manifest, "")));
  EXPECT_TRUE(IsThere("app", of_kept.manifest));
  Wait();
  EXPECT_THAT(PruneUnused().images, ElementsAre(elsewhere.manifest));
  EXPECT_TRUE(IsThere("app", of_kept.manifest));
  // Docker's rmi: they go with the last tag of their image.
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  Wait();
  const auto removed = store().images.RemoveImage("app:v2", false);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(removed->untagged, ElementsAre("app:v2", "app:" + tag_of(kept.manifest, ".att")));
  EXPECT_FALSE(IsThere("app", of_kept.manifest));
}

TEST_P(StorePruneTest, FiltersByNameUseAndNumber) {
  PushImage("app", 1, {"ci-1"});
  under_test().Advance(kHour);
  PushImage("app", 2, {"ci-2"});
  PushImage("other", 3, {"ci-2"});
  under_test().Advance(kHour);
  PushImage("app", 4, {"ci-3", "prod"});
  under_test().Advance(kHour);
  PushImage("app", 5, {"ci-4"});
  ASSERT_TRUE(store().manifests.GetManifest("app", "ci-1").ok());
  Wait();
  EXPECT_THAT(PruneUnused({"reference=app:ci-*", "keep-last=4"}).untagged, IsEmpty());
  EXPECT_THAT(PruneUnused({"reference=nothing*", "keep-last=0"}).untagged, IsEmpty());
  EXPECT_THAT(PruneUnused({"unused-for=3h"}).untagged, IsEmpty());
  // The first was pulled since; of those with two names, both must match.
  EXPECT_THAT(PruneUnused({"unused-for=30m", "reference=app:*", "reference=team/*"}).untagged,
              UnorderedElementsAre("app:ci-2", "app:ci-3", "app:prod"));
  PushImage("app", 6, {"ci-5", "best"});
  Wait();
  EXPECT_THAT(PruneUnused({"reference=app:ci-*", "keep-last=1"}).untagged, ElementsAre("app:ci-1"));
  EXPECT_THAT(PruneUnused({"keep-last=1"}).untagged, ElementsAre("app:ci-4"));
  EXPECT_EQ(ManifestCode("app", "best"), Code::kOk);
  Wait();
  EXPECT_THAT(PruneUnused({"keep-last=0", "reference=other"}).untagged, ElementsAre("other:ci-2"));
}

TEST_P(StorePruneTest, WhatStaysForNowIsToldWithReasonAndTime) {
  const Image promised = PushImage("app", 1);
  const Image leased = PushImage("app", 2);
  const Image pulled = PushImage("app", 3);
  Wait();
  LeaseRequest request;
  request.id = "build";
  request.ttl_nanos = 5 * kHour;
  const auto lease = store().claims.CreateLease(request);
  ASSERT_TRUE(lease.ok()) << lease.status();
  ASSERT_TRUE(store().claims.AttachToLease("build", {leased.manifest}).ok());
  ASSERT_TRUE(under_test().engine().manifests.StatManifest("app", promised.manifest).ok());
  ASSERT_TRUE(store().manifests.GetManifest("app", pulled.manifest).ok());
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, IsEmpty());
  EXPECT_EQ(pruned.report.deferred, 3u);
  EXPECT_EQ(pruned.report.deferred_until_nanos, lease->deadline_nanos);
  ASSERT_EQ(pruned.kept.size(), 3u);
  const int64_t now = lease->created_nanos;
  for (const PruneStep& step : pruned.kept) {
    EXPECT_EQ(step.kind, PruneStep::Kind::kDeferred);
    const Digest& manifest = step.image.manifest.digest;
    if (manifest == leased.manifest) {
      EXPECT_EQ(step.reason, "lease build covers it");
      EXPECT_EQ(step.until_nanos, lease->deadline_nanos);
    } else {
      EXPECT_EQ(step.reason, "it was pushed, pulled or asked for a short time ago");
      EXPECT_GE(step.until_nanos, now + 10 * kMinute - kSecond);
      EXPECT_LE(step.until_nanos, now + 10 * kMinute + kMinute);
    }
  }
}

TEST_P(StorePruneTest, APruneIsListedWhenItHasEnded) {
  PushImage("app", 1);
  Wait();
  std::string job;
  PruneRequest request;
  request.filters = {"until=1h", "label!=keep"};
  const auto report = store().images.Prune(request, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kStarted) job = step.job;
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  const auto jobs = store().images.ListPrunes();
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_EQ(jobs->size(), 1u);
  EXPECT_EQ((*jobs)[0].id, job);
  EXPECT_FALSE(job.empty());
  EXPECT_EQ((*jobs)[0].state, PruneJob::State::kDone);
  EXPECT_EQ((*jobs)[0].request.filters, request.filters);
  EXPECT_EQ((*jobs)[0].report.images, report->images);
  EXPECT_EQ(store().images.CancelPrune(job).code(), Code::kNotFound);
  EXPECT_EQ(store().images.AttachPrune(job, nullptr).status().code(), Code::kNotFound);
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

// Images that only keep each other: an index whose subject is its own child, and what is below it.
TEST_P(StorePruneTest, AnIndexThatRefersToItsOwnChildKeepsNothing) {
  const Image child = PushImage("app", 1);
  const Image beside = PushImage("app", 2);
  ManifestParts parts;
  parts.media_type = kMediaTypeOciIndex;
  parts.children = {child.manifest, beside.manifest};
  parts.subject = child.manifest;
  const Digest index = PutManifest("app", ManifestJson(parts));
  const Digest signature = PutReferrer("app", index);
  const Image kept = PushImage("app", 3, {"v1"});
  Wait();
  const DiskUsage usage = Usage();
  EXPECT_EQ(usage.dangling.count, 4u);
  const Pruned planned = DryRun();
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images,
              UnorderedElementsAre(index, child.manifest, beside.manifest, signature));
  EXPECT_THAT(planned.images, UnorderedElementsAreArray(pruned.images));
  EXPECT_EQ(planned.report.content_bytes, pruned.report.content_bytes);
  EXPECT_EQ(pruned.report.content_bytes, usage.dangling.logical_bytes);
  EXPECT_EQ(pruned.report.freed_bytes, usage.dangling.disk_bytes);
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
  EXPECT_TRUE(IsThere("app", kept.manifest));
}

TEST_P(StorePruneTest, OneNameOrHoldKeepsAllThatKeepEachOther) {
  const Image child = PushImage("app", 1, {"v1"});
  ManifestParts parts;
  parts.media_type = kMediaTypeOciIndex;
  parts.children = {child.manifest};
  parts.subject = child.manifest;
  const Digest index = PutManifest("app", ManifestJson(parts));
  Wait();
  EXPECT_THAT(DryRun().images, IsEmpty());
  EXPECT_THAT(Prune().images, IsEmpty());
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", index, 0}).ok());
  EXPECT_THAT(DryRun(true).images, IsEmpty());
  EXPECT_THAT(PruneUnused().images, IsEmpty());
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  Wait();
  EXPECT_THAT(Prune().images, UnorderedElementsAre(index, child.manifest));
}

// While such an index stands, tagged images with the same child are as unused as any.
TEST_P(StorePruneTest, TaggedImagesOfAChildThatKeepsItselfGoWithAll) {
  const Image child = PushImage("app", 1, {"arm"});
  ManifestParts parts;
  parts.media_type = kMediaTypeOciIndex;
  parts.children = {child.manifest};
  parts.subject = child.manifest;
  const Digest index = PutManifest("app", ManifestJson(parts));
  const Digest tagged = PutIndex("app", {child.manifest}, {"v1"});
  Wait();
  const Pruned planned = DryRun(true);
  const Pruned pruned = PruneUnused();
  EXPECT_THAT(pruned.images, UnorderedElementsAre(tagged, index, child.manifest));
  EXPECT_THAT(planned.images, UnorderedElementsAreArray(pruned.images));
  EXPECT_THAT(pruned.untagged, UnorderedElementsAre("app:v1", "app:arm"));
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StorePruneTest, ImagesTaggedAsSignaturesOfEachOtherKeepNothing) {
  const auto signature_tag = [](const Digest& subject) {
    std::string tag = subject.ToString() + ".sig";
    std::replace(tag.begin(), tag.end(), ':', '-');
    return tag;
  };
  const Image first = PushImage("app", 1);
  const Image second = PushImage("app", 2);
  const Image own = PushImage("app", 3);
  ASSERT_TRUE(store().manifests.Tag("app", signature_tag(first.manifest), second.manifest).ok());
  ASSERT_TRUE(store().manifests.Tag("app", signature_tag(second.manifest), first.manifest).ok());
  ASSERT_TRUE(store().manifests.Tag("app", signature_tag(own.manifest), own.manifest).ok());
  Wait();
  EXPECT_EQ(Usage().dangling.count, 3u);
  const Pruned planned = DryRun();
  const Pruned pruned = Prune();
  EXPECT_THAT(pruned.images, UnorderedElementsAre(first.manifest, second.manifest, own.manifest));
  EXPECT_THAT(planned.images, UnorderedElementsAreArray(pruned.images));
  EXPECT_EQ(pruned.report.untagged, 3u);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

// Of a circle a filter must select one that another refers to.
TEST_P(StorePruneTest, FiltersSelectWhatKeepsItselfByAnImageThatIsReferredTo) {
  const Digest red = PutDescribed("red", "2020-01-01T00:00:00Z");
  ManifestParts parts;
  parts.media_type = kMediaTypeOciIndex;
  parts.children = {red};
  parts.subject = red;
  const Digest index = PutManifest("app", ManifestJson(parts));
  Wait();
  PruneRequest request;
  request.filters = {"label=team=blue"};
  EXPECT_THAT(Prune(request).images, IsEmpty());
  request.dry_run = true;
  EXPECT_THAT(Prune(request).images, IsEmpty());
  request.filters = {"label=team=red"};
  EXPECT_THAT(Prune(request).images, UnorderedElementsAre(red, index));
  request.dry_run = false;
  EXPECT_THAT(Prune(request).images, UnorderedElementsAre(red, index));
}

INSTANTIATE_TEST_SUITE_P(Stores, StorePruneTest,
                         testing::ValuesIn(StoresThat(Ability::kListImages)), StoreName);

}  // namespace
}  // namespace varve
