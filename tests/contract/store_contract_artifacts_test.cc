// Indexes, referrers and shared content under prune and deletion: what belongs to what.
#include <gmock/gmock.h>

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
using Code = absl::StatusCode;

class StoreArtifactsTest : public StoreContractTest {
 protected:
  void Wait() { under_test().Advance(11 * kMinute); }
  std::vector<Digest> Prune(bool all = false) {
    Wait();  // to look was a pull
    PruneRequest request;
    request.all = all;
    std::vector<Digest> images;
    const auto report = store().images.Prune(request, [&](const PruneStep& step) {
      if (step.kind == PruneStep::Kind::kRemoved) images.push_back(step.image.manifest.digest);
      return true;
    });
    EXPECT_TRUE(report.ok()) << report.status();
    return images;
  }
  bool IsThere(std::string_view repository, const Digest& manifest) {
    return ManifestCode(repository, manifest) == Code::kOk;
  }
  static std::string IndexJson(const std::vector<Digest>& children) {
    ManifestParts parts;
    parts.media_type = kMediaTypeOciIndex;
    parts.children = children;
    return ManifestJson(parts);
  }
  static std::string ImageJson(const Digest& config, const std::vector<Digest>& layers,
                               std::string_view note = {}) {
    ManifestParts parts;
    parts.config = config;
    parts.layers = layers;
    parts.note = note;
    return ManifestJson(parts);
  }
  Digest PutReferrer(const Digest& subject, std::vector<std::string> tags = {}) {
    ManifestParts parts;
    parts.config = Push("app", "{}");
    parts.subject = subject;
    return PutManifest("app", ManifestJson(parts), std::move(tags));
  }
  const Store& engine() { return under_test().engine(); }
};

TEST_P(StoreArtifactsTest, AnIndexThatMissesChildrenKeepsThoseThatCome) {
  StoreSettings settings;
  settings.accept_sparse_index = true;
  Make(settings);
  const Image first = PushImage("app", 1);
  const Digest config = Push("app", "{\"late\":1}");
  const Digest late = Sha256(ImageJson(config, {}));
  const Digest index = PutManifest("app", IndexJson({first.manifest, late}), {"all"});
  EXPECT_THAT(Prune(), IsEmpty());
  EXPECT_TRUE(IsThere("app", index));
  Push("app", "{\"late\":1}");
  ASSERT_EQ(PutManifest("app", ImageJson(config, {})), late);
  EXPECT_THAT(Prune(), IsEmpty());
  EXPECT_TRUE(IsThere("app", late));
  ASSERT_TRUE(store().manifests.Untag("app", "all", false).ok());
  EXPECT_THAT(Prune(), UnorderedElementsAre(index, first.manifest, late));
}

