// The store as a whole: all its blobs, what it says about itself, and the events that tell what
// happened to images.
#include <gmock/gmock.h>

#include <algorithm>

#include "storage/api/event_log.h"
#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;
using Code = absl::StatusCode;

class StoreSystemTest : public StoreContractTest {
 protected:
  void SetUp() override {
    StoreContractTest::SetUp();
    token_ = Log().Latest();
  }

  // The events of whatever door was used.
  EventLog& Log() { return under_test().engine().system.events(); }

  // What happened since the last call: "push app:v1", "delete app".
  std::vector<std::string> News() {
    std::vector<std::string> news;
    for (const Event& event : NewEvents()) {
      news.push_back(StrCat(EventTypeName(event.type), " ", event.repository,
                            event.tag.empty() ? "" : ":", event.tag));
    }
    return news;
  }
  std::vector<Event> NewEvents() {
    const absl::StatusOr<std::vector<Event>> events = Log().After(token_, kMaxEvents);
    EXPECT_TRUE(events.ok()) << events.status();
    token_ = Log().Latest();
    return events.value_or(std::vector<Event>());
  }

  std::vector<BlobDetails> AllBlobs(size_t limit) {
    std::vector<BlobDetails> all;
    PageRequest page{"", limit};
    for (;;) {
      const absl::StatusOr<Page<BlobDetails>> blobs = store().blobs.ListBlobs(page);
      EXPECT_TRUE(blobs.ok()) << blobs.status();
      if (!blobs.ok() || blobs->rows.empty()) return all;
      EXPECT_LE(blobs->rows.size(), limit);
      all.insert(all.end(), blobs->rows.begin(), blobs->rows.end());
      if (!blobs->more) return all;
      page.after = all.back().blob.digest.ToString();
    }
  }
  BlobDetails BlobOf(const Digest& digest) {
    for (const BlobDetails& details : AllBlobs(kMaxPageRows)) {
      if (details.blob.digest == digest) return details;
    }
    ADD_FAILURE() << digest.ToString() << " is not listed";
    return {};
  }
  Digest PushIndex(const Digest& child, std::vector<std::string> tags) {
    ManifestParts parts;
    parts.media_type = "application/vnd.oci.image.index.v1+json";
    parts.children = {child};
    return PutManifest("app", ManifestJson(parts), std::move(tags));
  }
  void Get(const ManifestReference& reference) {
    const absl::StatusOr<Manifest> manifest = store().manifests.GetManifest("app", reference);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
  }

 private:
  std::string token_;
};
STORE_SUITE(StoreSystemImagesTest, StoreSystemTest, kListImages);

TEST_P(StoreSystemImagesTest, AllBlobsInTheOrderOfTheirDigestsInPagesOfAnySize) {
  EXPECT_THAT(AllBlobs(10), IsEmpty());
  std::vector<Digest> digests;
  for (uint64_t i = 0; i < 8; ++i) {
    const Image image = PushImage("app", i, {StrCat("v", i)}, 1000);
    digests.insert(digests.end(), {image.config, image.layer, image.manifest});
  }
  std::sort(digests.begin(), digests.end());
  for (const size_t limit : std::vector<size_t>{1, 2, 7, 23, 24, 25, 5000}) {
    SCOPED_TRACE(limit);
    std::vector<Digest> listed;
    for (const BlobDetails& details : AllBlobs(limit)) listed.push_back(details.blob.digest);
    EXPECT_THAT(listed, ElementsAreArray(digests));
  }
  EXPECT_EQ(store().blobs.ListBlobs({"junk", 10}).status().code(), Code::kInvalidArgument);
}

