// Races made deterministic: a second request runs at a chosen commit of the first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "storage/api/blobs.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/scheduled_index.h"

namespace varve {
namespace {

using Code = absl::StatusCode;

constexpr int64_t kPromise = 600 * kNanosPerSecond;

class CatalogSchedulesTest : public testing::Test {
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
    clock_.Advance(kPromise + 1);
  }

  absl::Status TryPush(std::string_view repository, std::string_view bytes) {
    ASSIGN_OR_RETURN(const auto upload, store_->blobs.BeginUpload(repository, {}));
    RETURN_IF_ERROR(upload->Append(0, bytes));
    return upload->Commit(HashBytes(DigestAlgorithm::kSha256, bytes), std::nullopt).status();
  }
  Digest Push(std::string_view repository, std::string_view bytes) {
    const absl::Status pushed = TryPush(repository, bytes);
    EXPECT_TRUE(pushed.ok()) << pushed;
    return Remember(bytes);
  }
  std::string Json(const Digest& config, const std::vector<Digest>& layers = {}) {
    std::string list;
    for (const Digest& layer : layers) {
      list += StrCat(list.empty() ? "" : ",",
                     R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")",
                     layer.ToString(), R"(","size":)", SizeOf(layer), "}");
    }
    return StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)",
                  R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")",
                  config.ToString(), R"(","size":)", SizeOf(config), R"(},"layers":[)", list, "]}");
  }
  std::string IndexJson(const std::vector<Digest>& children) {
    std::string list;
    for (const Digest& child : children) {
      list += StrCat(list.empty() ? "" : ",",
                     R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")",
                     child.ToString(), R"(","size":)", SizeOf(child), "}");
    }
    return StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)",
                  R"("manifests":[)", list, "]}");
  }
  // Of what was pushed or put.
  size_t SizeOf(const Digest& digest) {
    const MutexLock lock(mutex_);
    return sizes_[digest];
  }
  Digest Remember(std::string_view bytes) {
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
    const MutexLock lock(mutex_);
    sizes_[digest] = bytes.size();
    return digest;
  }
  absl::Status Put(std::string_view repository, const std::string& json) {
    PutManifestRequest request;
    request.bytes = json;
    Remember(json);
    return store_->manifests.PutManifest(repository, request).status();
  }
  void Reclaim() {
    const auto report = store_->system.Reclaim();
    EXPECT_TRUE(report.ok()) << report.status();
  }
  bool Here(std::string_view repository, const Digest& digest) {
    return store_->blobs.OpenBlob(repository, digest).ok();
  }

  MemoryFileSystem disk_;
  FakeClock clock_;
  const std::unique_ptr<Index> index_ = NewMemoryIndex();
  Schedule schedule_;
  std::unique_ptr<Engine> store_;
  const std::string bytes_ = std::string(100'000, 'x');
  Mutex mutex_;
  std::map<Digest, size_t> sizes_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(CatalogSchedulesTest, PushOfWhatIsBeingReclaimedWaitsAndSucceeds) {
  const Digest digest = Push("app", bytes_);
  clock_.Advance(2 * kPromise);
  std::thread client;
  absl::Status pushed;
  schedule_ = {BlobKey(digest),
               [&] { client = std::thread([&] { pushed = TryPush("app", bytes_); }); }};
  Reclaim();
  client.join();
  EXPECT_TRUE(pushed.ok()) << pushed;
  EXPECT_TRUE(Here("app", digest));
  Reclaim();
  EXPECT_TRUE(Here("app", digest));
}

TEST_F(CatalogSchedulesTest, HeadOfWhatIsBeingReclaimedSaysNo) {
  const Digest digest = Push("app", bytes_);
  clock_.Advance(2 * kPromise);
  std::thread client;
  absl::Status stat;
  schedule_ = {BlobKey(digest), [&] {
                 client =
                     std::thread([&] { stat = store_->blobs.StatBlob("app", digest).status(); });
               }};
  Reclaim();
  client.join();
  EXPECT_EQ(stat.ok(), Here("app", digest));
}

TEST_F(CatalogSchedulesTest, MountOfWhatIsBeingReclaimedIsTrueOrNo) {
  const Digest digest = Push("app", bytes_);
  clock_.Advance(2 * kPromise);
  std::thread client;
  absl::Status mounted;
  schedule_ = {BlobKey(digest), [&] {
                 client = std::thread(
                     [&] { mounted = store_->blobs.MountBlob("other", digest, "app").status(); });
               }};
  Reclaim();
  client.join();
  EXPECT_EQ(mounted.ok(), Here("other", digest));
}

TEST_F(CatalogSchedulesTest, ReclaimJustBeforeAManifestNamesAPromisedBlob) {
  const Digest config = Push("app", bytes_);
  clock_.Advance(2 * kPromise);
  ASSERT_TRUE(store_->blobs.StatBlob("app", config).ok());
  schedule_ = {EdgePrefix(config), [&] { Reclaim(); }};
  ASSERT_TRUE(Put("app", Json(config)).ok());
  clock_.Advance(2 * kPromise);
  Reclaim();
  EXPECT_TRUE(Here("app", config));
}

// GUARDS.md: blob-delete
TEST_F(CatalogSchedulesTest, DeleteOfTheBlobJustBeforeAManifestNamesIt) {
  const Digest config = Push("app", bytes_);
  schedule_ = {EdgePrefix(config), [&] {
                 EXPECT_TRUE(store_->blobs.DeleteBlob("app", config).ok());
                 Reclaim();
               }};
  ASSERT_TRUE(Put("app", Json(config)).ok());
  clock_.Advance(2 * kPromise);
  Reclaim();
  EXPECT_TRUE(Here("app", config));
}

// GUARDS.md: note
TEST_F(CatalogSchedulesTest, DeleteOfAManifestBesideItsPutAgain) {
  const Digest config = Push("app", bytes_);
  const std::string json = Json(config);
  const Digest manifest = HashBytes(DigestAlgorithm::kSha256, json);
  ASSERT_TRUE(Put("app", json).ok());
  // The put comes when the deletion is about to take the edges away.
  schedule_ = {MemberEdgeKey(manifest, 0).substr(0, 10),
               [&] { EXPECT_TRUE(Put("app", json).ok()); }};
  ASSERT_TRUE(store_->manifests.DeleteManifest("app", manifest).ok());
  clock_.Advance(2 * kPromise);
  Reclaim();
  EXPECT_TRUE(store_->manifests.GetManifest("app", manifest).ok());
  EXPECT_TRUE(Here("app", config));
  EXPECT_EQ(store_->blobs.DeleteBlob("app", config).code(), Code::kFailedPrecondition);
}

// The first deletion has removed a page of edges when the manifest is put again and deleted again;
// the second deletion is interrupted before its first page. The first must not take it for its own:
// the edges of the page that it has behind it would stay for ever.
// GUARDS.md: note
TEST_F(CatalogSchedulesTest, SecondDeletionOfAManifestIsNotTheFirst) {
  const Digest config = Push("app", bytes_);
  std::vector<Digest> targets;
  for (int i = 0; i < 450; ++i) targets.push_back(Push("app", StrCat("layer ", i)));
  const std::string json = Json(config, targets);
  targets.push_back(config);
  ASSERT_GT(json.size(), kMaxInlineBlobBytes);  // a file, whose reading can fail
  const Digest manifest = HashBytes(DigestAlgorithm::kSha256, json);
  ASSERT_TRUE(Put("app", json).ok());
  const auto edges = [&] {
    size_t count = 0;
    for (const Digest& target : targets) {
      count += index_->Scan(PrefixRange(EdgePrefix(target)), 10)->size();
    }
    return count;
  };
  ASSERT_EQ(edges(), targets.size());
  size_t edges_between = 0;
  absl::Status second;
  // Only the last page of a deletion writes this key.
  schedule_ = {
      MemberEdgeKey(manifest, 0).substr(0, 10), [&] {
        edges_between = edges();
        EXPECT_TRUE(Put("app", json).ok());
        disk_.Inject({FileCall::kOpen, absl::UnavailableError("interrupted"), 1, {}, false});
        second = store_->manifests.DeleteManifest("app", manifest);
      }};
  EXPECT_TRUE(store_->manifests.DeleteManifest("app", manifest).ok());
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_GT(edges_between, 0u);
  EXPECT_LT(edges_between, targets.size());
  Reclaim();  // finishes the second
  EXPECT_EQ(edges(), 0u);
  clock_.Advance(2 * kPromise);
  Reclaim();
  for (const Digest& target : targets) EXPECT_FALSE(Here("", target));
  EXPECT_FALSE(Here("", manifest));
}

// GUARDS.md: blob-deletion
TEST_F(CatalogSchedulesTest, TagBesideTheDeletionOfItsManifest) {
  const std::string json = Json(Push("app", bytes_));
  const Digest manifest = HashBytes(DigestAlgorithm::kSha256, json);
  ASSERT_TRUE(Put("app", json).ok());
  schedule_ = {TagEdgeKey(manifest, 0, "").substr(0, 10),
               [&] { EXPECT_TRUE(store_->manifests.DeleteManifest("app", manifest).ok()); }};
  EXPECT_EQ(store_->manifests.Tag("app", "late", manifest).code(), Code::kNotFound);
  EXPECT_TRUE(store_->manifests.ListTags("app", {})->rows.empty());
}

// GUARDS.md: blob-deletion
TEST_F(CatalogSchedulesTest, PutOfAnIndexBesideTheDeletionOfItsChild) {
  const std::string child_json = Json(Push("app", bytes_));
  const Digest child = HashBytes(DigestAlgorithm::kSha256, child_json);
  ASSERT_TRUE(Put("app", child_json).ok());
  // Its membership was checked; it goes just before the index is committed.
  schedule_ = {EdgePrefix(child),
               [&] { EXPECT_TRUE(store_->manifests.DeleteManifest("app", child).ok()); }};
  const absl::Status put = Put("app", IndexJson({child}));
  EXPECT_EQ(put.code(), Code::kFailedPrecondition) << put;
  EXPECT_FALSE(store_->manifests.GetManifest("app", child).ok());
}

// A deletion that found the index without a name must not take its child when it has one by then.
// GUARDS.md: blob-lister
TEST_F(CatalogSchedulesTest, TagOfAnIndexBesideTheDeletionOfItsChild) {
  const Digest config = Push("app", "{}");
  ASSERT_TRUE(Put("app", Json(config)).ok());
  const Digest child = HashBytes(DigestAlgorithm::kSha256, Json(config));
  const std::string index = IndexJson({child});
  ASSERT_TRUE(Put("app", index).ok());
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, index);
  schedule_ = {EdgeRemovalPrefix(),
               [&] { EXPECT_TRUE(store_->manifests.Tag("app", "v1", digest).ok()); }};
  EXPECT_EQ(store_->manifests.DeleteManifest("app", child).code(), Code::kFailedPrecondition);
  EXPECT_EQ(schedule_.action, nullptr);
  EXPECT_TRUE(store_->manifests.GetManifest("app", child).ok());
  // And the other way round: the holder of the index's name sees that the child is gone.
  ASSERT_TRUE(store_->manifests.Untag("app", "v1", false).ok());
  EXPECT_TRUE(store_->manifests.DeleteManifest("app", child).ok());
  EXPECT_TRUE(store_->manifests.Tag("app", "v1", digest).ok());
}

