// A filled store of 1,000 blobs opens as any other, and everything that the store says about itself
// agrees with what was planned.
#include "benchmarks/fill/fill_store.h"

#include <stdlib.h>

#include <map>
#include <set>

#include "gmock/gmock.h"
#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"
#include "tests/support/read_whole.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

constexpr uint64_t kBlobs = 1000;

class FillStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<FilledStore> filled = FillStore(directory(), plan_);
    ASSERT_TRUE(filled.ok()) << filled.status();
    filled_ = *filled;
    Open();
  }

  std::string directory() const { return scratch_.path() + "/store"; }
  void Open() {
    EngineOptions options;
    options.promise_nanos = 1;
    absl::StatusOr<std::unique_ptr<Engine>> opened = OpenEngine(directory(), options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // Every blob that the store lists, by digest.
  std::map<std::string, BlobDetails> AllBlobs() {
    std::map<std::string, BlobDetails> all;
    PageRequest page{"", kMaxPageRows};
    for (;;) {
      const absl::StatusOr<Page<BlobDetails>> listed = store_->blobs.ListBlobs(page);
      EXPECT_TRUE(listed.ok()) << listed.status();
      if (!listed.ok()) return all;
      for (const BlobDetails& row : listed->rows) all.emplace(row.blob.digest.ToString(), row);
      if (!listed->more) return all;
      page.after = listed->rows.back().blob.digest.ToString();
    }
  }

  const StorePlan plan_{kBlobs};
  const TemporaryDirectory scratch_;
  FilledStore filled_;
  std::unique_ptr<Engine> store_;
};

TEST_F(FillStoreTest, CountsAgree) {
  EXPECT_EQ(filled_.blobs, kBlobs);
  EXPECT_EQ(filled_.blobs, plan_.blobs());
  EXPECT_EQ(filled_.images, plan_.images());
  EXPECT_EQ(filled_.repositories, plan_.repositories());
  const absl::StatusOr<StoreInfo> info = store_->system.Info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->blob_bytes, filled_.blob_bytes);

  const absl::StatusOr<DiskUsage> usage = store_->system.MeasureDiskUsage();
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->repositories, filled_.repositories);
  EXPECT_EQ(usage->tags, filled_.images);
  EXPECT_EQ(usage->tagged.count, filled_.images);
  EXPECT_EQ(usage->dangling.count, 0u);
  EXPECT_EQ(usage->loose.count, filled_.loose_blobs);
  EXPECT_EQ(usage->loose.disk_bytes, 0u) << "the files are not sparse";
  EXPECT_EQ(usage->inlined.count, filled_.blobs - filled_.loose_blobs);
  EXPECT_EQ(usage->loose.logical_bytes + usage->inlined.logical_bytes, filled_.blob_bytes);
  EXPECT_EQ(usage->unreferenced.count, 0u);
}

TEST_F(FillStoreTest, ListingHasEveryPlannedBlobWithItsSize) {
  const std::map<std::string, BlobDetails> all = AllBlobs();
  EXPECT_EQ(all.size(), kBlobs);
  const auto expect = [&](const Digest& digest, uint64_t size_bytes, bool is_inline) {
    const auto found = all.find(digest.ToString());
    ASSERT_NE(found, all.end()) << digest.ToString();
    EXPECT_EQ(found->second.blob.size_bytes, size_bytes);
    EXPECT_EQ(found->second.inlined, is_inline);
  };
  for (uint64_t base = 0; base < plan_.base_layers(); ++base) {
    expect(plan_.BaseLayer(base).digest, plan_.BaseLayer(base).size_bytes, false);
  }
  for (uint64_t i = 0; i < plan_.images(); ++i) {
    const StorePlan::Image image = plan_.Describe(i);
    expect(image.config_digest, image.config.size(), true);
    expect(image.manifest_digest, image.manifest.size(), true);
    for (const StorePlan::Layer& layer : image.own_layers) {
      expect(layer.digest, layer.size_bytes, layer.is_inline);
      EXPECT_TRUE(all.at(layer.digest.ToString()).referenced);
    }
  }
}

