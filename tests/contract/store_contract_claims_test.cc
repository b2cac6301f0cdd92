// Holds and leases: what they keep, and for how long.
#include <gmock/gmock.h>

#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Code = absl::StatusCode;

class StoreClaimsTest : public StoreContractTest {
 protected:
  void Wait(int64_t nanos = 11 * kMinute) { under_test().Advance(nanos); }
  absl::Status Hold(const std::string& name, const std::string& repository, const Digest& manifest,
                    int64_t ttl_nanos = 0) {
    return store().claims.CreateHold({name, repository, manifest, ttl_nanos}).status();
  }
  std::string Lease(int64_t ttl_nanos, const std::vector<Digest>& contents) {
    LeaseRequest request;
    request.owner = "test";
    request.ttl_nanos = ttl_nanos;
    const auto lease = store().claims.CreateLease(request);
    EXPECT_TRUE(lease.ok()) << lease.status();
    if (!lease.ok()) return "";
    const auto absent = store().claims.AttachToLease(lease->id, contents);
    EXPECT_TRUE(absent.ok()) << absent.status();
    return lease->id;
  }
  std::vector<std::string> HoldNames() {
    std::vector<std::string> names;
    const auto page = store().claims.ListHolds({"", 100});
    EXPECT_TRUE(page.ok()) << page.status();
    if (page.ok()) {
      for (const HoldInfo& hold : page->rows) names.push_back(hold.name);
    }
    return names;
  }
  uint64_t Prune() {
    const auto report = store().images.Prune({}, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->images : 0;
  }
  bool IsThere(const Digest& manifest) { return ManifestCode("app", manifest) == Code::kOk; }
  Digest PutIndex(const std::vector<Digest>& children, std::vector<std::string> tags = {}) {
    ManifestParts parts;
    parts.media_type = kMediaTypeOciIndex;
    parts.children = children;
    return PutManifest("app", ManifestJson(parts), std::move(tags));
  }
};

TEST_P(StoreClaimsTest, AHoldKeepsAnImageUntilItIsReleased) {
  const Image image = PushImage("app", 1);
  Wait();
  ASSERT_TRUE(Hold("web-1", "app", image.manifest).ok());
  ASSERT_TRUE(Hold("web-2", "", image.manifest).ok());
  EXPECT_EQ(Prune(), 0u);
  ASSERT_TRUE(store().claims.ReleaseHold("web-1").ok());
  EXPECT_EQ(Prune(), 0u);
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
  ASSERT_TRUE(store().claims.ReleaseHold("web-2").ok());
  EXPECT_EQ(store().claims.ReleaseHold("web-2").code(), Code::kNotFound);
  EXPECT_EQ(Prune(), 1u);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StoreClaimsTest, AHoldOnAnIndexKeepsItsChildren) {
  const Image first = PushImage("app", 1);
  const Image second = PushImage("app", 2);
  const Digest index = PutIndex({first.manifest, second.manifest});
  ASSERT_TRUE(Hold("web", "app", index).ok());
  Wait();
  EXPECT_EQ(Prune(), 0u);
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  EXPECT_EQ(Prune(), 3u);
}

TEST_P(StoreClaimsTest, AHeldChildStaysWhenItsIndexGoes) {
  const Image first = PushImage("app", 1);
  const Image second = PushImage("app", 2);
  PutIndex({first.manifest, second.manifest});
  ASSERT_TRUE(Hold("web", "app", second.manifest).ok());
  Wait();
  EXPECT_EQ(Prune(), 2u);
  EXPECT_TRUE(IsThere(second.manifest));
  EXPECT_FALSE(IsThere(first.manifest));
}

TEST_P(StoreClaimsTest, HoldsHaveUniqueNamesAndAreListedInOrder) {
  const Image image = PushImage("app", 1, {"v1"});
  const Image other = PushImage("app", 2, {"v2"});
  ASSERT_TRUE(Hold("b", "app", image.manifest).ok());
  ASSERT_TRUE(Hold("a/c:1", "", image.manifest, kHour).ok());
  EXPECT_TRUE(Hold("b", "app", image.manifest).ok());
  EXPECT_EQ(Hold("b", "app", other.manifest).code(), Code::kAlreadyExists);
  EXPECT_EQ(Hold("b", "", image.manifest).code(), Code::kAlreadyExists);
  EXPECT_EQ(Hold("c", "app", image.layer).code(), Code::kNotFound);
  EXPECT_EQ(Hold("c", "nowhere", image.manifest).code(), Code::kNotFound);
  EXPECT_EQ(Hold("c", "", Sha256("unknown")).code(), Code::kNotFound);
  for (const std::string& bad : {std::string(), std::string("a b"), std::string(129, 'x')}) {
    EXPECT_EQ(Hold(bad, "app", image.manifest).code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(Hold("c", "app", image.manifest, -1).code(), Code::kInvalidArgument);
  EXPECT_EQ(Hold("c", "app", image.manifest, kMaxHoldNanos + 1).code(), Code::kInvalidArgument);
  EXPECT_THAT(HoldNames(), ElementsAre("a/c:1", "b"));
  const auto page = store().claims.ListHolds({"a/c:1", 1});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_FALSE(page->more);
  ASSERT_EQ(page->rows.size(), 1u);
  EXPECT_EQ(page->rows[0].repository, "app");
  EXPECT_EQ(page->rows[0].manifest, image.manifest);
  EXPECT_EQ(page->rows[0].expires_nanos, 0);
  const auto first = store().claims.ListHolds({"", 1});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->more);
  EXPECT_EQ(first->rows[0].repository, "");
  EXPECT_EQ(first->rows[0].expires_nanos, first->rows[0].created_nanos + kHour);
}

TEST_P(StoreClaimsTest, HoldsEndWhenTheirTimeHasCome) {
  const Image image = PushImage("app", 1);
  Wait();
  ASSERT_TRUE(Hold("short", "app", image.manifest, kHour).ok());
  ASSERT_TRUE(Hold("renewed", "app", image.manifest, kHour).ok());
  Wait(50 * kMinute);
  ASSERT_TRUE(Hold("renewed", "app", image.manifest, kHour).ok());
  Wait(20 * kMinute);
  Reclaim();
  EXPECT_THAT(HoldNames(), ElementsAre("renewed"));
  EXPECT_EQ(Prune(), 0u);
  Wait(kHour);
  EXPECT_EQ(Prune(), 1u);
  EXPECT_THAT(HoldNames(), IsEmpty());
}

TEST_P(StoreClaimsTest, ClaimsSurviveARestart) {
  const Image image = PushImage("app", 1);
  const Digest blob = Push("app", MakeBytes(70'000, 9));
  ASSERT_TRUE(Hold("web", "app", image.manifest).ok());
  const std::string lease = Lease(kHour, {blob});
  under_test().Reopen();
  Wait(30 * kMinute);
  EXPECT_EQ(Prune(), 0u);
  Reclaim();
  EXPECT_EQ(OpenCode("", blob), Code::kOk);
  EXPECT_THAT(HoldNames(), ElementsAre("web"));
  ASSERT_TRUE(store().claims.DeleteLease(lease).ok());
  Reclaim();
  EXPECT_EQ(OpenCode("", blob), Code::kNotFound);
}

TEST_P(StoreClaimsTest, AnImageInUseIsNotDeletedByDigest) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  ASSERT_TRUE(Hold("web", "app", image.manifest).ok());
  const Store& engine = under_test().engine();
  const absl::Status refused = engine.manifests.DeleteManifest("app", image.manifest);
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(ToStd(refused.message())), HasSubstr("hold web"));
  // The hold names it in another repository.
  EXPECT_TRUE(engine.manifests.DeleteManifest("copy", image.manifest).ok());
  for (const bool force : {false, true}) {
    const auto removed = store().images.RemoveImage(image.manifest.ToString(), force);
    EXPECT_EQ(removed.status().code(), Code::kFailedPrecondition);
    EXPECT_THAT(std::string(ToStd(removed.status().message())), HasSubstr("cannot be forced"));
  }
  EXPECT_TRUE(IsThere(image.manifest));
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  EXPECT_TRUE(engine.manifests.DeleteManifest("app", image.manifest).ok());
}

TEST_P(StoreClaimsTest, WhatAnIndexInUseListsIsNotDeletedByDigest) {
  const Image child = PushImage("app", 1);
  const Digest inner = PutIndex({child.manifest});
  const Digest outer = PutIndex({inner});
  const Store& engine = under_test().engine();
  const auto expect_refused = [&](const std::string& claim) {
    for (const Digest& part : {child.manifest, inner}) {
      const absl::Status refused = engine.manifests.DeleteManifest("app", part);
      EXPECT_EQ(refused.code(), Code::kFailedPrecondition) << claim;
      EXPECT_THAT(std::string(ToStd(refused.message())), HasSubstr(claim));
      EXPECT_THAT(std::string(ToStd(refused.message())), HasSubstr(outer.ToString()));
    }
  };
  ASSERT_TRUE(Hold("web", "app", outer).ok());
  expect_refused("hold web");
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  const std::string lease = Lease(kHour, {outer});
  expect_refused("lease " + lease);
  ASSERT_TRUE(store().claims.DeleteLease(lease).ok());
  // A hold on it in another repository says nothing about this one.
  ASSERT_TRUE(store().images.TagFrom("app", outer, "copy", "v1").ok());
  ASSERT_TRUE(Hold("web", "copy", outer).ok());
  EXPECT_EQ(engine.manifests.DeleteManifest("copy", child.manifest).code(),
            Code::kFailedPrecondition);
  EXPECT_TRUE(engine.manifests.DeleteManifest("app", child.manifest).ok());
  EXPECT_FALSE(IsThere(child.manifest));
}

// A promise says that content is here; it does not forbid to delete it.
TEST_P(StoreClaimsTest, APromiseRefusesNoDeletion) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(store().manifests.StatManifest("app", image.manifest).ok());
  EXPECT_TRUE(under_test().engine().manifests.DeleteManifest("app", image.manifest).ok());
}

TEST_P(StoreClaimsTest, ATagOfAnImageInUseGoesWhileThereAreOthersOrByForce) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  ASSERT_TRUE(Hold("web", "app", image.manifest).ok());
  const auto first = store().images.RemoveImage("app:v1", false);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->untagged, ElementsAre("app:v1"));
  const auto refused = store().images.RemoveImage("app:v2", false);
  EXPECT_EQ(refused.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(ToStd(refused.status().message())), HasSubstr("must force"));
  const auto last = store().images.RemoveImage("app:v2", true);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(last->untagged, ElementsAre("app:v2"));
  EXPECT_THAT(last->deleted, IsEmpty());
  Wait();
  EXPECT_EQ(Prune(), 0u);
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
}

