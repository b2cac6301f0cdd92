// One name per image: what the names of a repository mean, at every door alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/api/claims.h"
#include "storage/api/event_log.h"
#include "storage/api/pruning.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using Code = absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const NameRule kExact = {false, {}};

// All that people and tools call it.
constexpr std::string_view kDebian[] = {"debian", "library/debian", "docker.io/library/debian",
                                        "index.docker.io/library/debian", "localhost/debian"};

class StoreNamesTest : public StoreContractTest {
 protected:
  std::vector<std::string> Repositories() {
    const auto page = store().manifests.ListRepositories({});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->rows : std::vector<std::string>();
  }
  std::vector<std::string> Tags(std::string_view repository) {
    const auto page = store().manifests.ListTags(repository, {});
    EXPECT_TRUE(page.ok()) << repository << ": " << page.status();
    std::vector<std::string> tags;
    if (page.ok()) {
      for (const TagInfo& tag : page->rows) tags.push_back(tag.name);
    }
    return tags;
  }
  Digest DigestOf(std::string_view repository, std::string tag) {
    const auto manifest = store().manifests.GetManifest(repository, std::move(tag));
    EXPECT_TRUE(manifest.ok()) << repository << ": " << manifest.status();
    return manifest.ok() ? manifest->info.digest : Digest();
  }
  // "debian" and "library/debian", each with a tag 12 of its own, as an older store may have them.
  void MakePair() {
    under_test().ReopenWith(kExact);
    long_ = PushImage("library/debian", 1, {"12"});
    short_ = PushImage("debian", 2, {"12"});
    under_test().ReopenWith(NameRule());
  }

  Image long_;
  Image short_;
};
STORE_SUITE(StoreNamesMountTest, StoreNamesTest, kMountBlob);
STORE_SUITE(StoreNamesDeleteTest, StoreNamesTest, kDeleteManifest);
STORE_SUITE(StoreNamesImagesTest, StoreNamesTest, kListImages);
STORE_SUITE(StoreNamesClaimsTest, StoreNamesTest, kClaims);

TEST_P(StoreNamesTest, ANewRepositoryHasTheCanonicalName) {
  const Image image = PushImage("docker.io/library/debian", 1, {"12"});
  for (const std::string_view name : kDebian) {
    EXPECT_EQ(DigestOf(name, "12"), image.manifest) << name;
    EXPECT_EQ(ManifestCode(name, image.manifest), Code::kOk) << name;
    EXPECT_EQ(StatCode(name, image.layer), Code::kOk) << name;
    EXPECT_EQ(OpenCode(name, image.layer), Code::kOk) << name;
    EXPECT_THAT(Tags(name), ElementsAre("12")) << name;
  }
  EXPECT_THAT(Repositories(), ElementsAre("debian"));
  for (const std::string_view other : {"library/debian/x", "quay.io/debian", "library/library",
                                       "localhost__5000/debian", "docker.io__443/debian"}) {
    EXPECT_EQ(ManifestCode(other, "12"), Code::kNotFound) << other;
  }
}