TEST_P(StoreSystemImagesTest, ABlobIsListedWithWhatKeepsIt) {
  const Image image = PushImage("app", 1, {"v1"}, 100'000);
  const Digest loose = Push("app", "nobody names it");
  const BlobDetails layer = BlobOf(image.layer);
  EXPECT_EQ(layer.blob.size_bytes, 100'000u);
  EXPECT_GT(layer.blob.created_nanos, 0);
  EXPECT_FALSE(layer.inlined);
  EXPECT_TRUE(layer.referenced);
  EXPECT_FALSE(layer.quarantined);
  EXPECT_TRUE(BlobOf(image.config).inlined);
  EXPECT_TRUE(BlobOf(image.manifest).referenced);
  EXPECT_FALSE(BlobOf(loose).referenced);
  DeleteManifest("app", image.manifest);
  EXPECT_FALSE(BlobOf(image.layer).referenced);
  EXPECT_FALSE(BlobOf(image.manifest).referenced);
  under_test().Advance(kHour);
  Reclaim();
  EXPECT_THAT(AllBlobs(10), IsEmpty());
}

TEST_P(StoreSystemImagesTest, APageOfBlobsHasALimit) {
  for (size_t i = 0; i <= kMaxPageRows; ++i) Push("app", StrCat("blob ", i));
  EXPECT_THAT(AllBlobs(kMaxPageRows), SizeIs(kMaxPageRows + 1));
  const absl::StatusOr<Page<BlobDetails>> page = store().blobs.ListBlobs({"", 1'000'000});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->rows, SizeIs(kMaxPageRows));
  EXPECT_TRUE(page->more);
}

TEST_P(StoreSystemImagesTest, TheStoreTellsWhatItIs) {
  constexpr uint64_t kLimit = 50'000'000;
  StoreSettings settings;
  settings.max_bytes = kLimit;
  Make(settings);
  const absl::StatusOr<StoreInfo> empty = store().system.Info();
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_THAT(empty->uuid, SizeIs(36));
  EXPECT_GT(empty->created_nanos, 0);
  EXPECT_EQ(empty->format_version, 2u);
  EXPECT_EQ(empty->blob_bytes, 0u);
  EXPECT_EQ(empty->max_bytes, kLimit);
  EXPECT_GT(empty->disk_free_bytes, 0u);
  EXPECT_GE(empty->disk_total_bytes, empty->disk_free_bytes);
  Push("app", MakeBytes(200'000, 1));
  under_test().Reopen();
  const absl::StatusOr<StoreInfo> later = store().system.Info();
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->uuid, empty->uuid);
  EXPECT_EQ(later->created_nanos, empty->created_nanos);
  EXPECT_EQ(later->blob_bytes, 200'000u);
}

TEST_P(StoreSystemImagesTest, WhatChangesImagesIsToldInItsOrder) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  EXPECT_THAT(News(), ElementsAre("push app:v1", "tag app:v1", "tag app:v2"));
  PushImage("app", 2);
  EXPECT_THAT(News(), ElementsAre("push app"));
  ASSERT_TRUE(store().manifests.Tag("app", "v3", image.manifest).ok());
  EXPECT_THAT(News(), ElementsAre("tag app:v3"));
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  EXPECT_THAT(News(), ElementsAre("untag app:v1"));
  DeleteManifest("app", image.manifest);
  const std::vector<Event> events = NewEvents();
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(events[0].tag, "v2");
  EXPECT_EQ(events[1].tag, "v3");
  EXPECT_EQ(events[2].type, Event::Type::kDelete);
  EXPECT_EQ(events[2].tag, "");
  for (const Event& event : events) {
    EXPECT_EQ(event.digest, image.manifest);
    EXPECT_EQ(event.repository, "app");
    EXPECT_GT(event.time_nanos, 0);
  }
}

TEST_P(StoreSystemTest, ATagThatMovesIsToldWithItsNewImage) {
  PushImage("app", 1, {"v1"});
  const Image next = PushImage("app", 2);
  News();
  ASSERT_TRUE(Able(Ability::kListImages).manifests.Tag("app", "v1", next.manifest).ok());
  const std::vector<Event> events = NewEvents();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].type, Event::Type::kTag);
  EXPECT_EQ(events[0].digest, next.manifest);
}

