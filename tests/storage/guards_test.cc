// Lines of storage/GUARDS.md that no other test is about: of two requests in every interleaving,
// what one has decided holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/api/claims.h"
#include "tests/storage/every_step.h"

namespace varve {
namespace {

void ExpectSound(World& world) {
  const auto report = world.store().system.Check([](const CheckStep& step) {
    if (step.finding.has_value()) ADD_FAILURE() << step.finding->text;
    return true;
  });
  EXPECT_TRUE(report.ok()) << report.status();
}

bool IsOkOr(absl::StatusCode code, const absl::Status& status) {
  return status.ok() || status.code() == code;
}

// GUARDS.md: blob-last-tag
TEST(GuardsTest, OfTwoWhoRemoveTheLastTagsOfAHeldImageOneIsRefused) {
  absl::Status first;
  absl::Status second;
  AtEveryStep(
      [](World& world) {
        world.HaveImage({"v1", "v2"});
        EXPECT_TRUE(world.store().claims.CreateHold({"web", "app", world.image_.digest, 0}).ok());
      },
      [&](World& world) { first = world.store().manifests.Untag("app", "v1", false); },
      [&](World& world) { second = world.store().manifests.Untag("app", "v2", false); },
      [&](World& world) {
        EXPECT_NE(first.ok(), second.ok()) << first << "; " << second;
        EXPECT_EQ(world.store().manifests.ListTags("app", {})->rows.size(), 1u);
        ExpectSound(world);
      });
}

// GUARDS.md: hold
TEST(GuardsTest, AHoldThatIsSetAnewWhileItIsReleasedIsWholeOrGone) {
  const HoldRequest request{"web", "app", Digest(), 3600 * kNanosPerSecond};
  AtEveryStep(
      [&](World& world) {
        world.HaveImage({"v1"});
        HoldRequest hold = request;
        hold.manifest = world.image_.digest;
        EXPECT_TRUE(world.store().claims.CreateHold(hold).ok());
      },
      [](World& world) { EXPECT_TRUE(world.store().claims.ReleaseHold("web").ok()); },
      [&](World& world) {
        HoldRequest hold = request;
        hold.manifest = world.image_.digest;
        EXPECT_TRUE(world.store().claims.CreateHold(hold).ok());
      },
      [](World& world) {
        ExpectSound(world);
        // What it left behind does not outlast it.
        world.store().claims.ReleaseHold("web").IgnoreError();
        world.Settle();
        world.Reclaim();
        ExpectSound(world);
      });
}

// GUARDS.md: lease
TEST(GuardsTest, NothingIsAttachedToALeaseThatEnds) {
  absl::Status attached;
  AtEveryStep(
      [](World& world) {
        EXPECT_TRUE(world.PushAll("app").ok());
        LeaseRequest request;
        request.id = "build";
        request.ttl_nanos = 3600 * kNanosPerSecond;
        EXPECT_TRUE(world.store().claims.CreateLease(request).ok());
      },
      [](World& world) { EXPECT_TRUE(world.store().claims.DeleteLease("build").ok()); },
      [&](World& world) {
        attached = world.store().claims.AttachToLease("build", {world.layer_.digest}).status();
      },
      [&](World& world) {
        EXPECT_TRUE(IsOkOr(absl::StatusCode::kNotFound, attached)) << attached;
        ExpectSound(world);
        world.Settle();
        world.Reclaim();
        EXPECT_FALSE(world.store().blobs.OpenBlob("", world.layer_.digest).ok());
      });
}

// GUARDS.md: link
TEST(GuardsTest, ALinkThatIsRenewedWhileItEndsStays) {
  constexpr int64_t kLongerThanALink = 26 * 3600 * kNanosPerSecond;
  AtEveryStep(
      [](World& world) {
        world.HaveImage({"v1"});
        // Its manifest is elsewhere: here nothing but the link shows it.
        EXPECT_TRUE(world.store().blobs.MountBlob("other", world.layer_.digest, "app").ok());
        world.Advance(kLongerThanALink);
      },
      [](World& world) { world.Reclaim(); },
      [](World& world) {
        EXPECT_TRUE(world.store().blobs.MountBlob("other", world.layer_.digest, "app").ok());
      },
      [](World& world) {
        EXPECT_TRUE(world.Read("other", world.layer_).ok());
        ExpectSound(world);
      });
}

// GUARDS.md: member
TEST(GuardsTest, NoTimeOfAPullOutlivesItsMember) {
  AtEveryStep(
      [](World& world) {
        world.HaveImage({"v1"});
        EXPECT_TRUE(world.store().manifests.GetManifest("app", world.image_.digest).ok());
      },
      [](World& world) { world.Reclaim(); },  // writes it
      [](World& world) {
        const absl::Status deleted =
            world.store().manifests.DeleteManifest("app", world.image_.digest);
        EXPECT_TRUE(deleted.ok()) << deleted;
      },
      [](World& world) { ExpectSound(world); });
}

// GUARDS.md: pulled
TEST(GuardsTest, OfTwoTimesOfAPullAMergeKeepsTheLater) {
  int64_t before = 0;
  AtEveryStep(
      [&](World& world) {
        for (const char* const repository : {"app", "other"}) {
          EXPECT_TRUE(world.PushAll(repository).ok());
          EXPECT_TRUE(world.Put(repository, world.image_, {"v1"}).ok());
        }
        EXPECT_TRUE(world.store().manifests.GetManifest("app", world.image_.digest).ok());
        world.Reclaim();
        before = world.WallNanos();
        world.Settle();
      },
      [](World& world) {
        const auto merged = world.store().manifests.MergeRepositories("app", "other", true);
        EXPECT_TRUE(merged.ok()) << merged.status();
      },
      [](World& world) {
        EXPECT_TRUE(world.store().manifests.GetManifest("other", world.image_.digest).ok());
        world.Reclaim();
      },
      [&](World& world) {
        ImageQuery query;
        query.repository = "other";
        const auto page = world.store().images.ListImages(query, "", 10);
        ASSERT_TRUE(page.ok()) << page.status();
        ASSERT_EQ(page->images.size(), 1u);
        EXPECT_GT(page->images[0].pulled_nanos, before);
      });
}

}  // namespace
}  // namespace varve
