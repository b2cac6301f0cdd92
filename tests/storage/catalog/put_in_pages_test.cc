// A manifest that names more than one transaction takes, with everybody else at each of its steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_format.h"
#include "storage/limits.h"
#include "tests/storage/every_step.h"
#include "tests/support/forwarding_index.h"

namespace varve {
namespace {

using Code = absl::StatusCode;
using testing::IsEmpty;

// An index of two pages that lists `child`, in the first page, and many that are not there.
TestManifest LargeIndexOf(const TestManifest& child) {
  std::vector<TestManifest> children = {child};
  for (size_t i = 0; i < kReferencesAtOnce + 10; ++i) {
    TestManifest absent;
    absent.digest = Digest::Parse(absl::StrFormat("sha256:f%063x", i)).value();
    EXPECT_LT(child.digest, absent.digest);
    absent.bytes = "absent";
    children.push_back(absent);
  }
  return MakeImageIndex(children);
}

EngineOptions Sparse() {
  EngineOptions options;
  options.accept_sparse_index = true;
  return options;
}

std::vector<std::string> Findings(System& system) {
  std::vector<std::string> findings;
  const auto report = system.Check([&](const CheckStep& step) {
    if (step.finding.has_value()) findings.push_back(step.finding->text);
    return true;
  });
  EXPECT_TRUE(report.ok()) << report.status();
  return findings;
}

class PutInPagesTest : public testing::Test {
 protected:
  static TestManifest Index() { return LargeIndexOf(World(Sparse()).image_); }
  const TestManifest index_ = Index();
  absl::Status put_;
  absl::Status deleted_;
};

TEST_F(PutInPagesTest, IsWholeWhenItIsVisible) {
  World world(Sparse());
  world.HaveImage({});
  ASSERT_TRUE(world.Put("app", index_, {"large"}).ok());
  EXPECT_THAT(Findings(world.store().system), IsEmpty());
  world.ExpectStays("app", world.image_);
  EXPECT_EQ(world.store().manifests.DeleteManifest("app", world.image_.digest).code(),
            Code::kFailedPrecondition);
  // Pushed again, by another name.
  ASSERT_TRUE(world.Put("app", index_, {"again"}).ok());
  EXPECT_TRUE(world.store().manifests.GetManifest("app", "again").ok());
  EXPECT_THAT(Findings(world.store().system), IsEmpty());
  // And it goes as a whole.
  ASSERT_TRUE(world.store().manifests.DeleteManifest("app", index_.digest).ok());
  world.Settle();
  world.Prune();
  world.Reclaim();
  EXPECT_THAT(Findings(world.store().system), IsEmpty());
  EXPECT_EQ(world.store().manifests.GetManifest("app", world.image_.digest).status().code(),
            Code::kNotFound);
}

TEST_F(PutInPagesTest, WhileNotesOfDeletionsAreFinished) {
  AtEveryStep([](World& world) { world.HaveImage({}); },
              [&](World& world) { put_ = world.Put("app", index_, {"large"}); },
              [](World& world) { world.Reclaim(); },
              [&](World& world) {
                EXPECT_TRUE(put_.ok()) << put_;
                EXPECT_THAT(Findings(world.store().system), IsEmpty());
                world.ExpectStays("app", world.image_);
                EXPECT_TRUE(world.store().manifests.GetManifest("app", index_.digest).ok());
              },
              {Sparse()});
}

// GUARDS.md: note
TEST_F(PutInPagesTest, WhileAChildIsDeleted) {
  AtEveryStep([](World& world) { world.HaveImage({}); },
              [&](World& world) { put_ = world.Put("app", index_, {"large"}); },
              [&](World& world) {
                deleted_ = world.store().manifests.DeleteManifest("app", world.image_.digest);
              },
              [&](World& world) {
                EXPECT_TRUE(put_.ok()) << put_;
                EXPECT_THAT(Findings(world.store().system), IsEmpty());
                if (deleted_.ok()) return;  // then the index came later: its child was absent
                EXPECT_EQ(deleted_.code(), Code::kFailedPrecondition) << deleted_;
                world.ExpectStays("app", world.image_);
              },
              {Sparse()});
}

TEST_F(PutInPagesTest, WhileItIsPutByAnotherName) {
  absl::Status other;
  AtEveryStep([](World& world) { world.HaveImage({}); },
              [&](World& world) { put_ = world.Put("app", index_, {"one"}); },
              [&](World& world) { other = world.Put("app", index_, {"two"}); },
              [&](World& world) {
                EXPECT_TRUE(put_.ok()) << put_;
                EXPECT_TRUE(other.ok()) << other;
                EXPECT_TRUE(world.store().manifests.GetManifest("app", "one").ok());
                EXPECT_TRUE(world.store().manifests.GetManifest("app", "two").ok());
                EXPECT_THAT(Findings(world.store().system), IsEmpty());
                world.ExpectStays("app", world.image_);
              },
              {Sparse()});
}

TEST_F(PutInPagesTest, WhileItIsDeletedAndPutAgain) {
  AtEveryStep(
      [&](World& world) {
        world.HaveImage({});
        EXPECT_TRUE(world.Put("app", index_).ok());
      },
      [&](World& world) { put_ = world.Put("app", index_, {"large"}); },
      [&](World& world) {
        const absl::Status deleted = world.store().manifests.DeleteManifest("app", index_.digest);
        EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
      },
      [&](World& world) {
        EXPECT_TRUE(put_.ok()) << put_;
        EXPECT_THAT(Findings(world.store().system), IsEmpty());
      },
      {Sparse()});
}

// Passes without a pause, as prunes bring them, hold no put up.
TEST_F(PutInPagesTest, BesidePassesWithoutAPause) {
  World world(Sparse());
  world.HaveImage({});
  std::atomic<bool> stop = false;
  std::thread passes([&] {
    while (!stop) world.Reclaim();
  });
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(world.Put("app", WithNote(index_, static_cast<size_t>(i)), {"large"}).ok()) << i;
  }
  stop = true;
  passes.join();
  EXPECT_THAT(Findings(world.store().system), IsEmpty());
}

// An index of which no commit succeeds once `left` have.
class EndingIndex final : public ForwardingIndex {
 public:
  EndingIndex(Index& base, std::optional<size_t>* left) : ForwardingIndex(base), left_(left) {}
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<EndingTransaction>(base().Begin(), left_);
  }