TEST_F(FillStoreTest, EveryImageIsServedByItsTag) {
  for (uint64_t i = 0; i < plan_.images(); ++i) {
    const StorePlan::Image planned = plan_.Describe(i);
    const std::string repository = StorePlan::RepositoryName(planned.repository);
    const absl::StatusOr<Manifest> manifest =
        store_->manifests.GetManifest(repository, ManifestReference(StorePlan::TagOf(i)));
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(manifest->bytes, planned.manifest);
    EXPECT_EQ(manifest->info.digest, planned.manifest_digest);
    EXPECT_EQ(manifest->info.content_bytes, planned.content_bytes);
    for (const uint64_t base : planned.bases) {
      EXPECT_TRUE(store_->blobs.StatBlob(repository, plan_.BaseLayer(base).digest).ok());
    }
    for (const StorePlan::Layer& layer : planned.own_layers) {
      EXPECT_TRUE(store_->blobs.StatBlob(repository, layer.digest).ok());
      if (!layer.is_inline) continue;
      const absl::StatusOr<BlobReader> reader = store_->blobs.OpenBlob(repository, layer.digest);
      ASSERT_TRUE(reader.ok()) << reader.status();
      EXPECT_EQ(HashBytes(DigestAlgorithm::kSha256, ReadWhole(*reader).value()), layer.digest);
    }
  }
}

// The engine's own parser takes the planned manifests: an image of them, pushed again, is the same.
TEST_F(FillStoreTest, ManifestsAreWhatTheEngineWouldHaveWritten) {
  const StorePlan::Image planned = plan_.Describe(7);
  const std::string repository = StorePlan::RepositoryName(planned.repository);
  const absl::StatusOr<ManifestInfo> before =
      store_->manifests.StatManifest(repository, ManifestReference(planned.manifest_digest));
  ASSERT_TRUE(before.ok()) << before.status();
  PutManifestRequest request;
  request.bytes = planned.manifest;
  request.tags = {planned.tag};
  const absl::StatusOr<ManifestInfo> again = store_->manifests.PutManifest(repository, request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->digest, planned.manifest_digest);
  EXPECT_EQ(again->media_type, before->media_type);
  EXPECT_EQ(again->config, before->config);
  EXPECT_EQ(again->content_bytes, before->content_bytes);
  EXPECT_EQ(AllBlobs().size(), kBlobs);
}

TEST_F(FillStoreTest, NothingIsReclaimed) {
  const absl::StatusOr<ReclaimReport> report = store_->system.Reclaim();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->blobs, 0u);
  store_.reset();
  Open();
  EXPECT_EQ(AllBlobs().size(), kBlobs);
}

// What is pushed into it gets a file id that no filled blob has.
TEST_F(FillStoreTest, TakesMore) {
  const std::string bytes(kMaxInlineBlobBytes + 1, 'v');
  absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
      store_->blobs.BeginUpload("new", UploadOptions());
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append(0, bytes).ok());
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
  EXPECT_TRUE((*upload)->Commit(digest, bytes.size()).ok());
  EXPECT_EQ(AllBlobs().size(), kBlobs + 1);
  store_.reset();
  Open();
  EXPECT_EQ(AllBlobs().size(), kBlobs + 1);
}

TEST_F(FillStoreTest, DoesNotFillAStoreThatHasSomething) {
  store_.reset();
  EXPECT_EQ(FillStore(directory(), plan_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(StorePlan, HasExactlyTheBlobsAskedFor) {
  for (const uint64_t blobs : {kMinPlannedBlobs, uint64_t{101}, uint64_t{107}, uint64_t{12'345}}) {
    const StorePlan plan(blobs);
    EXPECT_EQ(plan.blobs(), blobs);
    std::set<std::string> digests;
    for (uint64_t i = 0; i < plan.base_layers(); ++i) {
      digests.insert(plan.BaseLayer(i).digest.ToString());
    }
    for (uint64_t i = 0; i < plan.images(); ++i) {
      const StorePlan::Image image = plan.Describe(i);
      EXPECT_NE(image.bases[0], image.bases[1]);
      digests.insert(image.config_digest.ToString());
      digests.insert(image.manifest_digest.ToString());
      for (const StorePlan::Layer& layer : image.own_layers) {
        digests.insert(layer.digest.ToString());
      }
    }
    EXPECT_EQ(digests.size(), blobs);
  }
}

}  // namespace
}  // namespace varve