// An index whose child is gone has a pending edge, which lives again with the child.
// GUARDS.md: reference
TEST_F(CatalogSchedulesTest, ADeletedChildLeavesAPendingEdge) {
  const Digest config = Push("app", "{}");
  ASSERT_TRUE(Put("app", Json(config)).ok());
  const Digest child = HashBytes(DigestAlgorithm::kSha256, Json(config));
  const std::string index = IndexJson({child});
  ASSERT_TRUE(Put("app", index).ok());
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, index);
  const auto edges = [&](EdgeKind kind) {
    return index_->Scan(PrefixRange(EdgePrefix(child, kind)), 10).value().size();
  };
  ASSERT_TRUE(store_->manifests.DeleteManifest("app", child).ok());
  EXPECT_EQ(edges(EdgeKind::kReference), 0u);
  EXPECT_EQ(edges(EdgeKind::kPending), 1u);
  EXPECT_FALSE(Here("app", child));
  ASSERT_TRUE(Put("app", Json(config)).ok());
  EXPECT_EQ(edges(EdgeKind::kReference), 1u);
  EXPECT_EQ(edges(EdgeKind::kPending), 0u);
  // The index goes while its child's edges are made pending: none is left behind.
  schedule_ = {EdgePrefix(child, EdgeKind::kPending),
               [&] { EXPECT_TRUE(store_->manifests.DeleteManifest("app", digest).ok()); }};
  ASSERT_TRUE(store_->manifests.DeleteManifest("app", child).ok());
  EXPECT_EQ(schedule_.action, nullptr);
  EXPECT_EQ(edges(EdgeKind::kReference), 0u);
  EXPECT_EQ(edges(EdgeKind::kPending), 0u);
}

