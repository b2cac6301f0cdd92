// What is left of a load that broke off, and loads that take long.
#include <chrono>

#include "gmock/gmock.h"
#include "storage/base/clock.h"
#include "storage/limits.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class LoadResumeTest : public LoadTest {
 protected:
  // The upload of the layer as an earlier load left it.
  std::unique_ptr<OpenUpload> Begin(const std::string& bytes) {
    UploadOptions options;
    options.id =
        "load-" + Sha256Hex(image_.layers[0]) + "-" + std::to_string(image_.layers[0].size());
    absl::StatusOr<std::unique_ptr<OpenUpload>> upload = store_->blobs.BeginUpload("", options);
    EXPECT_TRUE(upload.ok() && (*upload)->Append(0, bytes).ok());
    return *std::move(upload);
  }

  const TestImage image_{{TestBytes(5 * kMiB, 1)}};
  const std::string archive_ = Tar(LayoutOf(image_, "app:1"));
};

TEST_F(LoadResumeTest, AnUploadGoesOnWhereItStood) {
  for (const From from : {From::kFile, From::kPipe}) {
    static_cast<void>(Begin(image_.layers[0].substr(0, 3 * kMiB)));
    ASSERT_EQ(Load(archive_, from), absl::OkStatus());
    EXPECT_THAT(observer_.progress, Contains(4 * kMiB));
    EXPECT_THAT(observer_.progress, Not(Contains(kMiB))) << "the first three are not sent again";
    EXPECT_EQ(Tagged("app", "1"), image_.digest());
    StopDaemon();
    std::filesystem::remove_all(directory_ + "/data");
    StartDaemon();
  }
}

TEST_F(LoadResumeTest, OtherBytesUnderItsNameAreDropped) {
  static_cast<void>(Begin(TestBytes(kMiB, 2)));
  const absl::Status status = Load(archive_, From::kPipe);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("load again"));
  EXPECT_EQ(Load(archive_, From::kPipe), absl::OkStatus());
  EXPECT_EQ(Tagged("app", "1"), image_.digest());
}

TEST_F(LoadResumeTest, DamageDoesNotPoisonTheNextLoad) {
  std::string damaged = archive_;
  damaged[kMiB] ^= 1;
  EXPECT_EQ(Load(damaged, From::kPipe).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Load(archive_, From::kPipe), absl::OkStatus());
}

TEST_F(LoadResumeTest, SomebodyElseUploadsTheSameBlob) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Connect(Address(), {.attempts = 2, .first_wait = std::chrono::milliseconds(1)});
  ASSERT_TRUE(client.ok());
  client_ = *std::move(client);
  const std::unique_ptr<OpenUpload> held = Begin("their bytes");
  EXPECT_EQ(Load(archive_), absl::OkStatus());
  EXPECT_EQ(Tagged("app", "1"), image_.digest());
}

// Promises last no longer than a second here, and a load from a slow pipe takes longer.
TEST_F(LoadResumeTest, WhatWasUploadedFirstIsStillThereAtTheEnd) {
  StopDaemon();
  EngineOptions engine;
  engine.promise_nanos = kNanosPerSecond;
  ASSERT_NO_FATAL_FAILURE(StartDaemon(engine));
  load_options_.renew_promises_after = std::chrono::milliseconds(100);
  const TestImage image({TestBytes(1000, 5), TestBytes(30 * kMiB, 6)});
  const std::string archive = Tar(LayoutOf(image, "slow:1"));
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::thread writer([&] {
    for (size_t at = 0; at < archive.size(); at += kMiB) {
      const std::string_view piece = std::string_view(archive).substr(at, kMiB);
      EXPECT_EQ(write(ends[1], piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      EXPECT_TRUE(store_->system.Reclaim().ok());
    }
    close(ends[1]);
  });
  const absl::Status status = LoadImages(*client_, ends[0], load_options_, observer_);
  close(ends[0]);
  writer.join();
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(Tagged("slow", "1"), image.digest());
}

}  // namespace
}  // namespace varve
