// Names that people type, tags that cross repositories, and `rmi`.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "storage/api/images.h"
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

std::string Hex(const Digest& digest) {
  return digest.ToString().substr(digest.ToString().find(':') + 1);
}
std::string At(std::string_view repository, const Digest& digest) {
  return StrCat(repository, "@", digest.ToString());
}

class StoreRemovalTest : public StoreContractTest {
 protected:
  ImageMatch Find(const std::string& name) {
    const absl::StatusOr<ImageMatch> match = store().images.FindImage(name);
    EXPECT_TRUE(match.ok()) << match.status();
    return match.value_or(ImageMatch());
  }
  Code FindCode(const std::string& name) { return store().images.FindImage(name).status().code(); }
  RemovedImage Remove(const std::string& name, bool force = false) {
    const absl::StatusOr<RemovedImage> removed = store().images.RemoveImage(name, force);
    EXPECT_TRUE(removed.ok()) << removed.status();
    return removed.value_or(RemovedImage());
  }
  std::vector<std::string> TagsOf(std::string_view repository) {
    std::vector<std::string> tags;
    const absl::StatusOr<Page<TagInfo>> page = store().manifests.ListTags(repository, {"", 100});
    EXPECT_TRUE(page.ok()) << page.status();
    if (page.ok()) {
      for (const TagInfo& tag : page->rows) tags.push_back(tag.name);
    }
    return tags;
  }
  Digest PutIndex(std::string_view repository, const std::vector<Digest>& children,
                  std::vector<std::string> tags) {
    ManifestParts parts;
    parts.media_type = kMediaTypeOciIndex;
    parts.children = children;
    return PutManifest(repository, ManifestJson(parts), std::move(tags));
  }
  Digest PutReferrer(std::string_view repository, const Digest& subject,
                     std::vector<std::string> tags = {}, const std::string& note = "") {
    ManifestParts parts;
    parts.config = Push(repository, "{}");
    parts.subject = subject;
    parts.note = note;
    return PutManifest(repository, ManifestJson(parts), std::move(tags));
  }
};

TEST_P(StoreRemovalTest, FindsByReference) {
  const Image image = PushImage("team/app", 1, {"latest", "v1"});
  const ImageMatch match = Find("team/app");
  EXPECT_EQ(match.manifest, image.manifest);
  EXPECT_FALSE(match.by_id);
  EXPECT_EQ(match.tag, "latest");
  ASSERT_EQ(match.places.size(), 1u);
  EXPECT_EQ(match.places[0].repository, "team/app");
  EXPECT_THAT(match.places[0].tags, ElementsAre("latest", "v1"));
  EXPECT_EQ(Find("team/app:v1").tag, "v1");
  EXPECT_EQ(Find(At("team/app", image.manifest)).tag, "");
  EXPECT_EQ(FindCode("team/app:v2"), Code::kNotFound);
  EXPECT_EQ(FindCode("team/other"), Code::kNotFound);
  EXPECT_EQ(FindCode(At("team/app", image.layer)), Code::kNotFound);
  EXPECT_EQ(FindCode("Team/App"), Code::kInvalidArgument);
  EXPECT_EQ(FindCode(""), Code::kInvalidArgument);
}

TEST_P(StoreRemovalTest, FindsByIdAndByItsFirstDigits) {
  const Image image = PushImage("app", 1, {"b", "a"});
  const absl::Status copied = store().images.TagFrom("app", image.manifest, "copy", "c");
  ASSERT_TRUE(copied.ok()) << copied;
  for (const Digest& id : {image.config, image.manifest}) {
    for (const std::string& name :
         {id.ToString(), Hex(id), Hex(id).substr(0, 13), id.ToString().substr(0, 20)}) {
      SCOPED_TRACE(name);
      const ImageMatch match = Find(name);
      EXPECT_EQ(match.manifest, image.manifest);
      EXPECT_TRUE(match.by_id);
      EXPECT_EQ(match.tag, "");
      ASSERT_EQ(match.places.size(), 2u);
      EXPECT_EQ(match.places[0].repository, "app");
      EXPECT_THAT(match.places[0].tags, ElementsAre("a", "b"));
      EXPECT_EQ(match.places[1].repository, "copy");
      EXPECT_THAT(match.places[1].tags, ElementsAre("c"));
    }
  }
  EXPECT_EQ(FindCode(image.layer.ToString()), Code::kNotFound);
  EXPECT_EQ(FindCode(Hex(image.layer)), Code::kNotFound);
  EXPECT_EQ(FindCode(StrCat(Hex(image.config), "0")), Code::kNotFound);
}

