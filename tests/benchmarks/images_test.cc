#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "benchmarks/images/image_set.h"
#include "benchmarks/images/traffic.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace varve::load {
namespace {

TEST(ImageSet, OfTwoImagesTheSecondTakesTheTagOfTheFirst) {
  const ImageSet set(7, 2 * kImagesPerRepository);
  EXPECT_EQ(set.repositories(), 2u);
  const Image first = set.Describe(4), second = set.Describe(5), third = set.Describe(6);
  EXPECT_EQ(first.repository, second.repository);
  EXPECT_EQ(first.tag, second.tag);
  EXPECT_NE(second.tag, third.tag);
  EXPECT_NE(set.Describe(kImagesPerRepository).repository, first.repository);
}

TEST(ImageSet, EveryImageHasItsOwnBlobs) {
  const ImageSet set(7, 10);
  std::set<std::string> digests;
  const auto add = [&](const Image& image) {
    EXPECT_EQ(image.layers.size() + 1, kOwnBlobs);
    EXPECT_EQ(image.layers.front().bytes.size(), kLooseLayerBytes);
    digests.insert(image.config.digest);
    for (const Blob& layer : image.layers) digests.insert(layer.digest);
    EXPECT_THAT(image.manifest.bytes, testing::HasSubstr(set.Base(image.base).digest));
  };
  for (size_t i = 0; i < 10; ++i) {
    add(set.Describe(i));
    add(set.DescribeNew(i));
  }
  for (size_t base = 0; base < kBases; ++base) digests.insert(set.Base(base).digest);
  EXPECT_EQ(digests.size(), 20 * kOwnBlobs + kBases);
}

TEST(ImageSet, AnotherSeedIsOtherContent) {
  EXPECT_EQ(ImageSet(7, 10).Describe(3).manifest.bytes, ImageSet(7, 10).Describe(3).manifest.bytes);
  EXPECT_NE(ImageSet(7, 10).Describe(3).config.bytes, ImageSet(8, 10).Describe(3).config.bytes);
}

TEST(RunAtRate, ALatencyBeginsWhenTheOperationIsDue) {
  // One connection, an operation due every 10 ms; the first takes 60, so that the second, due after
  // 10, waits for 50 of its own.
  std::atomic<size_t> ran = 0;
  const std::vector<PacedOperation> done = RunAtRate(
      100, 1, [&] { return ran == 3; },
      [&](int, size_t number) -> PreparedOperation {
        return [&, number] {
          ++ran;
          if (number == 0) std::this_thread::sleep_for(std::chrono::milliseconds(60));
          return absl::OkStatus();
        };
      });
  ASSERT_EQ(done.size(), 3u);
  EXPECT_GE(done[0].latency_ms, 60);
  EXPECT_GE(done[1].latency_ms, 50);
  EXPECT_NEAR(done[1].due_seconds - done[0].due_seconds, 0.01, 1e-6);
}

TEST(RunAtRate, AFailureIsAResultAndTheOthersGoOn) {
  std::atomic<size_t> ran = 0;
  const std::vector<PacedOperation> done = RunAtRate(
      1000, 2, [&] { return ran >= 4; },
      [&](int, size_t number) -> PreparedOperation {
        return [&, number]() -> absl::Status {
          ++ran;
          return number == 1 ? absl::UnavailableError("gone") : absl::OkStatus();
        };
      });
  size_t failed = 0;
  for (const PacedOperation& operation : done) failed += operation.status.ok() ? 0 : 1;
  EXPECT_EQ(failed, 1u);
  EXPECT_GE(done.size(), 4u);
}

}  // namespace
}  // namespace varve::load