TEST_P(StoreArtifactsTest, NestedIndexesKeepAllBelowThem) {
  const Image leaf = PushImage("app", 1);
  const Digest inner = PutManifest("app", IndexJson({leaf.manifest}));
  const Digest middle = PutManifest("app", IndexJson({inner}));
  const Digest outer = PutManifest("app", IndexJson({middle}), {"all"});
  EXPECT_THAT(Prune(), IsEmpty());
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", outer, 0}).ok());
  EXPECT_THAT(Prune(/*all=*/true), IsEmpty());
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  EXPECT_THAT(Prune(/*all=*/true), UnorderedElementsAre(leaf.manifest, inner, middle, outer));
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StoreArtifactsTest, AManifestOfSeveralIndexesStaysUntilTheLastGoes) {
  const Image shared = PushImage("app", 1);
  const Image own = PushImage("app", 2);
  const Digest first = PutManifest("app", IndexJson({shared.manifest}), {"first"});
  const Digest second = PutManifest("app", IndexJson({shared.manifest, own.manifest}), {"second"});
  ASSERT_TRUE(store().manifests.Untag("app", "second", false).ok());
  EXPECT_THAT(Prune(), UnorderedElementsAre(second, own.manifest));
  EXPECT_EQ(Read("app", shared.layer), MakeBytes(100'000, 1));
  ASSERT_TRUE(store().manifests.Untag("app", "first", false).ok());
  EXPECT_THAT(Prune(), UnorderedElementsAre(first, shared.manifest));
}

TEST_P(StoreArtifactsTest, TheSameBlobAsLayerAndAsConfig) {
  const Digest blob = Push("app", MakeBytes(70'000, 1));
  const Digest other = Push("app", "{}");
  const Digest as_config = PutManifest("app", ImageJson(blob, {}));
  const Digest as_layer = PutManifest("app", ImageJson(other, {blob}), {"v1"});
  const Digest as_both = PutManifest("app", ImageJson(blob, {blob}));
  EXPECT_THAT(Prune(), UnorderedElementsAre(as_config, as_both));
  EXPECT_EQ(Read("app", blob), MakeBytes(70'000, 1));
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  EXPECT_THAT(Prune(), ElementsAre(as_layer));
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StoreArtifactsTest, AReferrerWhoseSubjectNeverExisted) {
  const Digest untagged = PutReferrer(Sha256("never pushed"));
  const Digest tagged = PutReferrer(Sha256("nor this"), {"sbom"});
  EXPECT_THAT(Prune(), ElementsAre(untagged));
  EXPECT_TRUE(IsThere("app", tagged));
  EXPECT_THAT(Prune(/*all=*/true), ElementsAre(tagged));
}

TEST_P(StoreArtifactsTest, ASubjectThatComesBackFindsItsReferrers) {
  const Image subject = PushImage("app", 1, {"v1"});
  const Digest signature = PutReferrer(subject.manifest);
  Wait();
  ASSERT_TRUE(engine().manifests.DeleteManifest("app", subject.manifest).ok());
  EXPECT_TRUE(IsThere("app", signature));
  PushImage("app", 1, {"v1"});
  EXPECT_THAT(Prune(), IsEmpty());
  const auto referrers = engine().manifests.ListReferrers("app", subject.manifest, "", {"", 10});
  ASSERT_TRUE(referrers.ok()) << referrers.status();
  ASSERT_EQ(referrers->rows.size(), 1u);
  EXPECT_EQ(referrers->rows[0].manifest.digest, signature);
  Wait();
  ASSERT_TRUE(engine().manifests.DeleteManifest("app", subject.manifest).ok());
  EXPECT_THAT(Prune(), ElementsAre(signature));
  // Pushed again once more, it is an image without referrers.
  PushImage("app", 1, {"v1"});
  EXPECT_THAT(Prune(), IsEmpty());
  EXPECT_THAT(engine().manifests.ListReferrers("app", subject.manifest, "", {"", 10})->rows,
              IsEmpty());
}

TEST_P(StoreArtifactsTest, AReferrerOfAHeldImageIsKeptWithIt) {
  const Image subject = PushImage("app", 1, {"v1"});
  const Digest signature = PutReferrer(subject.manifest, {"signed"});
  const Digest of_signature = PutReferrer(signature);
  ASSERT_TRUE(store().claims.CreateHold({"web", "app", subject.manifest, 0}).ok());
  EXPECT_THAT(Prune(/*all=*/true), IsEmpty());
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  EXPECT_THAT(Prune(/*all=*/true), UnorderedElementsAre(subject.manifest, signature, of_signature));
}

TEST_P(StoreArtifactsTest, DeletingATagTouchesNoOther) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", "v2"), Code::kOk);
  EXPECT_EQ(ManifestCode("copy", "v1"), Code::kOk);
  EXPECT_THAT(Prune(), IsEmpty());
}

TEST_P(StoreArtifactsTest, DeletingByDigestTouchesOneRepository) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  ASSERT_TRUE(engine().manifests.DeleteManifest("app", image.manifest).ok());
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("app", "v2"), Code::kNotFound);
  EXPECT_EQ(ManifestCode("copy", "v1"), Code::kOk);
  EXPECT_THAT(Prune(), IsEmpty());
  EXPECT_EQ(Read("copy", image.layer), MakeBytes(100'000, 1));
  EXPECT_EQ(engine().blobs.DeleteBlob("copy", image.layer).code(), Code::kFailedPrecondition);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreArtifactsTest,
                         testing::ValuesIn(StoresThat(Ability::kListImages)), StoreName);

}  // namespace
}  // namespace varve
