// Races of prune and rmi made deterministic: a second request runs at a chosen commit of the first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/crash/push.h"
#include "tests/support/content.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/read_whole.h"
#include "tests/support/scheduled_index.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Code = absl::StatusCode;

constexpr int64_t kPromise = 600 * kNanosPerSecond;

class PruneSchedulesTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<ScheduledIndex>(*index_, &schedule_);
    };
    auto opened = OpenEngine("/store", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    ASSERT_TRUE(PushAll("app").ok());
    // A tag leaves no promise behind.
    ASSERT_TRUE(Put("app", image_, {"first"}).ok());
    ASSERT_TRUE(store_->manifests.Untag("app", "first", false).ok());
    clock_.Advance(2 * kPromise);
  }

  absl::Status PushAll(std::string_view repository) {
    for (const TestBlob& blob : {config_, layer_}) {
      RETURN_IF_ERROR(PushBlob(store_->blobs, std::string(repository), blob));
    }
    return absl::OkStatus();
  }
  absl::Status Put(std::string_view repository, const TestManifest& manifest,
                   const std::vector<std::string>& tags = {}) {
    return PutManifest(store_->manifests, std::string(repository), manifest, tags);
  }
  PruneReport Prune() {
    const auto report = store_->images.Prune({}, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(PruneReport());
  }
  bool IsListed(const TestManifest& manifest) {
    return store_->manifests.GetManifest("app", manifest.digest).ok();
  }
  bool IsHere(const TestBlob& blob) { return store_->blobs.OpenBlob("", blob.digest).ok(); }
  // One more image without a name.
  TestManifest PutUntagged(const TestManifest& image) {
    EXPECT_TRUE(Put("app", image, {"first"}).ok());
    EXPECT_TRUE(store_->manifests.Untag("app", "first", false).ok());
    clock_.Advance(2 * kPromise);
    return image;
  }
  // Runs `action` once, when a removal of the manifest is about to be committed.
  void AtRemoval(const TestManifest& manifest, std::function<void()> action) {
    schedule_ = {MemberKey(0, manifest.digest).substr(0, 1), std::move(action)};
  }
  // What was decided must last.
  void ExpectKept(const TestManifest& manifest) {
    clock_.Advance(26 * 3600 * kNanosPerSecond);
    EXPECT_TRUE(store_->system.Reclaim().ok());
    EXPECT_TRUE(IsListed(manifest));
    EXPECT_TRUE(IsHere(config_));
    EXPECT_TRUE(IsHere(layer_));
  }

  MemoryFileSystem disk_;
  FakeClock clock_;
  const std::unique_ptr<Index> index_ = NewMemoryIndex();
  Schedule schedule_;
  std::unique_ptr<Engine> store_;
  const TestBlob config_ = MakeBlob(1, 300);
  const TestBlob layer_ = MakeBlob(2, 100'000);
  const TestManifest image_ = MakeImage(config_, {layer_});
};

TEST_F(PruneSchedulesTest, TagJustBeforeTheRemoval) {
  AtRemoval(image_, [&] { EXPECT_TRUE(store_->manifests.Tag("app", "late", image_.digest).ok()); });
  EXPECT_EQ(Prune().images, 0u);
  EXPECT_EQ(schedule_.action, nullptr);
  ExpectKept(image_);
}

// A page of images goes together, but for what was tagged.
TEST_F(PruneSchedulesTest, TagOfOneOfAPageJustBeforeItsRemoval) {
  std::vector<TestManifest> images = {image_};
  for (size_t i = 1; i < 12; ++i) images.push_back(PutUntagged(WithNote(image_, i)));
  std::sort(images.begin(), images.end(), [](const TestManifest& a, const TestManifest& b) {
    return a.digest < b.digest;  // as they are looked at
  });
  const auto row = RepositoryRow::Decode(index_->Get(RepositoryKey("app"))->value());
  ASSERT_TRUE(row.ok()) << row.status();
  const TestManifest& late = images[9];
  schedule_ = {MemberKey(row->id, images[8].digest),
               [&] { EXPECT_TRUE(store_->manifests.Tag("app", "late", late.digest).ok()); }};
  std::vector<Digest> skipped;
  const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kSkipped) skipped.push_back(step.image.manifest.digest);
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(schedule_.action, nullptr);
  EXPECT_EQ(report->images, images.size() - 1);
  EXPECT_THAT(skipped, ElementsAre(late.digest));
  for (const TestManifest& image : images) EXPECT_EQ(IsListed(image), image.digest == late.digest);
  ExpectKept(late);
  const auto checked = store_->system.Check(nullptr);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->findings, 0u);
}

