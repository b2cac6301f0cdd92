// What the rule of names costs, and that nobody sees half of it: another request at every step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/storage/catalog/counted_store.h"

namespace varve {
namespace {

const NameRule kExact = {false, {}};

class CanonicalRepositoriesTest : public testing::Test {
 protected:
  void Exact() {
    store_.names_ = kExact;
    store_.Open();
  }
  void Canonical() {
    store_.names_ = NameRule();
    store_.Open();
  }
  size_t StepsOf(const std::function<void()>& request) {
    request();  // once before, so that promises and caches are as they will be
    store_.index_.Reset();
    request();
    return store_.index_.steps();
  }
  absl::StatusOr<Digest> PutTagged(std::string_view repository, std::string_view annotation,
                                   const std::string& tag) {
    ASSIGN_OR_RETURN(const Digest digest, store_.PutIndex(repository, annotation));
    RETURN_IF_ERROR(store_.store_->manifests.Tag(repository, tag, digest));
    return digest;
  }
  bool Has(std::string_view repository, const std::string& tag, const Digest& digest) {
    const auto info = store_.store_->manifests.StatManifest(repository, tag);
    return info.ok() && info->digest == digest;
  }

  CountedStore store_;
};

TEST_F(CanonicalRepositoriesTest, ANameThatIsThereCostsNothingAndAnotherOneRead) {
  Exact();
  ASSERT_TRUE(PutTagged("team/app", "x", "v1").ok());
  ASSERT_TRUE(PutTagged("library/exact", "x", "v1").ok());
  ASSERT_TRUE(store_.Push("team/app", "layer").ok());
  ASSERT_TRUE(store_.Push("library/exact", "layer").ok());
  const Digest layer = HashBytes(DigestAlgorithm::kSha256, "layer");
  const auto stat = [&](std::string_view name) {
    return [this, name] {
      EXPECT_TRUE(store_.store_->manifests.StatManifest(name, "v1").ok()) << name;
    };
  };
  const auto get = [&](std::string_view name) {
    return [this, name] {
      EXPECT_TRUE(store_.store_->manifests.GetManifest(name, "v1").ok()) << name;
    };
  };
  const auto head = [&](std::string_view name) {
    return [this, name, layer] {
      EXPECT_TRUE(store_.store_->blobs.StatBlob(name, layer).ok()) << name;
    };
  };
  const auto open = [&](std::string_view name) {
    return [this, name, layer] {
      EXPECT_TRUE(store_.store_->blobs.OpenBlob(name, layer).ok()) << name;
    };
  };
  const auto push = [&](std::string_view name) {
    return [this, name] { EXPECT_TRUE(store_.Push(name, "layer").ok()) << name; };
  };
  const auto cost = [&](std::string_view name) {
    return std::vector<size_t>{StepsOf(stat(name)), StepsOf(get(name)), StepsOf(head(name)),
                               StepsOf(open(name)), StepsOf(push(name))};
  };
  const std::vector<size_t> before = cost("team/app");
  Canonical();
  EXPECT_EQ(cost("team/app"), before);
  EXPECT_EQ(cost("library/exact"), before);
  const std::vector<size_t> by_another = cost("docker.io/team/app");
  for (size_t i = 0; i + 1 < before.size(); ++i) EXPECT_EQ(by_another[i], before[i] + 1) << i;
}

// GUARDS.md: repository
TEST_F(CanonicalRepositoriesTest, TwoThatAreMadeAtOnceAreOne) {
  bool more = true;
  for (size_t call = 0; more && call < 200; ++call) {
    const std::string name = StrCat("new", call);
    store_.step_ = {[&] { EXPECT_TRUE(PutTagged(name, "b", "b").ok()); }, call, false};
    const absl::StatusOr<Digest> a = PutTagged(StrCat("library/", name), "a", "a");
    ASSERT_TRUE(a.ok()) << a.status();
    more = store_.step_.action == nullptr;
    store_.step_ = {};
    if (!more) break;
    EXPECT_TRUE(Has(name, "a", *a)) << call;
    EXPECT_TRUE(store_.store_->manifests.StatManifest(StrCat("library/", name), "b").ok()) << call;
    EXPECT_EQ(store_.IdOf(StrCat("library/", name)), 0u) << call;
  }
  EXPECT_FALSE(more) << "not every step was tried";
}

// A pair, and a request to one of them at each step of its merge.
class MergeAtEveryStepTest : public CanonicalRepositoriesTest {
 protected:
  // `request` gets the number of its try; `check` looks when both are through.
  void TryAll(const std::function<void(size_t)>& request,
              const std::function<void(size_t)>& check) {
    bool more = true;
    size_t call = 0;
    for (; more && call < 1000; ++call) {
      MakePair(call);
      store_.step_ = {[&] { request(call); }, call, false};
      const auto merge = store_.store_->manifests.MergeRepositories(long_, short_, false);
      ASSERT_TRUE(merge.ok()) << call << ": " << merge.status();
      more = store_.step_.action == nullptr;
      store_.step_ = {};
      EXPECT_TRUE(Has(long_, "12", image_)) << call;
      EXPECT_TRUE(Has(short_, "12", image_)) << call;
      EXPECT_TRUE(Has(short_, "13", other_)) << call;
      if (more) check(call);
    }
    EXPECT_GT(call, 50u);
    EXPECT_FALSE(more) << "not every step was tried";
    ExpectSound();
  }
  void MakePair(size_t number) {
    short_ = StrCat("app", number);
    long_ = StrCat("library/", short_);
    Exact();
    const auto image = PutTagged(long_, "x", "12");
    ASSERT_TRUE(image.ok()) << image.status();
    image_ = *image;
    const auto other = PutTagged(short_, "y", "13");
    ASSERT_TRUE(other.ok()) << other.status();
    other_ = *other;
    ASSERT_TRUE(store_.Push(long_, "loose").ok());
    store_.clock_.Advance(kNanosPerSecond);
    Canonical();
  }
  void ExpectSound() {
    const auto report = store_.store_->system.Check([](const CheckStep& step) {
      if (step.finding.has_value() && step.finding->kind != CheckFinding::Kind::kTwoNames) {
        ADD_FAILURE() << step.finding->text;
      }
      return true;
    });
    EXPECT_TRUE(report.ok()) << report.status();
  }