TEST_P(StoreSystemTest, WhatFailsAndWhatOnlyAsksTellsNothing) {
  const Image image = PushImage("app", 1, {"v1"});
  News();
  const Digest absent = Sha256("absent");
  const Store& all = Able(Ability::kListImages);
  EXPECT_EQ(all.manifests.Tag("app", "v2", absent).code(), Code::kNotFound);
  EXPECT_EQ(all.manifests.Untag("app", "v2", false).code(), Code::kNotFound);
  EXPECT_EQ(Able(Ability::kDeleteManifest).manifests.DeleteManifest("app", absent).code(),
            Code::kNotFound);
  EXPECT_EQ(PutCode("app", "{}"), Code::kInvalidArgument);
  EXPECT_EQ(ManifestCode("app", "v2"), Code::kNotFound);
  EXPECT_TRUE(store().manifests.StatManifest("app", "v1").ok());
  EXPECT_TRUE(store().manifests.StatManifest("app", image.manifest).ok());
  EXPECT_TRUE(all.images.InspectImage("app", "v1", "").ok());
  Push("app", "a blob");
  EXPECT_THAT(News(), IsEmpty());
}

TEST_P(StoreSystemTest, APullIsOneEvent) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  News();
  Get("v1");
  EXPECT_THAT(News(), ElementsAre("pull app:v1"));
  Get(image.manifest);
  Get("v1");
  EXPECT_THAT(News(), IsEmpty());
  Get("v2");
  EXPECT_THAT(News(), ElementsAre("pull app:v2"));
  under_test().Advance(kMinute);
  Get(image.manifest);
  Get(image.manifest);
  EXPECT_THAT(News(), ElementsAre("pull app"));
  Get("v1");
  EXPECT_THAT(News(), ElementsAre("pull app:v1"));
}

TEST_P(StoreSystemTest, WhatAnIndexListsBelongsToItsPull) {
  const Image image = PushImage("app", 1);
  const Digest index = PushIndex(image.manifest, {"v1"});
  News();
  Get("v1");
  Get(image.manifest);
  EXPECT_THAT(News(), ElementsAre("pull app:v1"));
  under_test().Advance(kMinute);
  Get(image.manifest);
  const std::vector<Event> events = NewEvents();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].digest, image.manifest);
  Get(index);
  EXPECT_THAT(News(), ElementsAre("pull app"));
}

TEST_P(StoreSystemTest, AnImageWithManyTagsTellsEachOnce) {
  const Image image = PushImage("app", 1);
  std::vector<std::string> expected;
  for (int i = 1000; i < 1700; ++i) {
    const std::string tag = StrCat("t", i);
    ASSERT_TRUE(under_test().engine().manifests.Tag("app", tag, image.manifest).ok());
    expected.push_back("untag app:" + tag);
  }
  News();
  DeleteManifest("app", image.manifest);
  expected.push_back("delete app");
  EXPECT_THAT(News(), ElementsAreArray(expected));
}

TEST_P(StoreSystemImagesTest, TagsAcrossRepositoriesAndRemovalsAreTold) {
  const Image image = PushImage("app", 1, {"v1"});
  News();
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "other", "v1").ok());
  EXPECT_THAT(News(), ElementsAre("tag other:v1"));
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "app", "v2").ok());
  EXPECT_THAT(News(), ElementsAre("tag app:v2"));
  ASSERT_TRUE(store().images.RemoveImage("app:v2", false).ok());
  EXPECT_THAT(News(), ElementsAre("untag app:v2"));
  ASSERT_TRUE(store().images.RemoveImage("app:v1", false).ok());
  EXPECT_THAT(News(), ElementsAre("untag app:v1", "delete app"));
  ASSERT_TRUE(store().manifests.Untag("other", "v1", false).ok());
  News();
  under_test().Advance(kHour);
  const absl::StatusOr<PruneReport> pruned =
      store().images.Prune({}, [](const PruneStep&) { return true; });
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_THAT(News(), ElementsAre("delete other", "prune "));
}