TEST_F(PruneSchedulesTest, PruneJustBeforeATag) {
  schedule_ = {TagEdgeKey(image_.digest, 0, "").substr(0, 10),
               [&] { EXPECT_EQ(Prune().images, 1u); }};
  EXPECT_EQ(store_->manifests.Tag("app", "late", image_.digest).code(), Code::kNotFound);
  EXPECT_FALSE(IsListed(image_));
  EXPECT_FALSE(IsHere(layer_));
}

TEST_F(PruneSchedulesTest, IndexJustBeforeTheRemovalOfItsChild) {
  AtRemoval(image_, [&] { EXPECT_TRUE(Put("app", MakeImageIndex({image_}), {"all"}).ok()); });
  EXPECT_EQ(Prune().images, 0u);
  ExpectKept(image_);
}

TEST_F(PruneSchedulesTest, PruneJustBeforeAnIndex) {
  const TestManifest index = MakeImageIndex({image_});
  schedule_ = {EdgePrefix(image_.digest), [&] { EXPECT_EQ(Prune().images, 1u); }};
  EXPECT_EQ(Put("app", index, {"all"}).code(), Code::kFailedPrecondition);
  EXPECT_FALSE(IsListed(index));
  EXPECT_FALSE(IsListed(image_));
}

// GUARDS.md: blob-subject
TEST_F(PruneSchedulesTest, SubjectJustBeforeTheRemovalOfItsReferrer) {
  const TestManifest subject = MakeImage(config_, {});
  const TestManifest signature = MakeImage(config_, {layer_}, subject);
  ASSERT_TRUE(Put("app", signature).ok());
  ASSERT_TRUE(store_->manifests.Tag("app", "keep", image_.digest).ok());
  clock_.Advance(2 * kPromise);
  AtRemoval(signature, [&] { EXPECT_TRUE(Put("app", subject, {"v1"}).ok()); });
  EXPECT_EQ(Prune().images, 0u);
  ExpectKept(signature);
}

// What is removed first of images that keep each other is decided by all of them.
// GUARDS.md: blob-lister
TEST_F(PruneSchedulesTest, TagOfAnotherImageOfACircleJustBeforeTheRemoval) {
  const TestManifest signature = MakeImage(config_, {layer_}, image_);
  ASSERT_TRUE(Put("app", signature).ok());
  std::string tag = StrCat(signature.digest.ToString(), ".sig");
  tag[tag.find(':')] = '-';
  ASSERT_TRUE(store_->manifests.Tag("app", tag, image_.digest).ok());
  clock_.Advance(2 * kPromise);
  for (const TestManifest& named : {image_, signature}) {
    AtRemoval(image_,
              [&] { EXPECT_TRUE(store_->manifests.Tag("app", "late", named.digest).ok()); });
    EXPECT_EQ(Prune().images, 0u);
    EXPECT_EQ(schedule_.action, nullptr);
    ExpectKept(image_);
    ExpectKept(signature);
    ASSERT_TRUE(store_->manifests.Untag("app", "late", false).ok());
    clock_.Advance(2 * kPromise);
  }
  EXPECT_EQ(Prune().images, 2u);
}