TEST_P(StoreRemovalTest, AReferenceWinsOverAnId) {
  const Image image = PushImage("app", 1, {"latest"});
  const std::string digits = Hex(image.manifest).substr(0, 4);
  const Image other = PushImage(digits, 2, {"latest"});
  EXPECT_EQ(Find(digits).manifest, other.manifest);
  EXPECT_EQ(Find(Hex(image.manifest).substr(0, 12)).manifest, image.manifest);
}

TEST_P(StoreRemovalTest, AnAmbiguousIdNamesCandidates) {
  // Of seventeen manifests two begin with the same digit.
  std::map<char, int> first;
  for (uint64_t seed = 0; seed < 17; ++seed) {
    ++first[Hex(PushImage("app", seed, {}, 10).manifest)[0]];
  }
  const auto shared =
      std::find_if(first.begin(), first.end(), [](const auto& digit) { return digit.second > 1; });
  ASSERT_NE(shared, first.end());
  const absl::Status status = store().images.FindImage(std::string(1, shared->first)).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("ambiguous"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("(app@sha256:"));
}

// One image in two forms: pushed as Docker's and as OCI's, or compressed otherwise.
TEST_P(StoreRemovalTest, TheConfigOfSeveralImagesNamesThem) {
  const Image image = PushImage("app", 1);
  const auto expect_named = [&](const std::vector<std::string>& names) {
    for (const std::string& config : {image.config.ToString(), Hex(image.config).substr(0, 12)}) {
      const absl::Status status = store().images.FindImage(config).status();
      EXPECT_EQ(status.code(), Code::kFailedPrecondition);
      for (const std::string& name : names) {
        EXPECT_THAT(std::string(status.message()), HasSubstr(name));
      }
    }
  };
  EXPECT_EQ(Find(image.config.ToString()).manifest, image.manifest);
  ManifestParts parts;
  parts.config = image.config;
  const Digest other = PutManifest("app", ManifestJson(parts));
  expect_named({Hex(image.manifest).substr(0, 12), At("app", other)});
  ASSERT_TRUE(store().manifests.Tag("app", "v1", other).ok());
  expect_named({At("app", image.manifest), StrCat(Hex(other).substr(0, 12), " (app:v1)")});
  // Each has its own id all the same.
  for (const Digest& id : {image.manifest, other}) {
    EXPECT_EQ(Find(Hex(id).substr(0, 12)).manifest, id);
  }
  DeleteManifest("app", image.manifest);
  EXPECT_EQ(Find(image.config.ToString()).manifest, other);
}

TEST_P(StoreRemovalTest, AnIdWinsOverTheConfigOfAnotherImage) {
  // Among so many, the only id with some digit is also how a config of another image begins.
  std::map<char, std::vector<Digest>> ids;
  std::map<Digest, char> configs;
  for (uint64_t seed = 0; seed < 24; ++seed) {
    const Image image = PushImage("app", seed, {}, 10);
    ids[Hex(image.manifest)[0]].push_back(image.manifest);
    configs[image.manifest] = Hex(image.config)[0];
  }
  int compared = 0;
  for (const auto& [digit, images] : ids) {
    if (images.size() != 1) continue;
    EXPECT_EQ(Find(std::string(1, digit)).manifest, images[0]);
    for (const auto& [image, config] : configs) compared += image != images[0] && config == digit;
  }
  EXPECT_GT(compared, 0);
}

TEST_P(StoreRemovalTest, FindsTheIdOfALongerDigest) {
  const Image image = PushImage("app", 1);
  ManifestParts parts;
  parts.config = image.config;
  const std::string bytes = ManifestJson(parts);
  PutManifestRequest request;
  request.bytes = bytes;
  request.algorithm = DigestAlgorithm::kSha512;
  const absl::StatusOr<ManifestInfo> put = store().manifests.PutManifest("app", request);
  ASSERT_TRUE(put.ok()) << put.status();
  const std::string digits = Hex(put->digest);
  for (const std::string& name :
       {digits, digits.substr(0, 12), digits.substr(0, 64), put->digest.ToString().substr(0, 30)}) {
    EXPECT_EQ(Find(name).manifest, put->digest) << name;
  }
  EXPECT_EQ(FindCode(StrCat("sha256:", digits.substr(0, 12))), Code::kNotFound);
}

