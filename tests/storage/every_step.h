// Two requests in every interleaving: while the first works, all of the second runs at one step of
// it, before or after a call of the index. For tests.
#ifndef VARVE_TESTS_STORAGE_EVERY_STEP_H_
#define VARVE_TESTS_STORAGE_EVERY_STEP_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/index/memory_index.h"
#include "tests/crash/push.h"
#include "tests/support/content.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/read_whole.h"
#include "tests/support/stepped_index.h"

namespace varve {

inline constexpr int64_t kPromise = 600 * kNanosPerSecond;

struct StepOptions {
  EngineOptions engine;
  // A request that waits for the one in which it runs gets no further; then both go on. One that
  // never waits for it is given the time that it needs.
  std::chrono::milliseconds patience{20};
};
inline constexpr std::chrono::milliseconds kAllItNeeds(60'000);

// A store with what its clients do. Nothing is promised once Settle has run.
class World {
 public:
  explicit World(EngineOptions options = {}) {
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

  const Store& store() { return *store_; }
  Step& step() { return step_; }
  void Settle() { Advance(2 * kPromise); }
  void Advance(int64_t nanos) { clock_.Advance(nanos); }
  int64_t WallNanos() { return clock_.WallNanos(); }

  absl::Status Push(std::string_view repository, const TestBlob& blob) {
    return PushBlob(store_->blobs, std::string(repository), blob);
  }
  absl::Status PushAll(std::string_view repository) {
    RETURN_IF_ERROR(Push(repository, config_));
    return Push(repository, layer_);
  }
  // What a client does with a blob: asks, and pushes it if it is not there.
  absl::Status Tell(std::string_view repository, const TestBlob& blob) {
    const absl::Status told = store_->blobs.StatBlob(repository, blob.digest).status();
    return absl::IsNotFound(told) ? Push(repository, blob) : told;
  }
  absl::Status Mount(const TestBlob& blob) {
    const absl::Status mounted = store_->blobs.MountBlob("other", blob.digest, "app").status();
    return absl::IsNotFound(mounted) ? Push("other", blob) : mounted;
  }
  absl::Status Put(std::string_view repository, const TestManifest& manifest,
                   const std::vector<std::string>& tags = {}) {
    return PutManifest(store_->manifests, std::string(repository), manifest, tags);
  }
  // An image of app without a tag, or with one. Nothing promises it.
  void HaveImage(const std::vector<std::string>& tags) {
    EXPECT_TRUE(PushAll("app").ok());
    // A tag leaves no promise of the manifest behind.
    EXPECT_TRUE(Put("app", image_, {"first"}).ok());
    for (const std::string& tag : tags)
      EXPECT_TRUE(store_->manifests.Tag("app", tag, image_.digest).ok());
    EXPECT_TRUE(store_->manifests.Untag("app", "first", false).ok());
    Settle();
  }
  void Reclaim() {
    const auto report = store_->system.Reclaim();
    EXPECT_TRUE(report.ok()) << report.status();
  }
  void Delete(const TestManifest& manifest) {
    const absl::Status deleted = store_->manifests.DeleteManifest("app", manifest.digest);
    EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
    Reclaim();
  }
  void Prune(bool all = false) {
    PruneRequest request;
    request.all = all;
    const auto report = store_->images.Prune(request, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
  }
  // The bytes as a pull reads them.
  absl::StatusOr<std::string> Read(std::string_view repository, const TestBlob& blob) {
    ASSIGN_OR_RETURN(const BlobReader reader, store_->blobs.OpenBlob(repository, blob.digest));
    return ReadWhole(reader);
  }
  // The manifest is there with what it names, and stays, whatever is removed.
  void ExpectStays(std::string_view repository, const TestManifest& manifest) {
    clock_.Advance(26 * 3600 * kNanosPerSecond);
    Prune();
    EXPECT_TRUE(store_->manifests.GetManifest(repository, manifest.digest).ok());
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
  std::unique_ptr<Engine> store_;
};

using Work = std::function<void(World&)>;

// `prepare`, then `first` with all of `second` at one step of it, then `check`; in a new store for
// each step of `first`. A `second` that has to wait for `first` ends beside the rest of it.
inline void AtEveryStep(const Work& prepare, const Work& first, const Work& second,
                        const Work& check, const StepOptions& options = {}) {
  size_t ran = 0;
  for (bool more = true; more; ++ran) {
    SCOPED_TRACE(StrCat(ran % 2 == 0 ? "before" : "after", " call ", ran / 2));
    World world(options.engine);
    prepare(world);
    std::thread thread;
    world.step() = {[&] {
                      std::promise<void> done;
                      std::future<void> ended = done.get_future();
                      thread = std::thread([&second, &world, done = std::move(done)]() mutable {
                        second(world);
                        done.set_value();
                      });
                      ended.wait_for(options.patience);
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

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_EVERY_STEP_H_