TEST_F(PruneSchedulesTest, PushAgainOfWhatIsBeingRemovedWaitsAndSucceeds) {
  std::thread client;
  absl::Status pushed;
  AtRemoval(image_, [&] {
    client = std::thread([&] {
      pushed = PushAll("app");
      pushed.Update(Put("app", image_, {"again"}));
    });
  });
  Prune();
  client.join();
  EXPECT_TRUE(pushed.ok()) << pushed;
  Prune();
  ExpectKept(image_);
}

TEST_F(PruneSchedulesTest, HeadOfWhatIsBeingRemovedIsTrueOrNo) {
  std::thread client;
  absl::Status stat;
  AtRemoval(image_, [&] {
    client =
        std::thread([&] { stat = store_->manifests.StatManifest("app", image_.digest).status(); });
  });
  Prune();
  client.join();
  EXPECT_EQ(stat.ok(), IsListed(image_));
}

// The look at its manifest waits for the end of the removal, and is then told that it is gone. What
// was opened stays readable.
TEST_F(PruneSchedulesTest, PullOfWhatIsBeingRemovedIsToldSo) {
  std::thread client;
  absl::StatusOr<Manifest> manifest = absl::UnknownError("not read");
  absl::StatusOr<BlobReader> layer = absl::UnknownError("not opened");
  AtRemoval(image_, [&] {
    client = std::thread([&] { manifest = store_->manifests.GetManifest("app", image_.digest); });
    layer = store_->blobs.OpenBlob("app", layer_.digest);
  });
  EXPECT_EQ(Prune().images, 1u);
  client.join();
  EXPECT_EQ(manifest.status().code(), absl::StatusCode::kNotFound) << manifest.status();
  ASSERT_TRUE(layer.ok()) << layer.status();
  const auto read = ReadWhole(*layer);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, layer_.bytes);
  EXPECT_FALSE(IsHere(layer_));
}

TEST_F(PruneSchedulesTest, AnEqualPruneAttachesToTheRunningOne) {
  PruneReport second;
  std::string second_job;
  std::vector<PruneStep::Kind> steps;
  std::thread client;
  AtRemoval(image_, [&] {
    client = std::thread([&] {
      const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
        if (step.kind == PruneStep::Kind::kStarted) second_job = step.job;
        if (step.kind != PruneStep::Kind::kQueued) steps.push_back(step.kind);
        return true;
      });
      ASSERT_TRUE(report.ok()) << report.status();
      second = *report;
    });
    while (store_->images.ListPrunes()->front().callers < 2) std::this_thread::yield();
  });
  const PruneReport first = Prune();
  client.join();
  EXPECT_EQ(first.images, 1u);
  EXPECT_EQ(second.images, 1u);
  EXPECT_EQ(second.freed_bytes, first.freed_bytes);
  EXPECT_THAT(steps, ElementsAre(PruneStep::Kind::kStarted, PruneStep::Kind::kRemoved));
  EXPECT_EQ(store_->images.ListPrunes()->size(), 1u);
  EXPECT_EQ(store_->images.ListPrunes()->front().id, second_job);
}

// Ctrl-C, and the same command again while the first is still tidying up.
TEST_F(PruneSchedulesTest, AnEqualPruneAfterTheLastCallerLeftRunsAnew) {
  const TestManifest other = PutUntagged(MakeImage(config_, {}));
  std::thread client;
  absl::StatusOr<PruneReport> second = absl::UnknownError("not run");
  std::promise<void> accepted;
  const auto again = [&] {
    client = std::thread([&second, &accepted, this] {
      bool told = false;
      second = store_->images.Prune({}, [&](const PruneStep&) {
        if (!std::exchange(told, true)) accepted.set_value();
        return true;
      });
    });
    accepted.get_future().wait();
  };
  // The bytes of what was removed go last.
  const auto first = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind != PruneStep::Kind::kRemoved) return true;
    schedule_ = {CondemnedPrefix(), again};
    return false;
  });
  ASSERT_EQ(schedule_.action, nullptr);
  client.join();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->images, 1u);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->images, 1u);
  EXPECT_FALSE(IsListed(image_));
  EXPECT_FALSE(IsListed(other));
  const std::vector<PruneJob> jobs = *store_->images.ListPrunes();
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].state, PruneJob::State::kDone);
  EXPECT_EQ(jobs[1].state, PruneJob::State::kCancelled);
  EXPECT_EQ(jobs[1].report.images, 1u);
  EXPECT_EQ(jobs[1].error, "the prune was cancelled after 1 images");
}

