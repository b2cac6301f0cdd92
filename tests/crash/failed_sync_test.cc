// Rule 5 of the write order of storage/FORMAT.md: a failed sync is never tried again, the file is
// discarded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/crash/crashing_store.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kApp[] = "team/app";

bool IsLog(const std::string& path) {
  return path.starts_with(kIndexDirectory) && path.ends_with(".log");
}

class FailedSyncTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
    // Makes the directory of the first files, so that only the push itself syncs afterwards.
    ASSERT_EQ(PushBlob(crashing_.store().blobs, kApp, earlier_), absl::OkStatus());
    model_.PushBlob(kApp, earlier_.digest);
    contents_.repositories.insert(kApp);
    for (const TestBlob& blob : {earlier_, blob_, config_}) contents_.Add(blob);
  }

  void FailNext(FileCall call, PathPredicate path) {
    crashing_.disk().Inject({.call = call,
                             .status = absl::UnavailableError("I/O error of the disk"),
                             .path = std::move(path)});
  }

  void ExpectNothingElseVisible() {
    EXPECT_THAT(model_.Differences(crashing_.store(), contents_), IsEmpty());
  }

  // The same content is taken afterwards, and is there after a power cut.
  void ExpectPushWorksForGood() {
    ASSERT_EQ(PushBlob(crashing_.store().blobs, kApp, blob_), absl::OkStatus());
    model_.PushBlob(kApp, blob_.digest);
    crashing_.PowerCycle(Survival::kOnlySynced, 1);
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
    ExpectNothingElseVisible();
  }

  CrashingStore crashing_;
  Model model_;
  Contents contents_;
  const TestBlob earlier_ = MakeBlob(1, kLooseBytes);
  const TestBlob blob_ = MakeBlob(2, kLargeBytes);
  const TestBlob config_ = MakeBlob(3, kInlineBytes);
};

TEST_F(FailedSyncTest, OfABlobFileFailsThePushAndDiscardsTheFile) {
  const size_t files_before = crashing_.BlobFilesOnDisk().size();
  FailNext(FileCall::kSync, Under(kBlobsDirectory));
  const absl::Status pushed = PushBlob(crashing_.store().blobs, kApp, blob_);
  EXPECT_EQ(pushed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(pushed.message()), HasSubstr("I/O error"));
  ExpectNothingElseVisible();
  EXPECT_EQ(crashing_.BlobFilesOnDisk().size(), files_before);
  ExpectPushWorksForGood();
}

TEST_F(FailedSyncTest, OfADirectoryFailsThePushAndDiscardsTheFile) {
  const size_t files_before = crashing_.BlobFilesOnDisk().size();
  FailNext(FileCall::kSyncDirectory, Under(kBlobsDirectory));
  EXPECT_EQ(PushBlob(crashing_.store().blobs, kApp, blob_).code(), absl::StatusCode::kUnavailable);
  ExpectNothingElseVisible();
  EXPECT_EQ(crashing_.BlobFilesOnDisk().size(), files_before);
  ExpectPushWorksForGood();
}

TEST_F(FailedSyncTest, OfACheckpointEndsTheUpload) {
  const absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
      crashing_.store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = {}, .client = {}});
  ASSERT_EQ(upload.status(), absl::OkStatus());
  ASSERT_EQ((*upload)->Append(0, blob_.bytes), absl::OkStatus());
  FailNext(FileCall::kSync, Under(kBlobsDirectory));
  EXPECT_EQ((*upload)->Checkpoint().code(), absl::StatusCode::kUnavailable);
  // No second attempt may succeed with the bytes that the disk has dropped.
  EXPECT_EQ((*upload)->Commit(blob_.digest, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::IsNotFound(crashing_.store().blobs.ResumeUpload(kApp, "u").status()));
  ExpectNothingElseVisible();
  ExpectPushWorksForGood();
}

// The log is shared by all commits: after its sync failed nothing is acknowledged until the store
// was opened again.
TEST_F(FailedSyncTest, OfTheLogFailsEveryPushUntilTheStoreIsOpenedAgain) {
  FailNext(FileCall::kSync, IsLog);
  const absl::Status pushed = PushBlob(crashing_.store().blobs, kApp, blob_);
  EXPECT_EQ(pushed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(pushed.message()), HasSubstr("restart the daemon"));
  EXPECT_FALSE(PushBlob(crashing_.store().blobs, kApp, blob_).ok());
  EXPECT_FALSE(PushBlob(crashing_.store().blobs, kApp, config_).ok());
  crashing_.PowerCycle(Survival::kOnlySynced, 1);
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  ExpectNothingElseVisible();
  ExpectPushWorksForGood();
}

TEST_F(FailedSyncTest, OfTheLogAfterAnOrderlyRestartShowsWholeContentOrNone) {
  FailNext(FileCall::kSync, IsLog);
  EXPECT_FALSE(PushBlob(crashing_.store().blobs, kApp, blob_).ok());
  crashing_.Close();
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  Model with_blob = model_;
  with_blob.PushBlob(kApp, blob_.digest);
  const bool without = model_.Differences(crashing_.store(), contents_).empty();
  EXPECT_TRUE(without || with_blob.Differences(crashing_.store(), contents_).empty());
  ExpectPushWorksForGood();
}

TEST_F(FailedSyncTest, OfAManifestsLogRecordShowsNeitherManifestNorTag) {
  ASSERT_EQ(PushBlob(crashing_.store().blobs, kApp, config_), absl::OkStatus());
  model_.PushBlob(kApp, config_.digest);
  const TestManifest image = contents_.Add(MakeImage(config_, {earlier_}));
  FailNext(FileCall::kSync, IsLog);
  EXPECT_EQ(PutManifest(crashing_.store().manifests, kApp, image, {"latest"}).code(),
            absl::StatusCode::kUnavailable);
  crashing_.PowerCycle(Survival::kOnlySynced, 1);
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  ExpectNothingElseVisible();
  ASSERT_EQ(PutManifest(crashing_.store().manifests, kApp, image, {"latest"}), absl::OkStatus());
  model_.PutManifest(kApp, image, {"latest"});
  ExpectPushWorksForGood();
}

}  // namespace
}  // namespace varve
