// The figures against what the file system itself says, on a real directory.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "tests/crash/scenario.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

namespace fs = std::filesystem;

// As `du` counts: the blocks of all files below, without those of directories.
uint64_t AllocatedBelow(const fs::path& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat info {};
    if (!entry.is_regular_file() || ::stat(entry.path().c_str(), &info) != 0) continue;
    bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

class DiskUsageTest : public testing::Test {
 protected:
  DiskUsageTest() {
    options_.clock = &clock_;
    options_.reserve_bytes = 1 << 20;
  }
  void Open() {
    store_.reset();
    auto opened = OpenEngine(directory_.string(), options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  void PushImage(const TestManifest& manifest, const std::vector<TestBlob>& blobs,
                 const std::vector<std::string>& tags) {
    for (const TestBlob& blob : blobs) {
      const absl::Status pushed = PushBlob(store_->blobs, "app", blob);
      ASSERT_TRUE(pushed.ok()) << pushed;
    }
    const absl::Status put = PutManifest(store_->manifests, "app", manifest, tags);
    ASSERT_TRUE(put.ok()) << put;
  }
  DiskUsage Usage() {
    const absl::StatusOr<DiskUsage> usage = store_->system.MeasureDiskUsage();
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.value_or(DiskUsage());
  }
  void ExpectAgreesWithDisk() {
    const DiskUsage usage = Usage();
    EXPECT_EQ(usage.loose.disk_bytes + usage.uploads.disk_bytes,
              AllocatedBelow(directory_ / "blobs"));
    EXPECT_EQ(usage.index_disk_bytes, AllocatedBelow(directory_ / "index"));
    EXPECT_EQ(usage.loose.disk_bytes,
              usage.tagged.disk_bytes + usage.dangling.disk_bytes + usage.unreferenced.disk_bytes);
  }

  const TemporaryDirectory scratch_;
  const fs::path directory_ = scratch_.path();
  FakeClock clock_;
  EngineOptions options_;
  std::unique_ptr<Engine> store_;
};

TEST_F(DiskUsageTest, AgreesWithTheFileSystemThroughTheLifeOfAStore) {
  Open();
  ExpectAgreesWithDisk();
  const TestBlob config = MakeBlob(1, 500);
  const TestBlob shared = MakeBlob(2, 300'000);
  const TestBlob old_layer = MakeBlob(3, 123'456);
  const TestBlob new_layer = MakeBlob(4, 70'001);
  PushImage(MakeImage(config, {shared, old_layer}), {config, shared, old_layer}, {"latest"});
  PushImage(MakeImage(config, {shared, new_layer}), {new_layer}, {"latest"});
  ASSERT_TRUE(PushBlob(store_->blobs, "app", MakeBlob(5, 90'000)).ok());
  const auto upload = store_->blobs.BeginUpload("app", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append(0, MakeBlob(6, 200'000).bytes).ok());
  ExpectAgreesWithDisk();

  clock_.Advance(3600 * kNanosPerSecond);
  const uint64_t before = AllocatedBelow(directory_ / "blobs");
  const DiskUsage planned = Usage();
  EXPECT_EQ(planned.dangling.count, 1u);
  EXPECT_GE(planned.dangling.disk_bytes, 123'456u);
  const absl::StatusOr<PruneReport> pruned = store_->images.Prune({}, nullptr);
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_EQ(pruned->freed_bytes, planned.dangling.disk_bytes);
  // The same pass reclaimed the blob that was pushed for nobody, which is none of the prune's.
  EXPECT_EQ(before - AllocatedBelow(directory_ / "blobs"),
            planned.dangling.disk_bytes + planned.unreferenced.disk_bytes);
  ExpectAgreesWithDisk();
}

TEST_F(DiskUsageTest, UploadsOfAnEarlierRunAreCounted) {
  Open();
  {
    const auto upload = store_->blobs.BeginUpload("app", {});
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE((*upload)->Append(0, MakeBlob(6, 200'000).bytes).ok());
    ASSERT_TRUE((*upload)->Checkpoint().ok());
  }
  Open();
  EXPECT_EQ(Usage().uploads.count, 1u);
  EXPECT_EQ(Usage().uploads.logical_bytes, 200'000u);
  ExpectAgreesWithDisk();
}

}  // namespace
}  // namespace varve