// A cancellation that comes when all is done changes nothing about what was done.
TEST_F(PruneSchedulesTest, ACancellationAfterTheLastStepIsNoFailure) {
  const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kRemoved) {
      schedule_ = {
          RemovingPrefix(), [&] {
            ASSERT_TRUE(store_->images.CancelPrune(store_->images.ListPrunes()->front().id).ok());
          }};
    }
    return true;
  });
  EXPECT_EQ(schedule_.action, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(store_->images.ListPrunes()->front().state, PruneJob::State::kDone);
}

// Also where there is nothing to remove somebody may want a prune to end.
TEST_F(PruneSchedulesTest, ACancelledPruneThatFindsNothingEndsToo) {
  ASSERT_TRUE(store_->manifests.Tag("app", "v1", image_.digest).ok());
  for (size_t i = 0; i < 1100; ++i) {
    ASSERT_TRUE(Put("app", WithNote(MakeImage(config_, {}, image_), i)).ok());
  }
  const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kQueued) {
      EXPECT_TRUE(store_->images.CancelPrune(store_->images.ListPrunes()->front().id).ok());
    }
    return true;
  });
  EXPECT_EQ(report.status().code(), Code::kCancelled);
}

TEST_F(PruneSchedulesTest, AnotherPruneWaitsForItsTurn) {
  std::thread client;
  AtRemoval(image_, [&] {
    client = std::thread([&] {
      PruneRequest request;
      request.all = true;
      EXPECT_TRUE(store_->images.Prune(request, nullptr).ok());
    });
    while (store_->images.ListPrunes()->size() < 2) std::this_thread::yield();
    EXPECT_EQ(store_->images.ListPrunes()->front().state, PruneJob::State::kRunning);
    EXPECT_EQ(store_->images.ListPrunes()->back().state, PruneJob::State::kQueued);
  });
  EXPECT_EQ(Prune().images, 1u);
  client.join();
  const std::vector<PruneJob> jobs = *store_->images.ListPrunes();
  for (const PruneJob& job : jobs) {
    EXPECT_EQ(job.state, PruneJob::State::kDone);
    EXPECT_EQ(job.error, "");
  }
}

TEST_F(PruneSchedulesTest, ACancelledPruneEndsAfterTheImageItIsAt) {
  const TestManifest other = PutUntagged(MakeImage(config_, {}));
  const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kRemoved) {
      EXPECT_TRUE(store_->images.CancelPrune(store_->images.ListPrunes()->front().id).ok());
    }
    return true;
  });
  EXPECT_EQ(report.status().code(), Code::kCancelled);
  EXPECT_NE(IsListed(image_), IsListed(other));
  EXPECT_EQ(store_->images.ListPrunes()->front().report.images, 1u);
  EXPECT_EQ(store_->images.ListPrunes()->front().state, PruneJob::State::kCancelled);
}