 private:
  class EndingTransaction final : public ForwardingTransaction {
   public:
    EndingTransaction(std::unique_ptr<Transaction> base, std::optional<size_t>* left)
        : ForwardingTransaction(std::move(base)), left_(left) {}
    absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
      if (*left_ == 0) return absl::UnavailableError("the index has ended");
      if (left_->has_value()) --**left_;
      return base().Commit(durability);
    }

   private:
    std::optional<size_t>* const left_;
  };

  std::optional<size_t>* const left_;
};

// A store over an EndingIndex, in which an index of manifests that are not there is put.
struct EndingStore {
  EndingStore() {
    EngineOptions options = Sparse();
    options.file_system = &disk;
    options.clock = &clock;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<EndingIndex>(*base, &left);
    };
    store = OpenEngine("/store", options).value();
  }

  MemoryFileSystem disk;
  FakeClock clock;
  const std::unique_ptr<Index> base = NewMemoryIndex();
  std::optional<size_t> left;
  std::unique_ptr<Engine> store;
};

// What an error or a crash leaves behind goes, wherever it comes.
TEST_F(PutInPagesTest, WhatBreaksOffGoes) {
  PutManifestRequest request;
  request.bytes = index_.bytes;
  request.tags = {"large"};
  size_t commits = 0;
  for (;; ++commits) {
    SCOPED_TRACE(commits);
    EndingStore ending;
    ending.left = commits;
    const absl::Status put = ending.store->manifests.PutManifest("app", request).status();
    ending.left.reset();
    EXPECT_THAT(Findings(ending.store->system), IsEmpty());
    EXPECT_EQ(ending.store->manifests.GetManifest("app", "large").ok(), put.ok());
    if (put.ok()) break;
    for (int i = 0; i < 2; ++i) {
      ending.clock.Advance(48 * 3600 * kNanosPerSecond);
      EXPECT_TRUE(ending.store->system.Reclaim().ok());
    }
    EXPECT_THAT(Findings(ending.store->system), IsEmpty());
    EXPECT_EQ(ending.store->blobs.StatBlob("", index_.digest).status().code(), Code::kNotFound);
    const auto edges = ending.base->Scan(PrefixRange("e"), 10);
    EXPECT_THAT(edges.value(), IsEmpty());
  }
  EXPECT_GE(commits, 3u);  // a repository and two pages
}

}  // namespace
}  // namespace varve
