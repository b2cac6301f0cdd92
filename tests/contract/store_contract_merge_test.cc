// One repository of two: what it has of both, what collides, and what a break leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "storage/api/claims.h"
#include "storage/base/status.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using Code = absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const NameRule kExact = {false, {}};

class StoreMergeTest : public StoreContractTest {
 protected:
  // Repositories of any name.
  void SetUp() override {
    StoreContractTest::SetUp();
    under_test().ReopenWith(kExact);
  }
  absl::StatusOr<RepositoryMerge> Merge(std::string_view from, std::string_view into,
                                        bool force = false) {
    return Able(Ability::kListImages).manifests.MergeRepositories(from, into, force);
  }
  std::map<std::string, Digest> Tags(std::string_view repository) {
    const auto page = store().manifests.ListTags(repository, {});
    EXPECT_TRUE(page.ok()) << repository << ": " << page.status();
    std::map<std::string, Digest> tags;
    if (page.ok()) {
      for (const TagInfo& tag : page->rows) tags[tag.name] = tag.digest;
    }
    return tags;
  }
  std::vector<std::string> Repositories() {
    const auto page = under_test().engine().manifests.ListRepositories({});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->rows : std::vector<std::string>();
  }
  void ExpectSound() {
    std::string told;
    const auto report = under_test().engine().system.Check([&](const CheckStep& step) {
      if (step.finding.has_value()) told += step.finding->text + "\n";
      return true;
    });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(told, "");
  }
  // Each tag is in one of the repositories at least.
  void ExpectNothingLost(const std::map<std::string, Digest>& expected, uint64_t calls) {
    std::map<std::string, Digest> found;
    for (const std::string& repository : Repositories()) found.merge(Tags(repository));
    EXPECT_EQ(found, expected) << "after " << calls;
  }
  // Long after: promises and links have ended, and what nothing keeps is gone.
  void LongAfter() {
    for (int i = 0; i < 3; ++i) {
      under_test().Advance(26 * kHour);
      Reclaim();
      Reclaim();
    }
  }
};
STORE_SUITE(StoreMergePowerTest, StoreMergeTest, kPowerCut);