TEST_P(StoreRemovalTest, TagFromAnotherRepositoryListsTheImageThere) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "team/copy", "latest").ok());
  EXPECT_EQ(ManifestCode("team/copy", "latest"), Code::kOk);
  EXPECT_EQ(StatCode("team/copy", image.layer), Code::kOk);
  // Once more, and under another tag.
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "team/copy", "latest").ok());
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "team/copy", "v2").ok());
  EXPECT_THAT(TagsOf("team/copy"), ElementsAre("latest", "v2"));
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "app", "v3").ok());
  EXPECT_THAT(TagsOf("app"), ElementsAre("v1", "v3"));
  // It stands on its own feet.
  DeleteManifest("app", image.manifest);
  under_test().Advance(26 * kHour);
  Reclaim();
  EXPECT_EQ(ManifestCode("team/copy", "latest"), Code::kOk);
  EXPECT_EQ(OpenCode("team/copy", image.layer), Code::kOk);
}

TEST_P(StoreRemovalTest, TagFromTakesAllThatAnIndexLists) {
  const Image arm = PushImage("app", 1);
  const Image amd = PushImage("app", 2);
  const Digest inner = PutIndex("app", {arm.manifest, amd.manifest}, {});
  const Digest outer = PutIndex("app", {inner, amd.manifest}, {"all"});
  ASSERT_TRUE(store().images.TagFrom("app", outer, "copy", "all").ok());
  for (const Digest& manifest : {outer, inner, arm.manifest, amd.manifest}) {
    EXPECT_EQ(ManifestCode("copy", manifest), Code::kOk);
  }
  EXPECT_EQ(StatCode("copy", arm.layer), Code::kOk);
  EXPECT_THAT(TagsOf("copy"), ElementsAre("all"));
}

TEST_P(StoreRemovalTest, TagFromNamesOnlyWhatItsSourceShows) {
  const Image image = PushImage("app", 1, {"v1"});
  EXPECT_EQ(store().images.TagFrom("other", image.manifest, "copy", "v1").code(), Code::kNotFound);
  PushImage("other", 2, {"v1"});
  EXPECT_EQ(store().images.TagFrom("other", image.manifest, "copy", "v1").code(), Code::kNotFound);
  EXPECT_EQ(store().images.TagFrom("app", image.layer, "copy", "v1").code(), Code::kNotFound);
  EXPECT_EQ(store().images.TagFrom("app", image.manifest, "copy", "-").code(),
            Code::kInvalidArgument);
  EXPECT_EQ(store().images.TagFrom("app", image.manifest, "Copy", "v1").code(),
            Code::kInvalidArgument);
  EXPECT_EQ(ManifestCode("copy", image.manifest), Code::kNotFound);
}

TEST_P(StoreRemovalTest, TagFromOfAnIndexWithAMissingChild) {
  for (const bool sparse : {false, true}) {
    SCOPED_TRACE(sparse);
    StoreSettings settings;
    settings.accept_sparse_index = sparse;
    Make(settings);
    const Image arm = PushImage("app", 1);
    const Image amd = PushImage("app", 2);
    const Digest index = PutIndex("app", {arm.manifest, amd.manifest}, {});
    DeleteManifest("app", arm.manifest);
    ASSERT_TRUE(store().manifests.Tag("app", "all", index).ok());
    const absl::Status copied = store().images.TagFrom("app", index, "copy", "all");
    EXPECT_EQ(copied.code(), sparse ? Code::kOk : Code::kFailedPrecondition) << copied;
    EXPECT_EQ(ManifestCode("copy", "all"), sparse ? Code::kOk : Code::kNotFound);
    EXPECT_EQ(ManifestCode("copy", arm.manifest), Code::kNotFound);
  }
}

TEST_P(StoreRemovalTest, ATagLosesItsNameAndTheImageGoesWithTheLast) {
  const Image image = PushImage("app", 1, {"latest", "v1"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  RemovedImage removed = Remove("app");
  EXPECT_THAT(removed.untagged, ElementsAre("app:latest"));
  EXPECT_THAT(removed.deleted, IsEmpty());
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kOk);
  removed = Remove("app:v1");
  EXPECT_THAT(removed.untagged, ElementsAre("app:v1"));
  EXPECT_THAT(removed.deleted, ElementsAre(At("app", image.manifest)));
  EXPECT_EQ(ManifestCode("app", image.manifest), Code::kNotFound);
  EXPECT_EQ(ManifestCode("copy", "v1"), Code::kOk);
  EXPECT_EQ(store().images.RemoveImage("app:v1", true).status().code(), Code::kNotFound);
}

TEST_P(StoreRemovalTest, AnIdGoesFromEveryRepository) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  ASSERT_TRUE(store().manifests.Untag("copy", "v1", false).ok());
  const RemovedImage removed = Remove(Hex(image.config).substr(0, 12));
  EXPECT_THAT(removed.untagged, ElementsAre("app:v1"));
  EXPECT_THAT(removed.deleted, ElementsAre(At("app", image.manifest), At("copy", image.manifest)));
  under_test().Advance(26 * kHour);
  Reclaim();
  EXPECT_THAT(under_test().BlobFiles(), IsEmpty());
}