TEST_P(StoreSystemTest, EventsDoNotSurviveARestartAndWhoWatchesIsTold) {
  PushImage("app", 1, {"v1"});
  const std::string token = Log().Latest();
  under_test().Reopen();
  EXPECT_EQ(Log().After(token, 10).status().code(), Code::kOutOfRange);
  EXPECT_THAT(Log().After("", 10).value(), IsEmpty());
}

TEST_P(StoreSystemImagesTest, ACheckOfASoundStoreFindsNothing) {
  PushImage("app", 1, {"v1"});
  PushImage("other", 2);
  int findings = 0;
  const absl::StatusOr<CheckReport> report = store().system.Check([&](const CheckStep& step) {
    if (step.finding.has_value()) ++findings;
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(findings, 0);
  EXPECT_EQ(report->findings, 0u);
  EXPECT_EQ(report->manifests, 2u);
  EXPECT_EQ(report->files, 2u);
  EXPECT_GT(report->rows, 20u);
}

TEST_P(StoreSystemImagesTest, ACheckTellsWhatIsWrong) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(under_test().disk().Create(under_test().blobs_directory() + "/000000/note").ok());
  ASSERT_TRUE(under_test().disk().Remove(under_test().BlobFiles(100'000).front()).ok());
  std::vector<CheckFinding> findings;
  const absl::StatusOr<CheckReport> report = store().system.Check([&](const CheckStep& step) {
    if (step.finding.has_value()) findings.push_back(*step.finding);
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->findings, 2u);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].kind, CheckFinding::Kind::kBadContent);
  EXPECT_EQ(findings[0].digest, image.layer);
  EXPECT_EQ(findings[1].kind, CheckFinding::Kind::kStrayFile);
  EXPECT_EQ(findings[1].digest, std::nullopt);
  EXPECT_EQ(findings[1].text, "nothing names the file blobs/000000/note: nothing removes it");
  const absl::StatusOr<CheckReport> stopped =
      store().system.Check([](const CheckStep& step) { return !step.finding.has_value(); });
  EXPECT_EQ(stopped.status().code(), Code::kCancelled);
}

TEST_P(StoreSystemImagesTest, ACheckOfContentHashesAllOfItAndAPushHealsWhatIsBad) {
  const Image image = PushImage("app", 1, {"v1"});
  const std::string layer = Read("app", image.layer);
  const uint64_t all_bytes =
      layer.size() + Read("app", image.config).size() + image.manifest_json.size();
  const absl::StatusOr<CheckReport> good = store().system.CheckContent(nullptr);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->findings, 0u);
  EXPECT_EQ(good->hashed_blobs, 3u);
  EXPECT_EQ(good->hashed_bytes, all_bytes);

  under_test().Advance(kSecond);
  {
    const auto file =
        under_test().disk().OpenForWrite(under_test().BlobFiles(layer.size()).front());
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(
        (*file)->WriteAt(layer.size() / 2, layer[layer.size() / 2] == 'x' ? "y" : "x").ok());
  }
  std::vector<CheckFinding> findings;
  const absl::StatusOr<CheckReport> bad = store().system.CheckContent([&](const CheckStep& step) {
    if (step.finding.has_value()) findings.push_back(*step.finding);
    return true;
  });
  ASSERT_TRUE(bad.ok()) << bad.status();
  EXPECT_EQ(bad->findings, 1u);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, CheckFinding::Kind::kBadContent);
  EXPECT_EQ(findings[0].digest, image.layer);
  EXPECT_EQ(StatCode("app", image.layer), Code::kNotFound);
  EXPECT_EQ(OpenCode("app", image.layer), Code::kNotFound);
  Push("app", layer);
  EXPECT_TRUE(Read("app", image.layer) == layer);

  under_test().Advance(kSecond);
  const absl::StatusOr<CheckReport> stopped =
      store().system.CheckContent([](const CheckStep&) { return false; });
  EXPECT_EQ(stopped.status().code(), Code::kCancelled);
  EXPECT_EQ(store().system.CheckContent(nullptr)->findings, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreSystemTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
