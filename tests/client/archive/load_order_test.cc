// Referrers after their subjects, and where those are.
#include "client/archive/load_order.h"

#include "gmock/gmock.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Digest D(const std::string& name) { return HashBytes(DigestAlgorithm::kSha256, name); }

ImageRelations Image(const std::string& name) {
  return {.digest = D(name), .attachments = {}, .part = false};
}
ImageRelations Part(const std::string& name) {
  return {.digest = D(name), .attachments = {}, .part = true};
}
ImageRelations Referrer(const std::string& name, const std::string& subject,
                        const std::string& tag = "") {
  return {.digest = D(name), .attachments = {{.subject = D(subject), .tag = tag}}, .part = false};
}

TEST(LoadOrderTest, ReferrersComeAfterTheirSubjectsInAnyDepth) {
  LoadOrder order({Referrer("signature", "bom"), Referrer("bom", "image"), Image("image")});
  ASSERT_EQ(order.Next(), 2u);
  order.Place(D("image"), "a");
  order.Place(D("image"), "b");
  ASSERT_EQ(order.Next(), 1u);
  EXPECT_THAT(order.PlacesOf(1), ElementsAre(ArchiveImageName{"a", ""}, ArchiveImageName{"b", ""}));
  order.Place(D("bom"), "a");
  order.Place(D("bom"), "b");
  order.Place(D("bom"), "own");
  ASSERT_EQ(order.Next(), 0u);
  EXPECT_EQ(order.PlacesOf(0).size(), 3u);
  EXPECT_EQ(order.Next(), std::nullopt);
}

TEST(LoadOrderTest, ATagGoesAlong) {
  LoadOrder order({Referrer("signature", "image", "sha256-x.sig"), Image("image")});
  ASSERT_EQ(order.Next(), 1u);
  order.Place(D("image"), "a");
  ASSERT_EQ(order.Next(), 0u);
  EXPECT_THAT(order.PlacesOf(0), ElementsAre(ArchiveImageName{"a", "sha256-x.sig"}));
}

TEST(LoadOrderTest, PartsComeLastUnlessTheyCameWithTheWhole) {
  LoadOrder order({Part("one"), Part("two"), Image("index"), Referrer("signature", "two")});
  ASSERT_EQ(order.Next(), 2u);
  order.Place(D("one"), "a");
  ASSERT_EQ(order.Next(), 1u);
  order.Place(D("two"), "untagged");
  ASSERT_EQ(order.Next(), 3u);
  EXPECT_THAT(order.PlacesOf(3), ElementsAre(ArchiveImageName{"untagged", ""}));
  EXPECT_EQ(order.Next(), std::nullopt);
}

TEST(LoadOrderTest, WhatFollowsNothingComesAllTheSame) {
  LoadOrder order({Referrer("later", "lone"), Referrer("lone", "absent"), Referrer("x", "y"),
                   Referrer("y", "x")});
  ASSERT_EQ(order.Next(), 1u);
  EXPECT_THAT(order.PlacesOf(1), IsEmpty());
  order.Place(D("lone"), "untagged");
  ASSERT_EQ(order.Next(), 0u);
  EXPECT_EQ(order.Next(), 2u) << "a circle is broken somewhere";
  EXPECT_EQ(order.Next(), 3u);
  EXPECT_EQ(order.Next(), std::nullopt);
}

}  // namespace
}  // namespace varve
