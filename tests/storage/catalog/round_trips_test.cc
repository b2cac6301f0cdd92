// How often requests that name many things wait for the index.
#include <gtest/gtest.h>

#include "storage/api/pruning.h"
#include "storage/limits.h"
#include "tests/storage/catalog/counted_store.h"

namespace varve {
namespace {

std::string LayerJson(std::string_view bytes) {
  return StrCat(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")",
                HashBytes(DigestAlgorithm::kSha256, bytes).ToString(), R"(","size":)", bytes.size(),
                "}");
}

// An image of `layers` layers, the first of which is its config, too.
std::string ImageOf(size_t layers, std::string_view annotation) {
  std::string list;
  for (size_t i = 0; i < layers; ++i) {
    list += StrCat(i == 0 ? "" : ",", LayerJson(StrCat("layer ", i)));
  }
  return StrCat(R"({"schemaVersion":2,"mediaType":)",
                R"("application/vnd.oci.image.manifest.v1+json","config":)", LayerJson("layer 0"),
                R"(,"layers":[)", list, R"(],"annotations":{"a":")", annotation, R"("}})");
}

TEST(RoundTripsTest, AManifestOfManyReferencesTakesNoMoreThanOneOfFew) {
  CountedStore store;
  for (size_t i = 0; i < kReferencesAtOnce; ++i) {
    ASSERT_TRUE(store.Push("app", StrCat("layer ", i)).ok());
  }
  const auto round_trips = [&](size_t layers, std::string_view annotation) {
    store.index_.Reset();
    const absl::StatusOr<Digest> put = store.Put("app", ImageOf(layers, annotation));
    EXPECT_TRUE(put.ok()) << put.status();
    return store.index_.round_trips();
  };
  round_trips(1, "the first id of a block");
  const size_t few = round_trips(3, "first");
  EXPECT_EQ(round_trips(kReferencesAtOnce, "first"), few);
  // Without links, what other manifests name is visible.
  store.clock_.Advance(26ll * 3600 * kNanosPerSecond);
  store.Pass();
  ASSERT_FALSE(store.HasLink(HashBytes(DigestAlgorithm::kSha256, "layer 7")));
  EXPECT_LE(round_trips(kReferencesAtOnce, "second"), few + 1);
  EXPECT_LE(few, 25u);
}

TEST(RoundTripsTest, FindMissingTakesAFewForAThousandDigests) {
  CountedStore store;
  std::vector<Digest> asked;
  for (size_t i = 0; i < kMaxFindMissingDigests; ++i) asked.push_back(CountedStore::DigestOf(i));
  std::vector<Digest> absent = asked;
  for (size_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(store.Push("app", std::to_string(10 * i)).ok());
    std::erase(absent, CountedStore::DigestOf(10 * i));
  }
  store.index_.Reset();
  const absl::StatusOr<std::vector<Digest>> missing = store.store_->blobs.FindMissing("app", asked);
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_EQ(*missing, absent);
  // Blobs, links and edges of a thousand each, and those that are promised once more.
  EXPECT_LE(store.index_.round_trips(), 3 * kMaxFindMissingDigests / kMaxBatchReads + 5);
}

// What images share is read and written once for a page of them.
TEST(RoundTripsTest, APruneAsksAFewTimesForEachImageAndItsCostGrowsWithTheImages) {
  CountedStore store;
  for (const char* layer : {"layer 0", "layer 1"}) ASSERT_TRUE(store.Push("app", layer).ok());
  const absl::StatusOr<Digest> kept = store.Put("app", ImageOf(2, "kept"));
  ASSERT_TRUE(kept.ok()) << kept.status();
  ASSERT_TRUE(store.store_->manifests.Tag("app", "kept", *kept).ok());
  size_t steps = 0;
  const auto round_trips = [&](size_t images) {
    for (size_t i = 0; i < images; ++i) {
      EXPECT_TRUE(store.Put("app", ImageOf(2, StrCat(i, " of ", images))).ok());
    }
    store.clock_.Advance(2 * 3600 * kNanosPerSecond);  // promises end
    store.Pass();
    store.index_.Reset();
    const absl::StatusOr<PruneReport> report = store.store_->images.Prune({}, nullptr);
    EXPECT_TRUE(report.ok() && report->images == images) << report.status();
    steps = store.index_.steps();
    return store.index_.round_trips();
  };
  ASSERT_TRUE(store.store_->manifests.DeleteManifest("app", store.image_).ok());
  const size_t few = round_trips(64);
  const size_t few_steps = steps;
  const size_t many = round_trips(256);
  EXPECT_LE(many - few, 192u * 7);
  EXPECT_LE(steps, 5 * few_steps);
}

// A guard that waits for another transaction of its own thread may wait for good.
TEST(RoundTripsTest, NoTransactionIsNestedInAnother) {
  CountedStore store;
  store.index_.Reset();
  const std::string large(kMaxInlineBlobBytes + 1, 'v');
  // More repositories and files than ids are reserved at once.
  for (size_t i = 0; i < kIdBlock; ++i) {
    const std::string repository = StrCat("r", i);
    ASSERT_TRUE(store.Push(repository, StrCat(large, i)).ok());
    const absl::StatusOr<Digest> manifest = store.PutIndex(repository, "x");
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    ASSERT_TRUE(store.store_->manifests.Tag(repository, "tag", *manifest).ok());
    ASSERT_TRUE(store.store_->manifests.DeleteManifest(repository, *manifest).ok());
  }
  store.Hold("hold", 0);
  store.Lease("lease", kNanosPerSecond);
  store.clock_.Advance(26ll * 3600 * kNanosPerSecond);
  store.Pass();
  ASSERT_TRUE(store.store_->images.Prune({}, nullptr).ok());
  EXPECT_EQ(store.index_.most_open(), 1u);
}

TEST(RoundTripsTest, FindMissingOfARepositoryThatIsNotThereMissesAll) {
  CountedStore store;
  const std::vector<Digest> asked = {CountedStore::DigestOf(1), CountedStore::DigestOf(1)};
  const absl::StatusOr<std::vector<Digest>> missing =
      store.store_->blobs.FindMissing("none", asked);
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_EQ(*missing, asked);
}

}  // namespace
}  // namespace varve