TEST_P(StoreClaimsTest, TheLastTagOfAHeldImageIsRemovedByForceOnly) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  ASSERT_TRUE(Hold("web", "app", image.manifest).ok());
  EXPECT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  const auto expect_refused = [&](const absl::Status& refused, const std::string& tag) {
    EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
    EXPECT_THAT(std::string(ToStd(refused.message())), HasSubstr(tag));
    EXPECT_THAT(std::string(ToStd(refused.message())), HasSubstr("must force"));
    EXPECT_THAT(std::string(ToStd(refused.message())), HasSubstr("hold web"));
  };
  expect_refused(store().manifests.Untag("app", "v2", false), "app:v2");
  // A tag of another repository is a name as good as this, and may be the last.
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  EXPECT_TRUE(store().manifests.Untag("app", "v2", false).ok());
  expect_refused(store().manifests.Untag("copy", "v1", false), "copy:v1");
  expect_refused(store().images.RemoveImage("copy:v1", false).status(), "copy:v1");
  EXPECT_TRUE(store().manifests.Untag("copy", "v1", true).ok());
  EXPECT_EQ(store().manifests.Untag("copy", "v1", true).code(), Code::kNotFound);
  EXPECT_EQ(store().manifests.Untag("copy", "v1", false).code(), Code::kNotFound);
  Wait(2 * kHour);
  Prune();
  EXPECT_TRUE(IsThere(image.manifest));
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
}

