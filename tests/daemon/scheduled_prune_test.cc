#include "daemon/scheduled_prune.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage/api/blobs.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/memory_index.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

class ScheduledPruneTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.file_system = &disk_;
    options.promise_nanos = 0;
    options.open_index = [](const std::string&) { return NewMemoryIndex(); };
    auto opened = OpenEngine("/store", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    const std::string config = "{}";
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, config);
    const auto upload = store_->blobs.BeginUpload("app", {});
    ASSERT_TRUE(upload.ok() && (*upload)->Append(0, config).ok());
    ASSERT_TRUE((*upload)->Commit(digest, config.size()).ok());
    bytes_ = R"({"schemaVersion":2,"config":{"mediaType":"a/b","size":2,"digest":")" +
             digest.ToString() + R"("},"layers":[]})";
  }
  Digest Put(std::vector<std::string> tags) {
    PutManifestRequest request;
    request.bytes = bytes_;
    request.media_type = "application/vnd.oci.image.manifest.v1+json";
    request.tags = std::move(tags);
    const auto info = store_->manifests.PutManifest("app", request);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? info->digest : Digest();
  }

  MemoryFileSystem disk_;
  std::unique_ptr<Engine> store_;
  std::string bytes_;
};

TEST_F(ScheduledPruneTest, RemovesByItselfAgainAndAgain) {
  const Digest manifest = Put({});
  {
    const ScheduledPrune prunes(store_->images, std::chrono::milliseconds(1), PruneRequest());
    while (store_->manifests.StatManifest("app", manifest).ok()) std::this_thread::yield();
    while (store_->images.ListPrunes()->size() < 3) std::this_thread::yield();
  }
  const std::vector<PruneJob> jobs = *store_->images.ListPrunes();
  EXPECT_EQ(jobs.front().state, PruneJob::State::kDone);
}

TEST_F(ScheduledPruneTest, TakesWhatItWasToldTo) {
  const Digest manifest = Put({"v1"});
  PruneRequest request;
  request.all = true;
  request.filters = {"reference=other:*"};
  {
    const ScheduledPrune prunes(store_->images, std::chrono::milliseconds(1), request);
    while (store_->images.ListPrunes()->size() < 2) std::this_thread::yield();
  }
  EXPECT_TRUE(store_->manifests.StatManifest("app", manifest).ok());
  EXPECT_EQ(store_->images.ListPrunes()->front().request.filters, request.filters);
  EXPECT_TRUE(store_->images.ListPrunes()->front().request.all);
}

TEST_F(ScheduledPruneTest, EndsAtOnceWhileItWaits) {
  const ScheduledPrune prunes(store_->images, std::chrono::hours(1), PruneRequest());
  EXPECT_TRUE(store_->images.ListPrunes()->empty());
}

}  // namespace
}  // namespace varve