TEST_F(PruneSchedulesTest, AQueuedPruneCanBeCancelled) {
  std::thread client;
  absl::Status outcome;
  AtRemoval(image_, [&] {
    client = std::thread([&] {
      PruneRequest request;
      request.all = true;
      outcome = store_->images.Prune(request, nullptr).status();
    });
    while (store_->images.ListPrunes()->size() < 2) std::this_thread::yield();
    EXPECT_TRUE(store_->images.CancelPrune(store_->images.ListPrunes()->back().id).ok());
  });
  EXPECT_EQ(Prune().images, 1u);
  client.join();
  EXPECT_EQ(outcome.code(), Code::kCancelled);
}

TEST_F(PruneSchedulesTest, APruneGoesOnForThoseWhoAttached) {
  const TestManifest other = PutUntagged(MakeImage(config_, {}));
  std::thread client;
  PruneReport attached;
  const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind != PruneStep::Kind::kRemoved) return true;
    client = std::thread([&] {
      const std::string id = store_->images.ListPrunes()->front().id;
      const auto ended = store_->images.AttachPrune(id, nullptr);
      ASSERT_TRUE(ended.ok()) << ended.status();
      attached = *ended;
    });
    while (store_->images.ListPrunes()->front().callers < 2) std::this_thread::yield();
    return false;  // who brought it leaves
  });
  client.join();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(attached.images, 2u);
  EXPECT_FALSE(IsListed(image_));
  EXPECT_FALSE(IsListed(other));
}

// What was removed is reclaimed and counted in parts: each blob once, and all of them.
TEST_F(PruneSchedulesTest, AllIsCountedOnceWhereOneReckoningHasNoRoomForIt) {
  constexpr size_t kLayers = kReferencesAtOnce - 2;
  constexpr size_t kImages = kMaxPruneBlobs / kLayers + 2;
  constexpr uint64_t kBytes = 10;
  BlobRow row;
  row.size_bytes = kBytes;
  uint64_t content_bytes = config_.bytes.size() + layer_.bytes.size() + image_.bytes.size();
  for (size_t image = 0; image < kImages; ++image) {
    std::vector<TestBlob> layers = {layer_};  // one that all have, too
    ASSERT_TRUE(index_
                    ->Run([&](Transaction& txn) -> absl::Status {
                      layers.resize(1);
                      for (size_t i = 0; i < kLayers; ++i) {
                        layers.push_back(
                            {HashBytes(DigestAlgorithm::kSha256, StrCat(image, " ", i)),
                             std::string(kBytes, 'x')});
                        RETURN_IF_ERROR(txn.Put(BlobKey(layers.back().digest), row.Encode()));
                      }
                      return absl::OkStatus();
                    })
                    .ok());
    const TestManifest manifest = MakeImage(config_, layers);
    PutManifestRequest request;
    request.bytes = manifest.bytes;
    request.whole_store = true;
    ASSERT_TRUE(store_->manifests.PutManifest("app", request).ok());
    content_bytes += kLayers * kBytes + manifest.bytes.size();
  }
  clock_.Advance(2 * 24 * 3600 * kNanosPerSecond);
  PruneRequest dry_run;
  dry_run.dry_run = true;
  const auto planned = store_->images.Prune(dry_run, nullptr);
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(planned->images, kImages + 1);
  EXPECT_EQ(planned->content_bytes, content_bytes);
  const auto usage = store_->system.MeasureDiskUsage();
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->dangling.logical_bytes, content_bytes);
  const PruneReport report = Prune();
  EXPECT_EQ(report.images, kImages + 1);
  EXPECT_EQ(report.content_bytes, content_bytes);
  EXPECT_EQ(report.freed_bytes, usage->dangling.disk_bytes);
  EXPECT_FALSE(IsHere(layer_));
}

// GUARDS.md: blob-deletion
TEST_F(PruneSchedulesTest, HoldJustBeforeTheRemoval) {
  AtRemoval(image_, [&] {
    EXPECT_TRUE(store_->claims.CreateHold({"web", "app", image_.digest, 0}).ok());
  });
  std::vector<std::string> skipped;
  const auto report = store_->images.Prune({}, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kSkipped) skipped.push_back(step.reason);
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->images, 0u);
  EXPECT_EQ(report->skipped, 1u);
  EXPECT_THAT(skipped, ElementsAre("it was tagged, listed or held since it was looked at"));
  ExpectKept(image_);
}