// Pushes move tags all day: those ask nobody, and lose nothing that is held.
TEST_P(StoreClaimsTest, ATagMovesOnFromAHeldImage) {
  const Image image = PushImage("app", 1, {"latest"});
  ASSERT_TRUE(Hold("web", "app", image.manifest).ok());
  const Image next = PushImage("app", 2, {"latest"});
  Wait(2 * kHour);
  PruneRequest all;
  all.all = true;
  const auto report = store().images.Prune(all, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->images, 1u);
  EXPECT_FALSE(IsThere(next.manifest));
  EXPECT_TRUE(IsThere(image.manifest));
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
}

// What it lists is kept by the index, whatever its own names; so is what a lease names.
TEST_P(StoreClaimsTest, TagsOfWhatAnIndexInUseListsAndOfLeasedImagesGo) {
  const Image child = PushImage("app", 1, {"amd64"});
  ASSERT_TRUE(Hold("web", "app", PutIndex({child.manifest})).ok());
  EXPECT_TRUE(store().manifests.Untag("app", "amd64", false).ok());
  const Image leased = PushImage("app", 2, {"build"});
  Lease(10 * kHour, {leased.manifest});
  EXPECT_TRUE(store().manifests.Untag("app", "build", false).ok());
  Wait(2 * kHour);
  EXPECT_EQ(Prune(), 0u);
  EXPECT_TRUE(IsThere(child.manifest));
  EXPECT_TRUE(IsThere(leased.manifest));
}

