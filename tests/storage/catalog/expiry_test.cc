// What ends by the clock: links, holds and leases; and what a pass over them costs.
#include <gtest/gtest.h>

#include <functional>
#include <string_view>

#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "tests/storage/catalog/counted_store.h"

namespace varve {
namespace {

constexpr int64_t kHour = 3600 * kNanosPerSecond;
constexpr int64_t kYear = 365 * 24 * kHour;

// Expects the pass that ends four times as many to read four times as much, and the next one next
// to nothing.
void ExpectLinear(const std::function<void(CountedStore&, size_t number)>& add) {
  size_t steps[2];
  for (const size_t times : {1u, 4u}) {
    CountedStore store;
    const size_t idle = store.StepsOfAPass();
    for (size_t i = 0; i < 600 * times; ++i) {
      add(store, i);
      store.clock_.Advance(1);
    }
    store.clock_.Advance(2 * kHour);
    steps[times / 4] = store.StepsOfAPass();
    store.Pass();
    store.clock_.Advance(kHour / 10);
    store.Pass();
    EXPECT_LE(store.StepsOfAPass(), idle + 50);
  }
  EXPECT_LE(steps[1], 5 * steps[0]);
  EXPECT_LE(steps[1], 20u * 2400);
}

TEST(ExpiryCostTest, LinksEndInTimeInProportionToTheirNumber) {
  ExpectLinear([](CountedStore& store, size_t number) {
    store.PutLink(CountedStore::DigestOf(number), store.clock_.WallNanos() + kHour);
  });
}

TEST(ExpiryCostTest, HoldsEndInTimeInProportionToTheirNumber) {
  ExpectLinear([](CountedStore& store, size_t number) { store.Hold(StrCat("h", number), kHour); });
}

TEST(ExpiryCostTest, LeasesEndInTimeInProportionToTheirNumber) {
  ExpectLinear([](CountedStore& store, size_t number) { store.Lease(StrCat("l", number), kHour); });
}

TEST(ExpiryTest, AnOldRowDoesNotEndALinkThatWasRenewed) {
  CountedStore store;
  const Digest blob = CountedStore::DigestOf(1);
  store.PutLink(blob, store.clock_.WallNanos() + kHour);
  store.PutLink(blob, store.clock_.WallNanos() + 3 * kHour);
  store.clock_.Advance(2 * kHour);
  store.Pass();
  EXPECT_TRUE(store.HasLink(blob));
  store.clock_.Advance(2 * kHour);
  store.Pass();
  EXPECT_FALSE(store.HasLink(blob));
}

TEST(ExpiryTest, ALinkOfAClockThatWasAheadLastsADayOnceItIsRight) {
  CountedStore store;
  const Digest blob = CountedStore::DigestOf(1);
  store.PutLink(blob, store.clock_.WallNanos() + 10 * kYear);
  store.Pass();
  EXPECT_TRUE(store.HasLink(blob));
  store.clock_.Advance(26 * kHour);
  store.Pass();
  EXPECT_FALSE(store.HasLink(blob));
}

TEST(ExpiryTest, ClaimsOfAClockThatWasAheadBeginAnewOnceItIsRight) {
  CountedStore store;
  store.clock_.JumpWall(20 * kYear);
  store.Hold("ahead", kHour);
  store.Lease("ahead", kHour);
  store.clock_.JumpWall(-20 * kYear);
  store.Pass();
  EXPECT_EQ(store.Holds(), 1u);
  EXPECT_EQ(store.Leases(), 1u);
  store.clock_.Advance(2 * kHour);
  store.Pass();
  EXPECT_EQ(store.Holds(), 0u);
  EXPECT_EQ(store.Leases(), 0u);
}

TEST(ExpiryTest, ADamagedRowHoldsUpNoOther) {
  CountedStore store;
  ASSERT_TRUE(store.index_
                  .Run([](Transaction& txn) {
                    absl::Status status = txn.Put(LinkExpiryPrefix() + std::string(9, '\0'), "");
                    status.Update(txn.Put(ClaimExpiryPrefix(EdgeKind::kHold) + "\1", ""));
                    return status;
                  })
                  .ok());
  const Digest blob = CountedStore::DigestOf(1);
  store.PutLink(blob, store.clock_.WallNanos() + kHour);
  store.Hold("due", kHour);
  store.clock_.Advance(2 * kHour);
  const absl::StatusOr<ReclaimReport> report = store.store_->system.Reclaim();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->problems.empty());
  EXPECT_FALSE(store.HasLink(blob));
  EXPECT_EQ(store.Holds(), 0u);
}

// An image of "app" with one layer, pushed so long ago that only its manifest shows the layer.
class UnlinkedTest : public testing::Test {
 protected:
  UnlinkedTest() {
    Push("app");
    store_.clock_.Advance(26 * kHour);
    store_.Pass();
    EXPECT_FALSE(store_.HasLink(layer_));
  }