TEST_P(StoreMergeTest, EverythingMovesAndTheNameMeansTheOther) {
  const Image old = PushImage("library/debian", 1, {"11", "old"});
  const Image child = PushImage("library/debian", 2);
  const Digest index =
      PutManifest("library/debian",
                  ManifestJson({.media_type = "application/vnd.oci.image.index.v1+json",
                                .children = {child.manifest}}),
                  {"multi"});
  const Digest empty = Push("library/debian", "{}");
  const Digest signature = PutManifest(
      "library/debian", ManifestJson({.config = empty, .subject = old.manifest, .note = "s"}));
  const std::string loose = MakeBytes(100'000, 9);
  Push("library/debian", loose);
  ASSERT_TRUE(
      under_test().engine().claims.CreateHold({"h", "library/debian", old.manifest, 0}).ok());
  under_test().Advance(kHour);
  const Image both = PushImage("library/debian", 3, {"12"});
  const Image here = PushImage("debian", 4, {"13"});
  PushImage("debian", 3, {"12"});
  const auto pushed = under_test().engine().manifests.StatManifest("library/debian", old.manifest);
  ASSERT_TRUE(pushed.ok());

  under_test().ReopenWith(NameRule());
  const auto merge = Merge("library/debian", "debian");
  ASSERT_TRUE(merge.ok()) << merge.status();
  EXPECT_TRUE(merge->merged);
  EXPECT_THAT(merge->collisions, IsEmpty());
  EXPECT_EQ(merge->from, "library/debian");
  EXPECT_EQ(merge->into, "debian");
  EXPECT_EQ(merge->manifests, 5u);
  EXPECT_THAT(Repositories(), ElementsAre("debian"));
  const std::map<std::string, Digest> expected = {{"11", old.manifest},
                                                  {"12", both.manifest},
                                                  {"13", here.manifest},
                                                  {"multi", index},
                                                  {"old", old.manifest}};
  for (const std::string_view name : {"debian", "library/debian"}) {
    EXPECT_EQ(Tags(name), expected) << name;
    EXPECT_EQ(ManifestCode(name, child.manifest), Code::kOk) << name;
    EXPECT_EQ(ManifestCode(name, signature), Code::kOk) << name;
    EXPECT_EQ(StatCode(name, Sha256(loose)), Code::kOk) << name;
  }
  EXPECT_EQ(under_test().engine().claims.ListHolds({})->rows[0].repository, "debian");
  EXPECT_EQ(
      under_test().engine().manifests.ListReferrers("debian", old.manifest, "", {})->rows.size(),
      1u);
  EXPECT_EQ(under_test().engine().manifests.StatManifest("debian", old.manifest)->pushed_nanos,
            pushed->pushed_nanos);
  ExpectSound();
  LongAfter();
  EXPECT_EQ(Tags("debian"), expected);
  for (const Image& image : {old, child, both, here}) {
    EXPECT_EQ(Read("debian", image.layer).size(), 100'000u);
  }
  ExpectSound();
}

TEST_P(StoreMergeTest, TagsThatCollideNeedForceAndTheLastOneStays) {
  const Image early = PushImage("library/debian", 1, {"a", "b"});
  under_test().Advance(kMinute);
  const Image middle = PushImage("debian", 2, {"a", "b"});
  under_test().Advance(kMinute);
  const Image late = PushImage("library/debian", 3, {"a", "c"});
  const auto tags_of_long = Tags("library/debian");
  const auto tags_of_short = Tags("debian");

  const auto refused = Merge("library/debian", "debian");
  ASSERT_TRUE(refused.ok()) << refused.status();
  EXPECT_FALSE(refused->merged);
  ASSERT_EQ(refused->collisions.size(), 2u);
  EXPECT_EQ(refused->collisions[0].tag, "a");
  EXPECT_EQ(refused->collisions[0].from, late.manifest);
  EXPECT_EQ(refused->collisions[0].into, middle.manifest);
  EXPECT_TRUE(refused->collisions[0].from_stays);
  EXPECT_EQ(refused->collisions[1].tag, "b");
  EXPECT_EQ(refused->collisions[1].from, early.manifest);
  EXPECT_FALSE(refused->collisions[1].from_stays);
  EXPECT_EQ(Tags("library/debian"), tags_of_long);
  EXPECT_EQ(Tags("debian"), tags_of_short);

  const auto merge = Merge("library/debian", "debian", true);
  ASSERT_TRUE(merge.ok()) << merge.status();
  EXPECT_TRUE(merge->merged);
  EXPECT_EQ(merge->collisions.size(), 2u);
  EXPECT_EQ(Tags("debian"),
            (std::map<std::string, Digest>{
                {"a", late.manifest}, {"b", middle.manifest}, {"c", late.manifest}}));
  EXPECT_EQ(ManifestCode("debian", early.manifest), Code::kOk);  // without a tag
  EXPECT_EQ(ManifestCode("library/debian", "a"), Code::kNotFound);
  ExpectSound();
}

TEST_P(StoreMergeTest, WithoutAnotherItIsANewName) {
  const Image image = PushImage("library/debian", 1, {"12"});
  under_test().ReopenWith(NameRule());
  const auto merge = Merge("library/debian", "docker.io/library/debian");
  ASSERT_TRUE(merge.ok()) << merge.status();
  EXPECT_TRUE(merge->merged);
  EXPECT_EQ(merge->into, "debian");
  EXPECT_THAT(Repositories(), ElementsAre("debian"));
  EXPECT_EQ(Tags("library/debian"), (std::map<std::string, Digest>{{"12", image.manifest}}));
  EXPECT_EQ(StatCode("debian", image.layer), Code::kOk);
  ExpectSound();
}

TEST_P(StoreMergeTest, WhatIsOneAlreadyOrAbsentIsSaidSo) {
  PushImage("debian", 1, {"12"});
  under_test().ReopenWith(NameRule());
  const absl::Status one = Merge("library/debian", "debian").status();
  EXPECT_EQ(one.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(one.message()), HasSubstr("are one repository already, debian"));
  EXPECT_EQ(Merge("none", "debian").status().code(), Code::kNotFound);
  EXPECT_EQ(Merge("UPPER", "debian").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Merge("debian", "").status().code(), Code::kInvalidArgument);
}

TEST_P(StoreMergeTest, AnImageWhoseLayerIsLostMovesAndHeals) {
  const Image image = PushImage("from", 1, {"v1"});
  PushImage("into", 3, {"x"}, 90'000);
  for (const std::string& file : under_test().BlobFiles(100'000)) {
    ASSERT_TRUE(under_test().disk().Remove(file).ok());
  }
  EXPECT_EQ(OpenCode("from", image.layer), Code::kNotFound);
  const auto merge = Merge("from", "into");
  ASSERT_TRUE(merge.ok()) << merge.status();
  EXPECT_EQ(Tags("into").size(), 2u);
  Push("into", MakeBytes(100'000, 1));
  LongAfter();
  EXPECT_EQ(Read("into", image.layer), MakeBytes(100'000, 1));
}

TEST_P(StoreMergeTest, ManyTagsOfOneImageMove) {
  const Image image = PushImage("from", 1);
  PushImage("into", 2, {"x"});
  std::map<std::string, Digest> expected = Tags("into");
  for (int i = 0; i < 450; ++i) {
    const std::string tag = "t" + std::to_string(i);
    ASSERT_TRUE(under_test().engine().manifests.Tag("from", tag, image.manifest).ok());
    expected[tag] = image.manifest;
  }
  ASSERT_TRUE(Merge("from", "into").ok());
  PageRequest page;
  page.limit = 1000;
  const auto tags = under_test().engine().manifests.ListTags("into", page);
  ASSERT_TRUE(tags.ok());
  EXPECT_EQ(tags->rows.size(), expected.size());
  ExpectSound();
}

// The power goes at the n-th call of the disk or the index that changes something, for many n; then
// the merge goes on, from the name that the rest has.
TEST_P(StoreMergePowerTest, APowerCutLosesNothing) {
  bool under_old_name = false;
  bool under_rest = false;
  bool merged = false;
  for (uint64_t calls = 1; !merged; calls += 3) {
    Make({});
    under_test().ReopenWith(kExact);
    const Image one = PushImage("library/debian", 1, {"a", "b"}, 20'000);
    const Image two = PushImage("library/debian", 2, {"c"}, 20'000);
    const Image other = PushImage("debian", 3, {"d"}, 20'000);
    ASSERT_TRUE(store().claims.CreateHold({"h", "library/debian", two.manifest, 0}).ok());
    const std::string loose = MakeBytes(20'000, 9);
    Push("library/debian", loose);
    under_test().ReopenWith(NameRule());
    const std::map<std::string, Digest> expected = {
        {"a", one.manifest}, {"b", one.manifest}, {"c", two.manifest}, {"d", other.manifest}};
    under_test().CutPowerAfter(calls);
    merged = Merge("library/debian", "debian").ok();
    under_test().PowerCycle(calls);
    ExpectNothingLost(expected, calls);
    for (const std::string& rest : Repositories()) {
      if (rest == "debian") continue;
      (rest == "library/debian" ? under_old_name : under_rest) = true;
      const auto again = Merge(rest, "debian");
      ASSERT_TRUE(again.ok()) << "after " << calls << ": " << again.status();
    }
    EXPECT_THAT(Repositories(), ElementsAre("debian")) << "after " << calls;
    EXPECT_EQ(Tags("library/debian"), expected) << "after " << calls;
    LongAfter();
    EXPECT_EQ(Tags("debian"), expected) << "after " << calls;
    for (const Image& image : {one, two, other}) {
      EXPECT_EQ(Read("debian", image.layer).size(), 20'000u) << "after " << calls;
    }
    EXPECT_EQ(store().claims.ListHolds({})->rows[0].repository, "debian") << "after " << calls;
  }
  EXPECT_TRUE(under_old_name && under_rest);  // both sides of the change of names were met
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreMergeTest,
                         testing::ValuesIn(StoresThat(Ability::kListImages)), StoreName);

}  // namespace
}  // namespace varve