TEST_P(StoreClaimsTest, ALeaseKeepsBlobsAndImages) {
  const Image image = PushImage("app", 1);
  const Digest blob = Push("app", MakeBytes(70'000, 9));
  const std::string lease = Lease(kHour, {blob, image.manifest});
  Wait(40 * kMinute);
  Reclaim();
  EXPECT_EQ(Prune(), 0u);
  EXPECT_EQ(OpenCode("", blob), Code::kOk);
  const auto renewed = store().claims.RenewLease(lease, kHour);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->contents, 2u);
  Wait(50 * kMinute);
  Reclaim();
  EXPECT_EQ(Prune(), 0u);
  EXPECT_EQ(OpenCode("", blob), Code::kOk);
  Wait(20 * kMinute);
  Reclaim();
  EXPECT_EQ(Prune(), 1u);
  Reclaim();
  EXPECT_EQ(OpenCode("", blob), Code::kNotFound);
  EXPECT_EQ(store().claims.RenewLease(lease, kHour).status().code(), Code::kNotFound);
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StoreClaimsTest, ALeaseIsTakenBeforeItsContentComes) {
  const std::string bytes = MakeBytes(70'000, 9);
  LeaseRequest request;
  request.id = "build-7";
  request.owner = "builder";
  request.ttl_nanos = 4 * kHour;
  request.labels = {{"job", "7"}};
  ASSERT_TRUE(store().claims.CreateLease(request).ok());
  EXPECT_EQ(store().claims.CreateLease(request).status().code(), Code::kAlreadyExists);
  const Digest present = Push("app", "here already");
  const auto absent =
      store().claims.AttachToLease("build-7", {Sha256(bytes), present, Sha256(bytes)});
  ASSERT_TRUE(absent.ok()) << absent.status();
  EXPECT_THAT(*absent, ElementsAre(Sha256(bytes), Sha256(bytes)));
  Push("app", bytes);
  Wait(3 * kHour);
  Reclaim();
  EXPECT_EQ(OpenCode("", Sha256(bytes)), Code::kOk);
  const auto leases = store().claims.ListLeases({"", 10});
  ASSERT_TRUE(leases.ok()) << leases.status();
  ASSERT_EQ(leases->rows.size(), 1u);
  EXPECT_EQ(leases->rows[0].id, "build-7");
  EXPECT_EQ(leases->rows[0].owner, "builder");
  EXPECT_EQ(leases->rows[0].contents, 2u);
  EXPECT_THAT(leases->rows[0].labels, ElementsAre(std::make_pair("job", "7")));
  EXPECT_EQ(leases->rows[0].deadline_nanos, leases->rows[0].created_nanos + 4 * kHour);
  ASSERT_TRUE(store().claims.DeleteLease("build-7").ok());
  EXPECT_EQ(store().claims.DeleteLease("build-7").code(), Code::kNotFound);
  EXPECT_EQ(store().claims.AttachToLease("build-7", {}).status().code(), Code::kNotFound);
  Reclaim();
  EXPECT_EQ(OpenCode("", Sha256(bytes)), Code::kNotFound);
}

TEST_P(StoreClaimsTest, ALeaseOfManyDigestsEndsInPages) {
  std::vector<Digest> contents;
  for (int i = 0; i < 1500; ++i) contents.push_back(Sha256(StrCat("content ", i)));
  const Digest blob = Push("app", MakeBytes(70'000, 9));
  contents.push_back(blob);
  const std::string lease = Lease(kHour, contents);
  Wait(30 * kMinute);
  Reclaim();
  EXPECT_EQ(OpenCode("", blob), Code::kOk);
  Wait(kHour);
  Reclaim();
  Reclaim();
  EXPECT_EQ(OpenCode("", blob), Code::kNotFound);
  EXPECT_EQ(store().claims.DeleteLease(lease).code(), Code::kNotFound);
}

TEST_P(StoreClaimsTest, ALeaseKeepsAnImageFromDeletion) {
  const Image image = PushImage("app", 1, {"v1"});
  const std::string lease = Lease(kHour, {image.manifest});
  EXPECT_EQ(under_test().engine().manifests.DeleteManifest("app", image.manifest).code(),
            Code::kFailedPrecondition);
  const auto removed = store().images.RemoveImage("app:v1", false);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(removed->untagged, ElementsAre("app:v1"));
  EXPECT_THAT(removed->deleted, IsEmpty());
  EXPECT_EQ(Read("app", image.layer), MakeBytes(100'000, 1));
  ASSERT_TRUE(store().claims.DeleteLease(lease).ok());
  Wait();
  EXPECT_EQ(Prune(), 1u);
}

TEST_P(StoreClaimsTest, LeasesAreBounded) {
  LeaseRequest request;
  for (const int64_t ttl : {int64_t{0}, -kHour, kMaxLeaseNanos + 1}) {
    request.ttl_nanos = ttl;
    EXPECT_EQ(store().claims.CreateLease(request).status().code(), Code::kInvalidArgument) << ttl;
  }
  request.ttl_nanos = kHour;
  request.owner = std::string(kMaxLeaseOwnerBytes + 1, 'o');
  EXPECT_EQ(store().claims.CreateLease(request).status().code(), Code::kInvalidArgument);
  request.owner = "";
  for (size_t i = 0; i <= kMaxLeaseLabels; ++i) request.labels.emplace_back(StrCat("k", i), "v");
  EXPECT_EQ(store().claims.CreateLease(request).status().code(), Code::kInvalidArgument);
  request.labels.assign(1, {"k", std::string(kMaxLeaseLabelBytes, 'v')});
  EXPECT_EQ(store().claims.CreateLease(request).status().code(), Code::kInvalidArgument);
  request.labels.clear();
  request.id = "no spaces";
  EXPECT_EQ(store().claims.CreateLease(request).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(store().claims.RenewLease("none", kHour).status().code(), Code::kNotFound);
  EXPECT_EQ(store().claims.DeleteLease("none").code(), Code::kNotFound);
}

TEST_P(StoreClaimsTest, ForwardJumpOfTheClockEndsNothingForOnePromiseTime) {
  const Image image = PushImage("app", 1);
  const Digest blob = Push("app", MakeBytes(70'000, 9));
  ASSERT_TRUE(Hold("web", "app", image.manifest, kHour).ok());
  const std::string lease = Lease(kHour, {blob});
  Wait();
  Reclaim();
  under_test().JumpWall(365 * 24 * kHour);
  Reclaim();
  EXPECT_EQ(Prune(), 0u);
  Wait(9 * kMinute);
  Reclaim();
  EXPECT_THAT(HoldNames(), ElementsAre("web"));
  // A client that works on renews meanwhile.
  ASSERT_TRUE(store().claims.RenewLease(lease, kHour).ok());
  Wait(2 * kMinute);
  Reclaim();
  EXPECT_THAT(HoldNames(), IsEmpty());
  EXPECT_EQ(Prune(), 1u);
  EXPECT_EQ(OpenCode("", blob), Code::kOk);
}

TEST_P(StoreClaimsTest, WhatKeepsALayerIsToldDownToTheTag) {
  const Image image = PushImage("app", 1);
  const Digest index = PutIndex({image.manifest}, {"v1"});
  ASSERT_TRUE(Hold("web", "app", index, kHour).ok());
  const std::string lease = Lease(kHour, {image.layer});
  Wait();
  const auto report = store().claims.ExplainKept(image.layer.ToString());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->digest, image.layer);
  EXPECT_TRUE(report->complete);
  std::vector<std::string> shown;
  for (const Keeper& keeper : report->keepers) {
    shown.push_back(StrCat(std::string(keeper.depth, '>'), static_cast<int>(keeper.kind), " ",
                           keeper.repository, " ", keeper.name));
    if (keeper.kind == Keeper::Kind::kHold || keeper.kind == Keeper::Kind::kLease) {
      EXPECT_EQ(keeper.until_nanos, keeper.since_nanos + kHour);
    }
    if (keeper.kind == Keeper::Kind::kTag) EXPECT_GT(keeper.since_nanos, 0);
  }
  const auto line = [](int depth, Keeper::Kind kind, const std::string& rest) {
    return StrCat(std::string(static_cast<size_t>(depth), '>'), static_cast<int>(kind), " ", rest);
  };
  using Kind = Keeper::Kind;
  EXPECT_THAT(shown, ElementsAre(line(0, Kind::kLease, " " + lease),
                                 line(0, Kind::kManifest, "app "), line(1, Kind::kMember, "app "),
                                 line(1, Kind::kManifest, "app "), line(2, Kind::kHold, "app web"),
                                 line(2, Kind::kMember, "app "), line(2, Kind::kTag, "app v1")));
  // By name, the image itself.
  const auto by_name = store().claims.ExplainKept("app:v1");
  ASSERT_TRUE(by_name.ok()) << by_name.status();
  EXPECT_EQ(by_name->digest, index);
  EXPECT_EQ(by_name->keepers.size(), 3u);
  EXPECT_EQ(store().claims.ExplainKept("app:v2").status().code(), Code::kNotFound);
  EXPECT_EQ(store().claims.ExplainKept(Sha256("unknown").ToString()).status().code(),
            Code::kNotFound);
}

TEST_P(StoreClaimsTest, WhatOnlyKeepsEachOtherIsToldAsDangling) {
  const Image child = PushImage("app", 1);
  ManifestParts parts;
  parts.media_type = kMediaTypeOciIndex;
  parts.children = {child.manifest};
  parts.subject = child.manifest;
  const Digest index = PutManifest("app", ManifestJson(parts));
  Wait(kHour);
  for (const Digest& digest : {child.layer, child.manifest, index}) {
    const auto report = store().claims.ExplainKept(digest.ToString());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->keepers.empty());
    EXPECT_TRUE(report->dangling);
  }
  ASSERT_TRUE(store().manifests.Tag("app", "v1", index).ok());
  EXPECT_FALSE(store().claims.ExplainKept(child.layer.ToString())->dangling);
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  ASSERT_TRUE(Hold("web", "app", child.manifest).ok());
  EXPECT_FALSE(store().claims.ExplainKept(index.ToString())->dangling);
}

TEST_P(StoreClaimsTest, WhatPrunesWouldTakeIsTold) {
  const Image image = PushImage("app", 1);
  const Digest index = PutIndex({image.manifest}, {"v1"});
  const auto takes = [&](const Digest& digest) {
    const auto report = store().claims.ExplainKept(digest.ToString());
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) return std::string();
    return StrCat(report->prune_takes ? "prune " : "", report->prune_all_takes ? "all" : "");
  };
  // Also while it is promised.
  for (const Digest& digest : {image.layer, image.manifest, index}) EXPECT_EQ(takes(digest), "all");
  ASSERT_TRUE(Hold("web", "app", index).ok());
  for (const Digest& digest : {image.layer, image.manifest, index}) EXPECT_EQ(takes(digest), "");
  ASSERT_TRUE(store().claims.ReleaseHold("web").ok());
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  for (const Digest& digest : {image.layer, image.manifest, index}) {
    EXPECT_EQ(takes(digest), "prune all");
  }
  // Which no image needs: the reclaimer takes it, and no prune.
  EXPECT_EQ(takes(Push("app", MakeBytes(70'000, 9))), "");
}

TEST_P(StoreClaimsTest, APromiseIsToldWithItsEnd) {
  Wait();
  const Digest blob = Push("app", MakeBytes(70'000, 9));
  const auto report = store().claims.ExplainKept(blob.ToString());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->keepers.size(), 1u);
  EXPECT_EQ(report->keepers[0].kind, Keeper::Kind::kPromise);
  EXPECT_GT(report->keepers[0].until_nanos, 0);
  Wait();
  EXPECT_THAT(store().claims.ExplainKept(blob.ToString())->keepers, IsEmpty());
}

// The first thing after the jump is not a pass of the reclaimer.
TEST_P(StoreClaimsTest, APruneRightAfterAForwardJumpRemovesNothing) {
  const Image image = PushImage("app", 1);
  ASSERT_TRUE(Hold("web", "app", image.manifest, kHour).ok());
  Wait();
  Reclaim();
  under_test().JumpWall(365 * 24 * kHour);
  EXPECT_EQ(Prune(), 0u);
  EXPECT_THAT(HoldNames(), ElementsAre("web"));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreClaimsTest, testing::ValuesIn(StoresThat(Ability::kClaims)),
                         StoreName);

}  // namespace
}  // namespace varve
