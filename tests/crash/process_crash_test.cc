// Only the process dies, the page cache lives on: what was checkpointed goes on where it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/crash/crashing_store.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

constexpr char kApp[] = "team/app";

class ResumeTest : public ::testing::TestWithParam<size_t> {};

TEST_P(ResumeTest, ACheckpointedUploadGoesOnWithoutReadingABlobByteAgain) {
  CrashingStore crashing;
  ASSERT_EQ(crashing.Open(), absl::OkStatus());
  const TestBlob blob = MakeBlob(5, GetParam());
  const size_t half = blob.bytes.size() / 2;
  {
    absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
        crashing.store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = {}, .client = {}});
    ASSERT_EQ(upload.status(), absl::OkStatus());
    ASSERT_EQ((*upload)->Append(0, std::string_view(blob.bytes).substr(0, half)), absl::OkStatus());
    ASSERT_EQ((*upload)->Checkpoint(), absl::OkStatus());
    // Arrived after the checkpoint: received again after the crash.
    ASSERT_EQ((*upload)->Append(half, std::string_view(blob.bytes).substr(half, 100)),
              absl::OkStatus());
    crashing.uploads()["u"] = *std::move(upload);
  }
  crashing.PowerCycle(Survival::kEverything, 1);
  ASSERT_EQ(crashing.Open(), absl::OkStatus());

  const absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
      crashing.store().blobs.ResumeUpload(kApp, "u");
  ASSERT_EQ(upload.status(), absl::OkStatus());
  EXPECT_EQ((*upload)->status().offset_bytes, half);
  ASSERT_EQ((*upload)->Append(half, std::string_view(blob.bytes).substr(half)), absl::OkStatus());
  ASSERT_EQ((*upload)->Commit(blob.digest, blob.bytes.size()).status(), absl::OkStatus());
  EXPECT_EQ(crashing.disk().Counters(Under(kBlobsDirectory)).bytes_read, 0u);

  const absl::StatusOr<BlobReader> reader = crashing.store().blobs.OpenBlob(kApp, blob.digest);
  ASSERT_EQ(reader.status(), absl::OkStatus());
  EXPECT_EQ(ReadWhole(*reader).value(), blob.bytes);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ResumeTest,
                         ::testing::Values(kInlineBytes, kLooseBytes, kLargeBytes));

TEST(ProcessCrashTest, OpeningReadsNothingOfTheBlobs) {
  CrashingStore crashing;
  ASSERT_EQ(crashing.Open(), absl::OkStatus());
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    ASSERT_EQ(PushBlob(crashing.store().blobs, kApp, MakeBlob(seed, kLooseBytes)),
              absl::OkStatus());
  }
  crashing.PowerCycle(Survival::kEverything, 1);
  const FileCounters before = crashing.disk().Counters(Under(kBlobsDirectory));
  ASSERT_EQ(crashing.Open(), absl::OkStatus());
  const FileCounters after = crashing.disk().Counters(Under(kBlobsDirectory));
  EXPECT_EQ(after.bytes_read, before.bytes_read);
  EXPECT_EQ(after.Calls(FileCall::kStat), before.Calls(FileCall::kStat));
}

}  // namespace
}  // namespace varve