TEST_F(CatalogSchedulesTest, TagFromBesideTheDeletionOfACopiedChild) {
  const std::string child_json = Json(Push("app", bytes_));
  const Digest child = HashBytes(DigestAlgorithm::kSha256, child_json);
  ASSERT_TRUE(Put("app", child_json).ok());
  const std::string index_json = IndexJson({child});
  const Digest image_index = HashBytes(DigestAlgorithm::kSha256, index_json);
  ASSERT_TRUE(Put("app", index_json).ok());
  schedule_ = {MemberEdgeKey(image_index, 0).substr(0, 30),
               [&] { EXPECT_TRUE(store_->manifests.DeleteManifest("copy", child).ok()); }};
  EXPECT_EQ(store_->images.TagFrom("app", image_index, "copy", "v1").code(),
            Code::kFailedPrecondition);
  EXPECT_TRUE(store_->manifests.ListTags("copy", {})->rows.empty());
}

// One manifest whose bytes rot must not stop every later reclamation.
TEST_F(CatalogSchedulesTest, DamagedManifestCanBeDeletedAndStopsNothing) {
  const std::string json = Json(Push("app", bytes_));
  const Digest manifest = HashBytes(DigestAlgorithm::kSha256, json);
  ASSERT_TRUE(Put("app", json).ok());
  const Digest garbage = Push("app", std::string(90'000, 'g'));
  ASSERT_TRUE(
      index_->Run([&](Transaction& txn) { return txn.Put(InlineKey(manifest), "rot"); }).ok());
  EXPECT_TRUE(store_->manifests.DeleteManifest("app", manifest).ok());
  clock_.Advance(2 * kPromise);
  Reclaim();
  EXPECT_FALSE(Here("app", garbage));
  EXPECT_EQ(store_->manifests.GetManifest("app", manifest).status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace varve
