// The races of reclamation, exhaustively: while a client works, somebody else's removal runs as a
// whole at each step of it (before and after every call of the index), and the other way round.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/index/memory_index.h"
#include "tests/crash/content.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/stepped_index.h"

namespace varve {
namespace {

using Code = absl::StatusCode;

constexpr int64_t kPromise = 600 * kNanosPerSecond;
// A request that waits for the one in which it runs gets no further; then both go on.
constexpr std::chrono::milliseconds kBlocked(20);

// A store with what its clients do. Nothing is promised once Settle has run.
class World {
 public:
  World() {
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.promise_nanos = kPromise;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<SteppedIndex>(*index_, &step_);
    };
    auto opened = OpenEngine("/store", options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    Settle();
  }

  Store& store() { return *store_; }
  Step& step() { return step_; }
  void Settle() { clock_.Advance(2 * kPromise); }

  absl::Status Push(std::string_view repository, const TestBlob& blob) {
    ASSIGN_OR_RETURN(const auto ingest, store_->BeginIngest(repository, {}));
    RETURN_IF_ERROR(ingest->Append(0, blob.bytes));
    return ingest->Commit(blob.digest, std::nullopt).status();
  }
  absl::Status PushAll(std::string_view repository) {
    RETURN_IF_ERROR(Push(repository, config_));
    return Push(repository, layer_);
  }
  // What a client does with a blob: asks, and pushes it if it is not there.
  absl::Status Tell(std::string_view repository, const TestBlob& blob) {
    const absl::Status told = store_->StatBlob(repository, blob.digest).status();
    return absl::IsNotFound(told) ? Push(repository, blob) : told;
  }
  absl::Status Mount(const TestBlob& blob) {
    const absl::Status mounted = store_->MountBlob("other", blob.digest, "app").status();
    return absl::IsNotFound(mounted) ? Push("other", blob) : mounted;
  }
  absl::Status Put(std::string_view repository, const TestManifest& manifest,
                   std::vector<std::string> tags = {}) {
    PutManifestRequest request;
    request.bytes = manifest.bytes;
    request.tags = std::move(tags);
    return store_->PutManifest(repository, request).status();
  }
  // An image of app without a tag, or with one. Nothing promises it.
  void HaveImage(std::vector<std::string> tags) {
    EXPECT_TRUE(PushAll("app").ok());
    // A tag leaves no promise of the manifest behind.
    EXPECT_TRUE(Put("app", image_, {"first"}).ok());
    for (const std::string& tag : tags) EXPECT_TRUE(store_->Tag("app", tag, image_.digest).ok());
    EXPECT_TRUE(store_->Untag("app", "first").ok());
    Settle();
  }
  void Reclaim() {
    const auto report = store_->Reclaim();
    EXPECT_TRUE(report.ok()) << report.status();
  }
  void Delete(const TestManifest& manifest) {
    const absl::Status deleted = store_->DeleteManifest("app", manifest.digest);
    EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
    Reclaim();
  }
  void Prune(bool all = false) {
    PruneRequest request;
    request.all = all;
    const auto report = store_->Prune(request, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
  }
  // The bytes as a pull reads them.
  absl::StatusOr<std::string> Read(std::string_view repository, const TestBlob& blob) {
    ASSIGN_OR_RETURN(const BlobReader reader, store_->OpenBlob(repository, blob.digest));
    if (reader.file == nullptr) return reader.inline_bytes;
    std::string bytes(reader.info.size_bytes, '\0');
    ASSIGN_OR_RETURN(const size_t read,
                     reader.file->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())));
    return bytes.substr(0, read);
  }
  // The manifest is there with what it names, and stays, whatever is removed.
  void ExpectStays(std::string_view repository, const TestManifest& manifest) {
    clock_.Advance(26 * 3600 * kNanosPerSecond);
    Prune();
    EXPECT_TRUE(store_->GetManifest(repository, manifest.digest).ok());
    for (const TestBlob& blob : {config_, layer_}) {
      const absl::StatusOr<std::string> bytes = Read(repository, blob);
      EXPECT_TRUE(bytes.ok() && *bytes == blob.bytes) << bytes.status();
    }
  }

  const TestBlob config_ = MakeBlob(1, 300);
  const TestBlob layer_ = MakeBlob(2, 100'000);
  const TestManifest image_ = MakeImage(config_, {layer_});
  // Another image with the same blobs.
  const TestManifest second_ = MakeImage(config_, {layer_, layer_});

 private:
  MemoryFileSystem disk_;
  FakeClock clock_;
  const std::unique_ptr<Index> index_ = NewMemoryIndex();
  Step step_;
  std::unique_ptr<Store> store_;
};

using Work = std::function<void(World&)>;

// `prepare`, then `first` with all of `second` at one step of it, then `check`; in a new store for
// each step of `first`. A `second` that has to wait for `first` ends beside the rest of it.
void AtEveryStep(const Work& prepare, const Work& first, const Work& second, const Work& check) {
  size_t ran = 0;
  for (bool more = true; more; ++ran) {
    SCOPED_TRACE(StrCat(ran % 2 == 0 ? "before" : "after", " call ", ran / 2));
    World world;
    prepare(world);
    std::thread thread;
    world.step() = {[&] {
                      std::promise<void> done;
                      std::future<void> ended = done.get_future();
                      thread = std::thread([&second, &world, done = std::move(done)]() mutable {
                        second(world);
                        done.set_value();
                      });
                      ended.wait_for(kBlocked);
                    },
                    ran / 2, ran % 2 == 1};
    first(world);
    more = world.step().action == nullptr;
    world.step().action = nullptr;
    if (thread.joinable()) thread.join();
    if (more) check(world);  // else it had no such step
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(ran, 4u);  // or there were no steps
}

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
                const auto manifest = world.store().GetManifest("app", world.image_.digest);
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
              });
}

TEST(EveryStepTest, IndexPushedChildByChildUnderPrune) {
  for (const bool all : {false, true}) {
    absl::Status put;
    TestManifest index;
    AtEveryStep([](World&) {},
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
                  EXPECT_TRUE(world.store().GetManifest("app", world.image_.digest).ok());
                  EXPECT_TRUE(world.store().GetManifest("app", world.second_.digest).ok());
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
                EXPECT_TRUE(world.store().GetManifest("app", "again").ok());
                world.ExpectStays("app", world.image_);
              });
}

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

TEST(EveryStepTest, HoldOrTagAtEachStepOfAPruneIsKeptOrRefused) {
  for (const bool hold : {false, true}) {
    absl::Status kept;
    AtEveryStep([](World& world) { world.HaveImage({}); }, [](World& world) { world.Prune(); },
                [&](World& world) {
                  const Digest& digest = world.image_.digest;
                  kept = hold ? world.store().CreateHold({"web", "app", digest, 0}).status()
                              : world.store().Tag("app", "late", digest);
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
