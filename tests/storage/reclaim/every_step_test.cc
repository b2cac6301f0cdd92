// The races of reclamation, exhaustively: while a client works, somebody else's removal runs as a
// whole at each step of it (before and after every call of the index), and the other way round.
#include "tests/storage/every_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/api/claims.h"

namespace varve {
namespace {

using Code = absl::StatusCode;

TEST(EveryStepTest, HeadThenPutWhileTheOnlyImageGoes) {
  absl::Status put;
  AtEveryStep([](World& world) { world.HaveImage({"old"}); },
              [&](World& world) {
                EXPECT_TRUE(world.Tell("app", world.config_).ok());
                EXPECT_TRUE(world.Tell("app", world.layer_).ok());
                put = world.Put("app", world.second_, {"new"});
              },
              [](World& world) { world.Delete(world.image_); },
              [&](World& world) {
                EXPECT_TRUE(put.ok()) << put;
                world.ExpectStays("app", world.second_);
              });
}

TEST(EveryStepTest, MountThenPutWhileTheOnlyImageGoes) {
  absl::Status put;
  AtEveryStep([](World& world) { world.HaveImage({"old"}); },
              [&](World& world) {
                EXPECT_TRUE(world.Mount(world.config_).ok());
                EXPECT_TRUE(world.Mount(world.layer_).ok());
                put = world.Put("other", world.second_, {"new"});
              },
              [](World& world) { world.Delete(world.image_); },
              [&](World& world) {
                EXPECT_TRUE(put.ok()) << put;
                world.ExpectStays("other", world.second_);
              });
}

TEST(EveryStepTest, PushAgainWhileTheSameIsReclaimed) {
  absl::Status put;
  AtEveryStep(
      [](World& world) {
        EXPECT_TRUE(world.PushAll("app").ok());
        world.Settle();
      },
      [&](World& world) {
        EXPECT_TRUE(world.PushAll("app").ok());
        put = world.Put("app", world.image_, {"new"});
      },
      [](World& world) { world.Reclaim(); },
      [&](World& world) {
        EXPECT_TRUE(put.ok()) << put;
        world.ExpectStays("app", world.image_);
      });
}

// Two clients were told of the same blobs, and the image of the first goes before the second puts.
TEST(EveryStepTest, SharedPromiseOfWhomTheOtherOneDeleted) {
  absl::Status put;
  AtEveryStep(
      [](World& world) {
        world.HaveImage({"old"});
        for (int client = 0; client < 2; ++client) {
          EXPECT_TRUE(world.Tell("app", world.config_).ok());
          EXPECT_TRUE(world.Tell("app", world.layer_).ok());
        }
        EXPECT_TRUE(world.Put("app", MakeImage(world.layer_, {world.config_}), {"theirs"}).ok());
      },
      [&](World& world) { put = world.Put("app", world.second_, {"mine"}); },
      [](World& world) {
        world.Delete(world.image_);
        world.Delete(MakeImage(world.layer_, {world.config_}));
      },
      [&](World& world) {
        EXPECT_TRUE(put.ok()) << put;
        world.ExpectStays("app", world.second_);
      });
}

TEST(EveryStepTest, PullOfWhatIsPruned) {
  absl::StatusOr<std::string> bytes;
  AtEveryStep([](World& world) { world.HaveImage({}); },
              [&](World& world) {
                const auto manifest =
                    world.store().manifests.GetManifest("app", world.image_.digest);
                bytes = manifest.ok() ? world.Read("app", world.layer_) : manifest.status();
              },
              [](World& world) { world.Prune(); },
              [&](World& world) {
                if (bytes.ok()) {
                  EXPECT_TRUE(*bytes == world.layer_.bytes);
                } else {
                  EXPECT_EQ(bytes.status().code(), Code::kNotFound) << bytes.status();
                }
              });
}

// The file goes between the row and the open, and another one has taken its place.
TEST(EveryStepTest, ReadOfWhatIsReclaimedAndPushedAgain) {
  absl::StatusOr<std::string> bytes;
  AtEveryStep([](World& world) { world.HaveImage({"old"}); },
              [&](World& world) { bytes = world.Read("app", world.layer_); },
              [](World& world) {
                world.Delete(world.image_);
                EXPECT_TRUE(world.PushAll("app").ok());
              },
              [&](World& world) {
                ASSERT_TRUE(bytes.ok()) << bytes.status();
                EXPECT_TRUE(*bytes == world.layer_.bytes);
              },
              {{}, kAllItNeeds});
}

TEST(EveryStepTest, IndexPushedChildByChildUnderPrune) {
  for (const bool all : {false, true}) {
    absl::Status put;
    TestManifest index;
    AtEveryStep(
        [](World&) {},
        [&](World& world) {
          put = world.PushAll("app");
          for (const TestManifest& child : {world.image_, world.second_}) {
            put.Update(world.Put("app", child));
          }
          index = MakeImageIndex({world.image_, world.second_});
          put.Update(world.Put("app", index, {"all"}));
        },
        [all](World& world) { world.Prune(all); },
        [&](World& world) {
          EXPECT_TRUE(put.ok()) << put;
          if (all) return;  // then it may have gone once it was complete
          world.ExpectStays("app", index);
          EXPECT_TRUE(world.store().manifests.GetManifest("app", world.image_.digest).ok());
          EXPECT_TRUE(world.store().manifests.GetManifest("app", world.second_.digest).ok());
        });
  }
}

// --- the other way round: a client at each step of a removal

TEST(EveryStepTest, PushAgainAtEachStepOfAPrune) {
  absl::Status put;
  AtEveryStep([](World& world) { world.HaveImage({}); }, [](World& world) { world.Prune(); },
              [&](World& world) {
                put = world.PushAll("app");
                put.Update(world.Put("app", world.image_, {"again"}));
              },
              [&](World& world) {
                EXPECT_TRUE(put.ok()) << put;
                EXPECT_TRUE(world.store().manifests.GetManifest("app", "again").ok());
                world.ExpectStays("app", world.image_);
              });
}

// GUARDS.md: blob-edge
TEST(EveryStepTest, HeadThenPutAtEachStepOfAPassOfTheReclaimer) {
  absl::Status put;
  AtEveryStep(
      [](World& world) {
        EXPECT_TRUE(world.PushAll("app").ok());
        world.Settle();
      },
      [](World& world) { world.Reclaim(); },
      [&](World& world) {
        put = world.Tell("app", world.config_);
        put.Update(world.Tell("app", world.layer_));
        put.Update(world.Put("app", world.image_, {"new"}));
      },
      [&](World& world) {
        EXPECT_TRUE(put.ok()) << put;
        world.ExpectStays("app", world.image_);
      });
}

// GUARDS.md: blob-deletion
TEST(EveryStepTest, HoldOrTagAtEachStepOfAPruneIsKeptOrRefused) {
  for (const bool hold : {false, true}) {
    absl::Status kept;
    AtEveryStep([](World& world) { world.HaveImage({}); }, [](World& world) { world.Prune(); },
                [&](World& world) {
                  const Digest& digest = world.image_.digest;
                  kept = hold ? world.store().claims.CreateHold({"web", "app", digest, 0}).status()
                              : world.store().manifests.Tag("app", "late", digest);
                },
                [&](World& world) {
                  if (kept.ok()) {
                    world.ExpectStays("app", world.image_);
                  } else {
                    EXPECT_EQ(kept.code(), Code::kNotFound) << kept;
                  }
                });
  }
}

}  // namespace
}  // namespace varve