  void Push(std::string_view repository) {
    EXPECT_TRUE(store_.Push(repository, kLayer).ok());
    EXPECT_TRUE(store_.Push(repository, kConfig).ok());
    const auto image = store_.Put(
        repository, StrCat(R"({"schemaVersion":2,"mediaType":)",
                           R"("application/vnd.oci.image.manifest.v1+json",)",
                           R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json",)",
                           R"("digest":")", Of(kConfig).ToString(), R"(","size":2},"layers":[{)",
                           R"("mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")",
                           layer_.ToString(), R"(","size":5}]})"));
    ASSERT_TRUE(image.ok()) << image.status();
    image_ = *image;
  }
  static Digest Of(std::string_view bytes) { return HashBytes(DigestAlgorithm::kSha256, bytes); }

  static constexpr char kLayer[] = "layer";
  static constexpr char kConfig[] = "{}";
  CountedStore store_;
  const Digest layer_ = Of(kLayer);
  Digest image_;
};

TEST_F(UnlinkedTest, NoLinkIsWrittenToWhatGoesWithItsImage) {
  ASSERT_TRUE(store_.store_->images.Prune({}, nullptr).ok());
  EXPECT_FALSE(store_.HasLink(layer_));
  EXPECT_TRUE(absl::IsNotFound(store_.store_->blobs.StatBlob("", layer_).status()));
}

TEST_F(UnlinkedTest, NorWhenTheImageIsDeletedByName) {
  ASSERT_TRUE(store_.store_->manifests.DeleteManifest("app", image_).ok());
  EXPECT_FALSE(store_.HasLink(layer_));
}

TEST_F(UnlinkedTest, WhatSomebodyWasPromisedStaysVisible) {
  ASSERT_TRUE(store_.store_->blobs.StatBlob("app", layer_).ok());
  ASSERT_TRUE(store_.store_->manifests.DeleteManifest("app", image_).ok());
  EXPECT_TRUE(store_.HasLink(layer_));
  EXPECT_TRUE(store_.store_->blobs.StatBlob("app", layer_).ok());
}

TEST_F(UnlinkedTest, AndSoDoesWhatAnotherRepositoryKeeps) {
  Push("other");
  store_.clock_.Advance(26 * kHour);
  store_.Pass();
  ASSERT_TRUE(store_.store_->manifests.DeleteManifest("app", image_).ok());
  EXPECT_TRUE(store_.HasLink(layer_));
  EXPECT_TRUE(store_.store_->blobs.StatBlob("app", layer_).ok());
}

TEST_F(UnlinkedTest, AndEverythingAfterAStart) {
  store_.Open();
  ASSERT_TRUE(store_.store_->manifests.DeleteManifest("app", image_).ok());
  EXPECT_TRUE(store_.HasLink(layer_));
}

}  // namespace
}  // namespace varve
