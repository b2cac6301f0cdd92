// The rule of what keeps content, one kind of edge after the other.
#include "storage/keep/what_keeps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/index/memory_index.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Digest kManifest = HashBytes(DigestAlgorithm::kSha256, "image");
const Digest kSubject = HashBytes(DigestAlgorithm::kSha256, "subject");
const Digest kIndex = HashBytes(DigestAlgorithm::kSha256, "index");
constexpr RepositoryId kHere = 1;
constexpr RepositoryId kElsewhere = 2;
const Member kImage{kHere, kManifest};

std::string SignatureTag() {
  std::string tag = StrCat(kSubject.ToString(), ".sig");
  tag[tag.find(':')] = '-';
  return tag;
}

class WhatKeepsTest : public testing::Test {
 protected:
  void SetUp() override { PutMember(kImage, std::nullopt); }

  void Put(const std::string& key, const std::string& value = "") {
    ASSERT_EQ(index_->Run([&](Transaction& txn) { return txn.Put(key, value); }), absl::OkStatus());
  }
  void Delete(const std::string& key) {
    ASSERT_EQ(index_->Run([&](Transaction& txn) { return txn.Delete(key); }), absl::OkStatus());
  }
  void PutMember(const Member& member, const std::optional<Digest>& subject) {
    MemberRow row;
    row.subject = subject;
    Put(MemberKey(member.repository, member.manifest), row.Encode());
    Put(MemberEdgeKey(member.manifest, member.repository));
  }

  // "hold web", "lister 1", …: kind, name and repository of each keeper.
  static std::string TextOf(const ImageKeeper& keeper) {
    const char* const kinds[] = {"hold", "lease", "tag", "lister", "subject", "member"};
    return StrCat(kinds[static_cast<size_t>(keeper.kind)], " ", keeper.image.repository,
                  keeper.name.empty() ? "" : " ", keeper.name);
  }
  std::vector<std::string> Keepers() {
    std::vector<std::string> found;
    EXPECT_EQ(VisitKeepers(*index_, kImage,
                           [&](const ImageKeeper& keeper) {
                             found.push_back(TextOf(keeper));
                             return absl::StatusOr<bool>(true);
                           }),
              absl::OkStatus());
    return found;
  }
  std::vector<std::string> KeepersOfContent() {
    std::vector<std::string> found;
    EXPECT_EQ(VisitContentKeepers(*index_, kManifest,
                                  [&](const ImageKeeper& keeper) {
                                    found.push_back(TextOf(keeper));
                                    return absl::StatusOr<bool>(true);
                                  }),
              absl::OkStatus());
    return found;
  }
  bool Dangles() { return IsDangling(*index_, kImage).value(); }

  const std::unique_ptr<Index> index_ = NewMemoryIndex();
};

TEST_F(WhatKeepsTest, ARepositoryThatListsItKeepsItsBytesButNoImage) {
  EXPECT_THAT(Keepers(), IsEmpty());
  EXPECT_THAT(KeepersOfContent(), ElementsAre("member 1"));
  EXPECT_TRUE(Dangles());
  EXPECT_FALSE(FirstKeepingEdges(*index_, {kManifest}).value()[0].has_value());
}

TEST_F(WhatKeepsTest, ATagOfAnyRepositoryKeepsIt) {
  Put(TagEdgeKey(kManifest, kElsewhere, "v1"));
  EXPECT_THAT(Keepers(), ElementsAre("tag 2 v1"));
  EXPECT_FALSE(Dangles());
  EXPECT_FALSE(IsTagged(*index_, kImage).value());
  EXPECT_TRUE(IsTagged(*index_, {kElsewhere, kManifest}).value());
  EXPECT_EQ(FirstKeepingEdges(*index_, {kManifest}).value()[0]->name, "v1");
}

TEST_F(WhatKeepsTest, AHoldCountsInItsRepositoryOrInAll) {
  Put(HoldEdgeKey(kManifest, kElsewhere, "web"));
  EXPECT_TRUE(Dangles());  // in use, which is another question
  EXPECT_EQ(FindClaim(*index_, kManifest).value()->Text(), "hold web");
  EXPECT_FALSE(FindClaimIn(*index_, kImage).value().has_value());
  Put(HoldEdgeKey(kManifest, 0, "everywhere"));
  EXPECT_EQ(FindClaimIn(*index_, kImage).value()->Text(), "hold everywhere");
  EXPECT_THAT(Keepers(), ElementsAre("hold 0 everywhere", "hold 2 web"));
}