TEST_P(StoreRemovalTest, AnUntaggedIdGoesFromEveryRepository) {
  const Image image = PushImage("app", 1, {"v1"});
  for (const char* repository : {"copy", "third"}) {
    ASSERT_TRUE(store().images.TagFrom("app", image.manifest, repository, "v1").ok());
    ASSERT_TRUE(store().manifests.Untag(repository, "v1", false).ok());
  }
  ASSERT_TRUE(store().manifests.Untag("app", "v1", false).ok());
  const RemovedImage removed = Remove(Hex(image.manifest).substr(0, 12));
  EXPECT_THAT(removed.untagged, IsEmpty());
  EXPECT_THAT(removed.deleted, ElementsAre(At("app", image.manifest), At("copy", image.manifest),
                                           At("third", image.manifest)));
}

TEST_P(StoreRemovalTest, AnIdIsLeftToTheImagesThatItRefersTo) {
  const Image image = PushImage("app", 1, {"v1"});
  const Digest signature = PutReferrer("app", image.manifest);
  for (const char* repository : {"copy", "third"}) {
    ASSERT_TRUE(store().images.TagFrom("app", signature, repository, "sig").ok());
    ASSERT_TRUE(store().manifests.Untag(repository, "sig", false).ok());
  }
  EXPECT_THAT(Remove(signature.ToString()).deleted,
              ElementsAre(At("copy", signature), At("third", signature)));
  EXPECT_EQ(ManifestCode("app", signature), Code::kOk);
  // Where it is nothing else, it goes.
  EXPECT_THAT(Remove(signature.ToString()).deleted, ElementsAre(At("app", signature)));
  PutReferrer("app", image.manifest);
  ASSERT_TRUE(store().images.TagFrom("app", signature, "copy", "sig").ok());
  EXPECT_THAT(Remove(signature.ToString(), true).deleted,
              ElementsAre(At("app", signature), At("copy", signature)));
}

TEST_P(StoreRemovalTest, AnIdWithSeveralTagsMustBeForced) {
  const Image image = PushImage("app", 1, {"v1"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  const std::string id = Hex(image.manifest).substr(0, 12);
  const absl::Status refused = store().images.RemoveImage(id, false).status();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(StrCat("conflict: unable to delete ", id,
                               " (must be forced) - image is referenced in multiple "
                               "repositories")));
  EXPECT_THAT(TagsOf("app"), ElementsAre("v1"));
  EXPECT_THAT(TagsOf("copy"), ElementsAre("v1"));
  EXPECT_THAT(Remove(id, true).untagged, ElementsAre("app:v1", "copy:v1"));
  EXPECT_EQ(ManifestCode("copy", image.manifest), Code::kNotFound);
}

TEST_P(StoreRemovalTest, ADigestGoesFromItsRepositoryOnly) {
  const Image image = PushImage("app", 1, {"v1", "v2"});
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "copy", "v1").ok());
  const std::string name = At("app", image.manifest);
  EXPECT_EQ(store().images.RemoveImage(name, false).status().code(), Code::kFailedPrecondition);
  const RemovedImage removed = Remove(name, true);
  EXPECT_THAT(removed.untagged, ElementsAre("app:v1", "app:v2"));
  EXPECT_THAT(removed.deleted, ElementsAre(name));
  EXPECT_THAT(Remove(At("copy", image.manifest)).untagged, ElementsAre("copy:v1"));
}

TEST_P(StoreRemovalTest, AChildThatAClientWasPromisedStaysForIt) {
  const Image child = PushImage("app", 1);
  const Digest first = PutIndex("app", {child.manifest}, {"first"});
  under_test().Advance(kHour);
  ASSERT_TRUE(store().manifests.StatManifest("app", child.manifest).ok());
  EXPECT_THAT(Remove("app:first").deleted, ElementsAre(At("app", first)));
  PutIndex("app", {child.manifest}, {"second"});
  EXPECT_EQ(ManifestCode("app", child.manifest), Code::kOk);
}