TEST_F(PruneSchedulesTest, PruneJustBeforeAHold) {
  schedule_ = {HoldKey("web"), [&] { EXPECT_EQ(Prune().images, 1u); }};
  EXPECT_EQ(store_->claims.CreateHold({"web", "", image_.digest, 0}).status().code(),
            Code::kNotFound);
  EXPECT_TRUE(store_->claims.ListHolds({})->rows.empty());
  EXPECT_FALSE(IsHere(layer_));
}

TEST_F(PruneSchedulesTest, LeaseJustBeforeTheRemoval) {
  LeaseRequest request;
  request.id = "build";
  request.ttl_nanos = 24 * 3600 * kNanosPerSecond;
  ASSERT_TRUE(store_->claims.CreateLease(request).ok());
  AtRemoval(image_,
            [&] { EXPECT_TRUE(store_->claims.AttachToLease("build", {image_.digest}).ok()); });
  EXPECT_EQ(Prune().skipped, 1u);
  EXPECT_TRUE(IsListed(image_));
  EXPECT_TRUE(IsHere(layer_));
}

TEST_F(PruneSchedulesTest, ANewTagJustBeforeTheRemovalOfAnUnusedImage) {
  ASSERT_TRUE(store_->manifests.Tag("app", "old", image_.digest).ok());
  AtRemoval(image_, [&] { EXPECT_TRUE(store_->manifests.Tag("app", "new", image_.digest).ok()); });
  PruneRequest request;
  request.all = true;
  const auto report = store_->images.Prune(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->images, 0u);
  EXPECT_EQ(report->skipped, 1u);
  EXPECT_TRUE(store_->manifests.GetManifest("app", "old").ok());
  EXPECT_TRUE(store_->manifests.GetManifest("app", "new").ok());
}

// GUARDS.md: tag
TEST_F(PruneSchedulesTest, RmiOfATagThatMovesTakesItFromTheNewImage) {
  const TestManifest other = MakeImage(config_, {});
  ASSERT_TRUE(Put("app", other).ok());
  ASSERT_TRUE(store_->manifests.Tag("app", "v1", image_.digest).ok());
  AtRemoval(image_, [&] { EXPECT_TRUE(store_->manifests.Tag("app", "v1", other.digest).ok()); });
  const auto removed = store_->images.RemoveImage("app:v1", false);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(removed->untagged, ElementsAre("app:v1"));
  EXPECT_THAT(removed->deleted, ElementsAre(StrCat("app@", other.digest.ToString())));
  EXPECT_TRUE(IsListed(image_));
  EXPECT_THAT(store_->manifests.ListTags("app", {})->rows, IsEmpty());
}

TEST_F(PruneSchedulesTest, RmiOfTheLastTagWhileAnotherOneComes) {
  ASSERT_TRUE(store_->manifests.Tag("app", "v1", image_.digest).ok());
  AtRemoval(image_, [&] { EXPECT_TRUE(store_->manifests.Tag("app", "v2", image_.digest).ok()); });
  const auto removed = store_->images.RemoveImage("app:v1", false);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(removed->untagged, ElementsAre("app:v1"));
  EXPECT_THAT(removed->deleted, IsEmpty());
  ExpectKept(image_);
}

TEST_F(PruneSchedulesTest, RmiOfAnIdWhileATagComes) {
  AtRemoval(image_, [&] { EXPECT_TRUE(store_->manifests.Tag("app", "v2", image_.digest).ok()); });
  EXPECT_EQ(store_->images.RemoveImage(image_.digest.ToString(), false).status().code(),
            Code::kFailedPrecondition);
  ExpectKept(image_);
}

}  // namespace
}  // namespace varve