TEST_F(WhatKeepsTest, ALeaseClaimsAfterHolds) {
  Put(LeaseEdgeKey(kManifest, "L1"));
  EXPECT_EQ(FindClaimIn(*index_, kImage).value()->Text(), "lease L1");
  Put(HoldEdgeKey(kManifest, kHere, "web"));
  EXPECT_EQ(FindClaimIn(*index_, kImage).value()->Text(), "hold web");
}

TEST_F(WhatKeepsTest, AManifestThatListsItKeepsItAlsoWhenItWasNotVisible) {
  for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending}) {
    const std::string key = ReferenceEdgeKey(kManifest, kind, kHere, kIndex);
    Put(key);
    EXPECT_THAT(Keepers(), ElementsAre("lister 1"));
    EXPECT_FALSE(Dangles());
    EXPECT_TRUE(IsListed(*index_, kImage).value());
    EXPECT_FALSE(IsListed(*index_, {kElsewhere, kManifest}).value());
    Delete(key);
  }
}

TEST_F(WhatKeepsTest, ASubjectKeepsItsReferrerWhileItIsInTheSameRepository) {
  PutMember(kImage, kSubject);
  EXPECT_TRUE(Dangles());
  PutMember({kElsewhere, kSubject}, std::nullopt);
  EXPECT_TRUE(Dangles());
  PutMember({kHere, kSubject}, std::nullopt);
  EXPECT_FALSE(Dangles());
  EXPECT_THAT(Keepers(), ElementsAre("subject 1"));
  EXPECT_THAT(KeepersOfContent(), ElementsAre("member 1", "subject 1"));
}

TEST_F(WhatKeepsTest, ATagThatAttachesIsATagLikeAnyWithoutItsSubject) {
  Put(TagEdgeKey(kManifest, kHere, SignatureTag()));
  EXPECT_THAT(Keepers(), ElementsAre(StrCat("tag 1 ", SignatureTag())));
  EXPECT_EQ(AttachedTo(*index_, kHere, SignatureTag()).value(), std::nullopt);
  PutMember({kHere, kSubject}, std::nullopt);
  EXPECT_THAT(Keepers(), ElementsAre(StrCat("subject 1 ", SignatureTag())));
  EXPECT_EQ(AttachedTo(*index_, kHere, SignatureTag()).value(), kSubject);
  EXPECT_EQ(AttachedTo(*index_, kHere, "v1").value(), std::nullopt);
}

TEST_F(WhatKeepsTest, WhatWasDeletedIsNotFoundUnlessSomethingElseEndsTheVisit) {
  Delete(MemberKey(kHere, kManifest));
  EXPECT_TRUE(absl::IsNotFound(IsDangling(*index_, kImage).status()));
  EXPECT_THAT(KeepersOfContent(), IsEmpty());
  Put(TagEdgeKey(kManifest, kElsewhere, "v1"));
  EXPECT_FALSE(Dangles());
}

TEST_F(WhatKeepsTest, WeightsOfTheKinds) {
  using Kind = ImageKeeper::Kind;
  const auto weigh = [](DanglingScope scope, Kind kind, RepositoryId repository) {
    return Weigh(scope, kImage, {kind, {repository, kSubject}, "name"});
  };
  for (const DanglingScope scope : {DanglingScope::kDangling, DanglingScope::kUnused}) {
    const bool tags_keep = scope == DanglingScope::kDangling;
    EXPECT_EQ(weigh(scope, Kind::kHold, kElsewhere), KeeperWeight::kStays);
    EXPECT_EQ(weigh(scope, Kind::kLease, 0), KeeperWeight::kNone);
    EXPECT_EQ(weigh(scope, Kind::kMember, kHere), KeeperWeight::kNone);
    EXPECT_EQ(weigh(scope, Kind::kTag, kHere),
              tags_keep ? KeeperWeight::kStays : KeeperWeight::kNone);
    EXPECT_EQ(weigh(scope, Kind::kLister, kElsewhere), KeeperWeight::kWithImage);
    EXPECT_EQ(weigh(scope, Kind::kSubject, kHere), KeeperWeight::kWithImage);
    EXPECT_EQ(weigh(scope, Kind::kSubject, kElsewhere),
              tags_keep ? KeeperWeight::kWithImage : KeeperWeight::kNone);
  }
}

}  // namespace
}  // namespace varve