TEST_P(StoreRemovalTest, WhatAnIndexListsStaysUntagged) {
  const Image child = PushImage("app", 1, {"arm"});
  const Digest index = PutIndex("app", {child.manifest}, {"all"});
  const RemovedImage removed = Remove("app:arm");
  EXPECT_THAT(removed.untagged, ElementsAre("app:arm"));
  EXPECT_THAT(removed.deleted, IsEmpty());
  EXPECT_EQ(ManifestCode("app", child.manifest), Code::kOk);
  for (const std::string& name : {child.config.ToString(), At("app", child.manifest)}) {
    const absl::Status refused = store().images.RemoveImage(name, true).status();
    EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("(cannot be forced)"));
  }
  // And goes with its index, once nobody can be relying on it.
  under_test().Advance(kHour);
  EXPECT_THAT(Remove("app:all").deleted, ElementsAre(At("app", index), At("app", child.manifest)));
}

TEST_P(StoreRemovalTest, AnIndexLeavesTheChildrenThatOthersNeed) {
  const Image own = PushImage("app", 1);
  const Image tagged = PushImage("app", 2, {"keep"});
  const Image shared = PushImage("app", 3);
  const Digest inner = PutIndex("app", {own.manifest}, {});
  const Digest outer = PutIndex("app", {inner, tagged.manifest, shared.manifest}, {"old"});
  PutIndex("app", {shared.manifest}, {"new"});
  under_test().Advance(kHour);  // past the promises on what was pushed by digest
  EXPECT_THAT(Remove("app:old").deleted,
              UnorderedElementsAre(At("app", outer), At("app", inner), At("app", own.manifest)));
  EXPECT_EQ(ManifestCode("app", shared.manifest), Code::kOk);
  EXPECT_EQ(ManifestCode("app", "keep"), Code::kOk);
}

TEST_P(StoreRemovalTest, ReferrersGoWithTheirSubjectUnlessTagged) {
  const Image image = PushImage("app", 1, {"v1"});
  const Digest signature = PutReferrer("app", image.manifest);
  const Digest second = PutReferrer("app", signature);
  const Digest tagged = PutReferrer("app", image.manifest, {"bom"}, "tagged");
  under_test().Advance(kHour);
  EXPECT_THAT(
      Remove("app:v1").deleted,
      UnorderedElementsAre(At("app", image.manifest), At("app", signature), At("app", second)));
  EXPECT_EQ(ManifestCode("app", tagged), Code::kOk);
  EXPECT_THAT(Remove("app:bom").deleted, ElementsAre(At("app", tagged)));
}

TEST_P(StoreRemovalTest, AReferrerStaysWithItsSubjectUnlessItIsNamed) {
  const Image image = PushImage("app", 1, {"v1"});
  const Digest signature = PutReferrer("app", image.manifest, {"sig"});
  EXPECT_THAT(Remove("app:sig").deleted, IsEmpty());
  EXPECT_EQ(ManifestCode("app", signature), Code::kOk);
  EXPECT_THAT(Remove(At("app", signature)).deleted, ElementsAre(At("app", signature)));
  EXPECT_EQ(ManifestCode("app", "v1"), Code::kOk);
}

TEST_P(StoreRemovalTest, WhatThereIsNotCannotBeRemoved) {
  PushImage("app", 1, {"v1"});
  for (const bool force : {false, true}) {
    EXPECT_EQ(store().images.RemoveImage("app:v2", force).status().code(), Code::kNotFound);
    EXPECT_EQ(store().images.RemoveImage("0123456789ab", force).status().code(), Code::kNotFound);
    EXPECT_EQ(store().images.RemoveImage("no such!", force).status().code(),
              Code::kInvalidArgument);
  }
}

// What it leaves for those who were told that it is there, and for how long.
TEST_P(StoreRemovalTest, TellsWhatStaysForNow) {
  const Image image = PushImage("app", 1, {"v1"});
  const Image child = PushImage("app", 2);
  PutIndex("app", {child.manifest}, {"multi"});
  const RemovedImage removed = Remove("app:v1");
  EXPECT_EQ(removed.promised_images, 0u);
  EXPECT_GE(removed.promised_bytes, 100'000u);
  EXPECT_LE(removed.promised_bytes, under_test().AllocatedBytes());
  EXPECT_GT(removed.promised_until_nanos, 0);
  EXPECT_EQ(Remove("app:multi").promised_images, 1u);
  PushImage("app", 3, {"v1"});
  under_test().Advance(kHour);
  const RemovedImage later = Remove("app:v1");
  EXPECT_EQ(later.promised_until_nanos, 0);
  EXPECT_EQ(later.promised_bytes, 0u);
  PushImage("app", 4, {"v1"});
  under_test().engine().system.EndPromises();
  EXPECT_EQ(Remove("app:v1").promised_until_nanos, 0);
  Reclaim();
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);  // of what belonged to the index
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreRemovalTest,
                         testing::ValuesIn(StoresThat(Ability::kListImages)), StoreName);

}  // namespace
}  // namespace varve