  std::string long_;
  std::string short_;
  Digest image_;
  Digest other_;
};

TEST_F(MergeAtEveryStepTest, APushToTheNameThatGoesIsKept) {
  absl::StatusOr<Digest> pushed;
  TryAll([&](size_t) { pushed = PutTagged(long_, "new", "new"); },
         [&](size_t call) {
           ASSERT_TRUE(pushed.ok()) << call << ": " << pushed.status();
           EXPECT_TRUE(Has(long_, "new", *pushed)) << call;
           EXPECT_TRUE(Has(short_, "new", *pushed)) << call;
         });
}

// GUARDS.md: tag
TEST_F(MergeAtEveryStepTest, ATagThatIsSetMeanwhileIsKept) {
  absl::Status tagged;
  TryAll([&](size_t) { tagged = store_.store_->manifests.Tag(long_, "new", image_); },
         [&](size_t call) {
           ASSERT_TRUE(tagged.ok()) << call << ": " << tagged;
           EXPECT_TRUE(Has(long_, "new", image_)) << call;
         });
}

TEST_F(MergeAtEveryStepTest, WhoPullsFindsTheImageAllTheTime) {
  bool found = false;
  TryAll([&](size_t) { found = Has(long_, "12", image_) && Has(short_, "13", other_); },
         [&](size_t call) { EXPECT_TRUE(found) << call; });
}

// GUARDS.md: link
TEST_F(MergeAtEveryStepTest, AnUploadToTheNameThatGoesIsVisibleAfterwards) {
  absl::Status pushed;
  TryAll([&](size_t call) { pushed = store_.Push(long_, StrCat("late", call)); },
         [&](size_t call) {
           ASSERT_TRUE(pushed.ok()) << call << ": " << pushed;
           const Digest blob = HashBytes(DigestAlgorithm::kSha256, StrCat("late", call));
           EXPECT_TRUE(store_.store_->blobs.StatBlob(short_, blob).ok()) << call;
         });
}

// The other way round: all of the merge at each step of the request.
TEST_F(MergeAtEveryStepTest, ARequestDuringWhichItIsMergedSucceeds) {
  const std::function<absl::Status()> requests[] = {
      [&] { return store_.store_->manifests.GetManifest(long_, "12").status(); },
      [&] { return store_.store_->manifests.StatManifest(long_, image_).status(); },
      [&] {
        return store_.store_->blobs.OpenBlob(long_, HashBytes(DigestAlgorithm::kSha256, "loose"))
            .status();
      },
      [&] { return store_.store_->manifests.Tag(long_, "new", image_); },
      [&] { return PutTagged(long_, "new", "new").status(); },
      [&] { return store_.Push(long_, "another"); },
  };
  size_t number = 0;
  for (const auto& request : requests) {
    bool more = true;
    for (size_t call = 0; more && call < 200; ++call) {
      MakePair(10'000 + ++number);
      store_.step_ = {[&] {
                        const auto merge =
                            store_.store_->manifests.MergeRepositories(long_, short_, false);
                        EXPECT_TRUE(merge.ok()) << merge.status();
                      },
                      call, false};
      const absl::Status status = request();
      more = store_.step_.action == nullptr;
      store_.step_ = {};
      EXPECT_TRUE(status.ok()) << number << ": " << status;
    }
    EXPECT_FALSE(more) << "not every step was tried";
  }
  ExpectSound();
}

// GUARDS.md: hold
TEST_F(MergeAtEveryStepTest, AHoldThatIsTakenMeanwhileMovesToo) {
  absl::StatusOr<HoldInfo> hold;
  TryAll(
      [&](size_t call) {
        hold = store_.store_->claims.CreateHold({StrCat("h", call), long_, image_, 0});
      },
      [&](size_t call) {
        ASSERT_TRUE(hold.ok()) << call << ": " << hold.status();
        const auto kept = store_.store_->claims.ExplainKept(StrCat(short_, ":12"));
        ASSERT_TRUE(kept.ok()) << call << ": " << kept.status();
        bool held_here = false;
        for (const Keeper& keeper : kept->keepers) {
          held_here =
              held_here || (keeper.name == StrCat("h", call) && keeper.repository == short_);
        }
        EXPECT_TRUE(held_here) << call;
      });
}

}  // namespace
}  // namespace varve