TEST_P(StoreNamesTest, WhatOneNameGotEveryOtherHas) {
  const Digest layer = Push("library/app", MakeBytes(100'000, 1));
  const Digest config = Push("localhost/app", "{}");
  const std::string json = ManifestJson({.config = config, .layers = {layer}});
  const Digest manifest = PutManifest("docker.io/library/app", json, {"v1"});
  EXPECT_EQ(DigestOf("app", "v1"), manifest);
  EXPECT_THAT(Repositories(), ElementsAre("app"));
  ASSERT_TRUE(store().manifests.Untag("library/app", "v1", false).ok());
  EXPECT_THAT(Tags("app"), IsEmpty());
}

TEST_P(StoreNamesTest, ARepositoryOfExactlyThatNameComesFirst) {
  MakePair();
  EXPECT_EQ(DigestOf("library/debian", "12"), long_.manifest);
  EXPECT_EQ(DigestOf("debian", "12"), short_.manifest);
  EXPECT_EQ(DigestOf("docker.io/library/debian", "12"), short_.manifest);
  EXPECT_EQ(StatCode("debian", long_.layer), Code::kNotFound);
  const Image pushed = PushImage("library/debian", 3, {"13"});
  EXPECT_EQ(DigestOf("library/debian", "13"), pushed.manifest);
  EXPECT_EQ(ManifestCode("debian", "13"), Code::kNotFound);
  EXPECT_THAT(Tags("debian"), ElementsAre("12"));
  EXPECT_THAT(Repositories(), ElementsAre("debian", "library/debian"));
}

TEST_P(StoreNamesTest, WithoutTheRuleANameMeansItself) {
  under_test().ReopenWith(kExact);
  PushImage("library/debian", 1, {"12"});
  for (const std::string_view name : {"debian", "docker.io/library/debian", "localhost/debian"}) {
    EXPECT_EQ(ManifestCode(name, "12"), Code::kNotFound) << name;
  }
  PushImage("localhost/debian", 2);
  EXPECT_THAT(Repositories(), ElementsAre("library/debian", "localhost/debian"));
}

TEST_P(StoreNamesTest, TheStoresOwnHostsAreLeftOut) {
  under_test().ReopenWith({true, {"reg__5000", "reg.example.com"}});
  const Image image = PushImage("reg__5000/team/app", 1, {"v1"});
  EXPECT_EQ(DigestOf("reg.example.com/team/app", "v1"), image.manifest);
  PushImage("reg__5001/team/app", 2, {"v2"});
  EXPECT_THAT(Repositories(), ElementsAre("reg__5001/team/app", "team/app"));
}

TEST_P(StoreNamesTest, AnUploadGoesOnUnderAnyNameOfItsRepository) {
  const std::string bytes = MakeBytes(200'000, 1);
  auto upload = store().blobs.BeginUpload("library/app", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  const std::string id = (*upload)->status().id;
  ASSERT_TRUE((*upload)->Append(0, std::string_view(bytes).substr(0, 70'000)).ok());
  ASSERT_TRUE((*upload)->Checkpoint().ok());
  upload->reset();
  EXPECT_EQ(store().blobs.ResumeUpload("other", id).status().code(), Code::kNotFound);
  auto resumed = store().blobs.ResumeUpload("docker.io/library/app", id);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  ASSERT_EQ((*resumed)->status().offset_bytes, 70'000u);
  ASSERT_TRUE((*resumed)->Append(70'000, std::string_view(bytes).substr(70'000)).ok());
  ASSERT_TRUE((*resumed)->Commit(Sha256(bytes), bytes.size()).ok());
  EXPECT_EQ(StatCode("app", Sha256(bytes)), Code::kOk);
}

TEST_P(StoreNamesTest, AnUploadEndsWhereItsLastNameSays) {
  MakePair();
  const std::string bytes = MakeBytes(200'000, 3);
  auto upload = store().blobs.BeginUpload("library/debian", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  const std::string id = (*upload)->status().id;
  ASSERT_TRUE((*upload)->Append(0, bytes).ok());
  ASSERT_TRUE((*upload)->Checkpoint().ok());
  upload->reset();
  auto resumed = store().blobs.ResumeUpload("debian", id);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  ASSERT_TRUE((*resumed)->Commit(Sha256(bytes), bytes.size()).ok());
  EXPECT_EQ(StatCode("debian", Sha256(bytes)), Code::kOk);
  EXPECT_EQ(StatCode("library/debian", Sha256(bytes)), Code::kNotFound);
}

TEST_P(StoreNamesMountTest, ABlobIsMountedFromAnyNameOfItsRepository) {
  const Image image = PushImage("app", 1);
  const auto mounted = store().blobs.MountBlob("library/copy", image.layer,
                                               std::string_view("docker.io/library/app"));
  ASSERT_TRUE(mounted.ok()) << mounted.status();
  EXPECT_EQ(StatCode("copy", image.layer), Code::kOk);
}

TEST_P(StoreNamesDeleteTest, ADeletionByAnotherNameDeletes) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(store().manifests.DeleteManifest("docker.io/library/app", image.manifest).ok());
  EXPECT_EQ(ManifestCode("app", image.manifest), Code::kNotFound);
}

TEST_P(StoreNamesTest, WhatWasPromisedUnderOneNameMayBeNamedUnderAnother) {
  const Digest config = Push("app", "{}");
  ASSERT_EQ(StatCode("library/app", config), Code::kOk);
  under_test().Advance(9 * kMinute);
  Reclaim();
  PutManifest("localhost/app", ManifestJson({.config = config}), {"v1"});
}

TEST_P(StoreNamesImagesTest, AnswersAboutImagesSayWhatTheStoreCallsThem) {
  const Image image = PushImage("library/debian", 1, {"12"});
  for (const std::string_view name : kDebian) {
    const auto found = store().images.FindImage(std::string(name) + ":12");
    ASSERT_TRUE(found.ok()) << name << ": " << found.status();
    EXPECT_EQ(found->places[0].repository, "debian") << name;
    ImageQuery query;
    query.repository = std::string(name);
    const auto page = store().images.ListImages(query, "", 10);
    ASSERT_TRUE(page.ok()) << name << ": " << page.status();
    ASSERT_EQ(page->images.size(), 1u) << name;
    EXPECT_EQ(page->images[0].repository, "debian") << name;
    const auto details = store().images.InspectImage(name, "12", "");
    ASSERT_TRUE(details.ok()) << name << ": " << details.status();
    EXPECT_EQ(details->image.repository, "debian") << name;
    EXPECT_THAT(details->references, ElementsAre("debian:12")) << name;
    // Through gRPC a repository is found in the list, where each has one name.
    const auto info = under_test().engine().manifests.DescribeRepository(name);
    ASSERT_TRUE(info.ok()) << name << ": " << info.status();
    EXPECT_EQ(info->name, "debian");
    EXPECT_GT(info->created_nanos, 0);
  }
  const auto removed = store().images.RemoveImage("docker.io/library/debian:12", false);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(removed->untagged, ElementsAre("debian:12"));
  EXPECT_THAT(removed->deleted, ElementsAre("debian@" + image.manifest.ToString()));
}

TEST_P(StoreNamesImagesTest, FiltersTakeNamesAsOtherCallsDo) {
  const Image image = PushImage("library/debian", 1, {"12"});
  PushImage("reg__5000/team/app", 2, {"v1"});
  under_test().Advance(2 * kHour);
  const auto listed = [&](const std::string& filter) {
    const auto page = store().images.ListImages({"", {filter}, false}, "", 10);
    EXPECT_TRUE(page.ok()) << filter << ": " << page.status();
    std::vector<std::string> names;
    if (!page.ok()) return names;
    for (const ImageInfo& one : page->images) names.push_back(one.repository);
    return names;
  };
  PruneRequest request;
  request.dry_run = true;
  request.all = true;
  const auto pruned = [&](const std::string& filter) {
    request.filters = {filter};
    const auto report = store().images.Prune(request, nullptr);
    EXPECT_TRUE(report.ok()) << filter << ": " << report.status();
    return report.ok() ? report->images : 0;
  };
  for (const std::string_view name : kDebian) {
    for (const std::string_view end : {"", ":12", ":1?"}) {
      const std::string filter = StrCat("reference=", name, end);
      EXPECT_THAT(listed(filter), ElementsAre("debian")) << filter;
      EXPECT_EQ(pruned(filter), 1u) << filter;
    }
    EXPECT_THAT(listed(StrCat("before=", name, ":12")), IsEmpty()) << name;
  }
  for (const std::string filter : {"reference=reg:5000/team/*", "reference=REG:5000/team/app:v1",
                                   "reference=reg__5000/*/app"}) {
    EXPECT_THAT(listed(filter), ElementsAre("reg__5000/team/app")) << filter;
    EXPECT_EQ(pruned(filter), 1u) << filter;
  }
  EXPECT_TRUE(store().images.ListImages({"", {"since=reg:5000/team/app:v1"}, false}, "", 10).ok());
}

TEST_P(StoreNamesImagesTest, AnErrorNamesARepositoryAsPeopleDo) {
  PushImage("reg__5000/team/app", 1, {"v1"});
  for (const absl::Status& status :
       {store().manifests.Untag("reg__5000/team/app", "v2", false),
        store().images.InspectImage("reg__5000/team/app", "v2", "").status(),
        store().images.InspectImage("reg__5000/team/other", "v2", "").status(),
        store().images.TagFrom("reg__5000/team/app", Sha256("none"), "copy", "v1")}) {
    EXPECT_EQ(status.code(), Code::kNotFound);
    EXPECT_THAT(std::string(ToStd(status.message())), HasSubstr("reg:5000/team/"));
  }
}

TEST_P(StoreNamesImagesTest, AListingGoesOnPageByPageUnderAnotherName) {
  PushImage("debian", 1, {"11", "12", "13"});
  ImageQuery query;
  query.repository = "library/debian";
  std::vector<std::string> tags;
  std::string token;
  do {
    const auto page = store().images.ListImages(query, token, 1);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const ImageInfo& image : page->images) tags.push_back(image.tag);
    token = page->next_page_token;
  } while (!token.empty());
  EXPECT_THAT(tags, ElementsAre("11", "12", "13"));
}

TEST_P(StoreNamesClaimsTest, AHoldIsWhereItsImageIs) {
  const Image image = PushImage("debian", 1, {"12"});
  const auto hold = store().claims.CreateHold({"h", "docker.io/library/debian", image.manifest, 0});
  ASSERT_TRUE(hold.ok()) << hold.status();
  EXPECT_EQ(hold->repository, "debian");
}

TEST_P(StoreNamesImagesTest, ATagGoesToTheRepositoryThatIsMeant) {
  const Image image = PushImage("debian", 1, {"12"});
  ASSERT_TRUE(store()
                  .images.TagFrom("library/debian", image.manifest, "docker.io/library/debian", "x")
                  .ok());
  EXPECT_THAT(Tags("debian"), ElementsAre("12", "x"));
  ASSERT_TRUE(store().images.TagFrom("library/debian", image.manifest, "localhost/copy", "y").ok());
  EXPECT_EQ(DigestOf("copy", "y"), image.manifest);
  EXPECT_THAT(Repositories(), ElementsAre("copy", "debian"));
}

TEST_P(StoreNamesTest, EventsSayWhatTheStoreCallsARepository) {
  EventLog& log = under_test().engine().system.events();
  const std::string token = log.Latest();
  const Image image = PushImage("library/debian", 1, {"12"});
  ASSERT_EQ(ManifestCode("localhost/debian", "12"), Code::kOk);
  ASSERT_TRUE(store().manifests.Tag("docker.io/debian", "x", image.manifest).ok());
  ASSERT_TRUE(store().manifests.Untag("docker.io/debian", "x", false).ok());
  const auto events = log.After(token, 100);
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_GE(events->size(), 5u);
  for (const Event& event : *events) EXPECT_EQ(event.repository, "debian");
}

TEST_P(StoreNamesImagesTest, ACheckTellsPairsAndCallsThemNoDefect) {
  MakePair();
  std::vector<CheckFinding> findings;
  const auto check = [&] {
    findings.clear();
    return store().system.Check([&](const CheckStep& step) {
      if (step.finding.has_value()) findings.push_back(*step.finding);
      return true;
    });
  };
  absl::StatusOr<CheckReport> report = check();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->findings, 0u);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, CheckFinding::Kind::kTwoNames);
  EXPECT_EQ(findings[0].repository, "library/debian");
  EXPECT_EQ(findings[0].text,
            "library/debian and debian are two repositories, and would be one today: varve repo "
            "merge library/debian debian");
  under_test().ReopenWith(kExact);
  report = check();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(findings, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreNamesTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
