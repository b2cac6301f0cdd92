// Repositories come and go with what is in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/limits.h"
#include "tests/storage/catalog/counted_store.h"

namespace varve {
namespace {

using testing::ElementsAre;

constexpr int64_t kHour = 3600 * kNanosPerSecond;

size_t RowsOf(CountedStore& store) {
  return store.index_.Scan(PrefixRange(RepositoryPrefix()), 10'000)->size();
}

// Until links end, and as long again for what was promised meanwhile.
void UntilEmptyRepositoriesGo(CountedStore& store) {
  for (int i = 0; i < 3; ++i) {
    store.clock_.Advance(26 * kHour);
    store.Pass();
    store.Pass();
  }
}

TEST(RepositoriesTest, OneGoesAfterItsLastMemberAndLink) {
  CountedStore store;
  ASSERT_TRUE(store.Push("gone", "layer").ok());
  const absl::StatusOr<Digest> manifest = store.PutIndex("gone", "x");
  ASSERT_TRUE(manifest.ok());
  const RepositoryId id = store.IdOf("gone");
  ASSERT_NE(id, 0u);
  UntilEmptyRepositoriesGo(store);
  EXPECT_EQ(store.IdOf("gone"), id);  // has a member yet
  ASSERT_TRUE(store.store_->manifests.DeleteManifest("gone", *manifest).ok());
  store.Pass();
  EXPECT_EQ(store.IdOf("gone"), id);  // a client may have been told something
  UntilEmptyRepositoriesGo(store);
  EXPECT_EQ(store.IdOf("gone"), 0u);
  EXPECT_FALSE(store.index_.Get(RepositoryNameKey(id))->has_value());
  EXPECT_TRUE(absl::IsNotFound(store.store_->manifests.DescribeRepository("gone").status()));
  EXPECT_NE(store.IdOf("app"), 0u);

  ASSERT_TRUE(store.PutIndex("gone", "x").ok());
  EXPECT_GT(store.IdOf("gone"), id);
}

TEST(RepositoriesTest, OneThatOnlyHadUploadsGoes) {
  CountedStore store;
  ASSERT_TRUE(store.Push("uploads", "layer").ok());
  UntilEmptyRepositoriesGo(store);
  EXPECT_EQ(store.IdOf("uploads"), 0u);
}

TEST(RepositoriesTest, ThoseOfBeforeAStartGo) {
  CountedStore store;
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(store.Push(StrCat("r", i), "layer").ok());
  const absl::StatusOr<Digest> manifest = store.PutIndex("kept", "x");
  ASSERT_TRUE(manifest.ok());
  store.clock_.Advance(26 * kHour);
  store.Pass();  // the links end
  store.Open();
  for (int i = 0; i < 4; ++i) store.Pass();
  EXPECT_EQ(RowsOf(store), 602u);
  store.clock_.Advance(kHour / 2);
  for (int i = 0; i < 4; ++i) store.Pass();
  EXPECT_EQ(RowsOf(store), 2u);
  EXPECT_NE(store.IdOf("app"), 0u);
  EXPECT_NE(store.IdOf("kept"), 0u);
}

TEST(RepositoriesTest, NothingIsReadOfThemWhenNothingHappens) {
  CountedStore store;
  const size_t idle = store.StepsOfAPass();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(store.PutIndex(StrCat("r", i), "x").ok());
  UntilEmptyRepositoriesGo(store);
  EXPECT_LE(store.StepsOfAPass(), idle + 20);
}

// A repository that the next pass removes.
void PrepareEmpty(CountedStore& store) {
  ASSERT_TRUE(store.Push("empty", "layer").ok());
  store.clock_.Advance(26 * kHour);
  store.Pass();
  store.Pass();
  store.clock_.Advance(26 * kHour);
  ASSERT_NE(store.IdOf("empty"), 0u);
}

void ExpectServed(CountedStore& store, const Digest& manifest) {
  EXPECT_TRUE(store.store_->manifests.StatManifest("empty", ManifestReference(manifest)).ok());
  EXPECT_TRUE(store.index_.Get(RepositoryNameKey(store.IdOf("empty")))->has_value());
}

// Runs `first`, and `second` before and after each call that it makes of the index.
void AtEveryStep(const std::function<void(CountedStore&)>& first,
                 const std::function<void(CountedStore&)>& second,
                 const std::function<void(CountedStore&)>& check) {
  for (const bool after : {false, true}) {
    bool reached = true;
    for (size_t call = 0; reached; ++call) {
      SCOPED_TRACE(testing::Message() << (after ? "after" : "before") << " call " << call);
      CountedStore store;
      PrepareEmpty(store);
      store.step_ = {[&] { second(store); }, call, after};
      first(store);
      reached = store.step_.action == nullptr;
      store.step_.action = nullptr;
      if (reached) check(store);
      if (testing::Test::HasFailure()) return;
      ASSERT_LT(call, 1000u);
    }
  }
}

TEST(RepositoriesTest, APushWhileOneIsRemovedIsServed) {
  Digest manifest;
  AtEveryStep([](CountedStore& store) { store.Pass(); },
              [&](CountedStore& store) {
                EXPECT_TRUE(store.Push("empty", "other layer").ok());
                const absl::StatusOr<Digest> put = store.PutIndex("empty", "y");
                ASSERT_TRUE(put.ok()) << put.status();
                manifest = *put;
              },
              [&](CountedStore& store) { ExpectServed(store, manifest); });
}

// GUARDS.md: repository
TEST(RepositoriesTest, ARemovalWhileOneIsPushedToDoesNotHarmThePush) {
  Digest manifest;
  bool removed = false;
  AtEveryStep(
      [&](CountedStore& store) {
        const RepositoryId before = store.IdOf("empty");
        EXPECT_TRUE(store.Push("empty", "other layer").ok());
        const absl::StatusOr<Digest> put = store.PutIndex("empty", "y");
        ASSERT_TRUE(put.ok()) << put.status();
        manifest = *put;
        removed = removed || store.IdOf("empty") != before;
      },
      [](CountedStore& store) { store.Pass(); },
      [&](CountedStore& store) {
        ExpectServed(store, manifest);
        EXPECT_TRUE(store.store_->blobs
                        .StatBlob("empty", HashBytes(DigestAlgorithm::kSha256, "other layer"))
                        .ok());
      });
  EXPECT_TRUE(removed);
}

// A manifest that names nothing adds a member alone, without a link before it.
TEST(RepositoriesTest, APutAloneWhileOneIsRemovedIsServed) {
  Digest manifest;
  const auto put = [&](CountedStore& store) {
    const absl::StatusOr<Digest> digest = store.PutIndex("empty", "y");
    ASSERT_TRUE(digest.ok()) << digest.status();
    manifest = *digest;
  };
  const auto pass = [](CountedStore& store) { store.Pass(); };
  const auto check = [&](CountedStore& store) { ExpectServed(store, manifest); };
  AtEveryStep(pass, put, check);
  AtEveryStep(put, pass, check);
}

TEST(RepositoriesTest, APageOfTheCatalogueReadsWithinItsBudget) {
  CountedStore store;
  // As many as nobody pushed an image to, written at once.
  for (size_t begin = 0; begin < 12'000; begin += 400) {
    ASSERT_TRUE(store.index_
                    .Run([&](Transaction& txn) -> absl::Status {
                      for (size_t i = begin; i < begin + 400; ++i) {
                        const RepositoryRow row{1'000'000 + i, 0};
                        RETURN_IF_ERROR(txn.Put(RepositoryKey(StrCat("empty", i)), row.Encode()));
                      }
                      return absl::OkStatus();
                    })
                    .ok());
  }
  ASSERT_TRUE(store.PutIndex("last", "x").ok());
  std::vector<std::string> names;
  PageRequest request;
  request.limit = 100;
  for (int pages = 0; pages < 10; ++pages) {
    store.index_.Reset();
    const absl::StatusOr<Page<std::string>> page =
        store.store_->manifests.ListRepositories(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(store.index_.steps(), 3 * kMaxListingReads);
    names.insert(names.end(), page->rows.begin(), page->rows.end());
    if (!page->more) break;
    request.after = page->next.empty() ? page->rows.back() : page->next;
  }
  EXPECT_THAT(names, ElementsAre("app", "last"));
}

}  // namespace
}  // namespace varve
