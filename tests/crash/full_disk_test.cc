// A full disk and failing writes: the push fails with a clear error, reads go on, the space of the
// failed upload returns, deletions and reclamation work, and pushes do again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/limits.h"
#include "tests/crash/crashing_store.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kApp[] = "team/app";
constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

class FullDiskTest : public ::testing::Test {
 protected:
  void Start(uint64_t reserve_bytes = 0) {
    EngineOptions options = CrashingStore::ShortPromises();
    options.reserve_bytes = reserve_bytes;
    crashing_ = std::make_unique<CrashingStore>(Sabotage(), options);
    ASSERT_EQ(crashing_->Open(), absl::OkStatus());
    for (const TestBlob& blob : {config_, layer_}) {
      ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, blob), absl::OkStatus());
      contents_.Add(blob);
    }
    ASSERT_EQ(PutManifest(crashing_->store().manifests, kApp, image_, {"latest"}),
              absl::OkStatus());
    contents_.repositories.insert(kApp);
    contents_.Add(image_);
    contents_.Add(blob_);
    model_.PutManifest(kApp, image_, {"latest"});
  }

  // Leaves `bytes` free.
  void Fill(uint64_t bytes) { disk().SetCapacity(disk().used_bytes() + bytes); }
  MemoryFileSystem& disk() { return crashing_->disk(); }
  uint64_t FreeBytes() { return disk().FreeBytes("/").value(); }

  void ExpectServesWhatItHad() {
    EXPECT_THAT(model_.Differences(crashing_->store(), contents_), IsEmpty());
  }

  void ExpectPushWorks() {
    ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, blob_), absl::OkStatus());
    model_.PushBlob(kApp, blob_.digest);
    ExpectServesWhatItHad();
    crashing_->PowerCycle(Survival::kOnlySynced, 1);
    ASSERT_EQ(crashing_->Open(), absl::OkStatus());
    ExpectServesWhatItHad();
  }

  const TestBlob config_ = MakeBlob(1, kInlineBytes);
  const TestBlob layer_ = MakeBlob(2, kLargeBytes);
  const TestManifest image_ = MakeImage(config_, {layer_});
  const TestBlob blob_ = MakeBlob(3, kLargeBytes);
  std::unique_ptr<CrashingStore> crashing_;
  Model model_;
  Contents contents_;
};

TEST_F(FullDiskTest, AnUploadOfKnownSizeIsRefusedBeforeItsBytesAreSent) {
  Start();
  Fill(kLargeBytes / 2);
  const uint64_t free_before = FreeBytes();
  const absl::Status begun =
      crashing_->store()
          .blobs.BeginUpload(kApp, {.id = "u", .size_bytes = blob_.bytes.size(), .client = {}})
          .status();
  EXPECT_EQ(begun.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(begun.message()), HasSubstr("space"));
  ASSERT_EQ(crashing_->store().system.Reclaim().status(), absl::OkStatus());
  // But for the few rows of the log that the attempt wrote.
  EXPECT_GE(FreeBytes() + 2 * kDiskPageBytes, free_before);
  ExpectServesWhatItHad();
  disk().SetCapacity(kUnlimited);
  ExpectPushWorks();
}

TEST_F(FullDiskTest, AnUploadOfUnknownSizeFailsInTheMiddleAndGoesOnWhenThereIsRoom) {
  Start();
  Fill(kLargeBytes / 2);
  {
    const absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
        crashing_->store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = {}, .client = {}});
    ASSERT_EQ(upload.status(), absl::OkStatus());
    const absl::Status appended = (*upload)->Append(0, blob_.bytes);
    EXPECT_EQ(appended.code(), absl::StatusCode::kResourceExhausted);
  }
  ASSERT_EQ(crashing_->store().system.Reclaim().status(), absl::OkStatus());
  ExpectServesWhatItHad();
  disk().SetCapacity(kUnlimited);
  const absl::StatusOr<std::unique_ptr<OpenUpload>> resumed =
      crashing_->store().blobs.ResumeUpload(kApp, "u");
  ASSERT_EQ(resumed.status(), absl::OkStatus());
  const uint64_t offset = (*resumed)->status().offset_bytes;
  ASSERT_EQ((*resumed)->Append(offset, std::string_view(blob_.bytes).substr(offset)),
            absl::OkStatus());
  ASSERT_EQ((*resumed)->Commit(blob_.digest, {}).status(), absl::OkStatus());
  ExpectPushWorks();
}

// Received bytes that nobody works on leave when somebody else needs the room.
TEST_F(FullDiskTest, AnUploadThatFailedGivesWayAfterAMinute) {
  Start();
  Fill(kLargeBytes * 3 / 2);
  {
    const absl::StatusOr<std::unique_ptr<OpenUpload>> upload =
        crashing_->store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = {}, .client = {}});
    ASSERT_EQ(upload.status(), absl::OkStatus());
    ASSERT_EQ((*upload)->Append(0, MakeBlob(8, kLargeBytes).bytes), absl::OkStatus());
  }
  EXPECT_EQ(PushBlob(crashing_->store().blobs, kApp, blob_).code(),
            absl::StatusCode::kResourceExhausted);
  crashing_->clock().Advance(kIdleUploadNanos);
  ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, blob_), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(crashing_->store().blobs.ResumeUpload(kApp, "u").status()));
}

// Whatever call of a push finds no room: a clear error, nothing visible, nothing lost.
TEST_F(FullDiskTest, EveryPhaseOfAPushFailsCleanly) {
  for (const FileCall call : {FileCall::kCreate, FileCall::kWrite, FileCall::kReserve}) {
    for (uint64_t nth = 1; nth <= 3; ++nth) {
      SCOPED_TRACE(::testing::Message() << "call " << static_cast<int>(call) << ", time " << nth);
      contents_ = Contents();
      model_ = Model();
      Start();
      const size_t files_before = crashing_->BlobFilesOnDisk().size();
      disk().Inject({.call = call,
                     .status = absl::ResourceExhaustedError("no space left"),
                     .nth = nth,
                     .path = Under(kBlobsDirectory)});
      const absl::Status pushed = PushBlob(crashing_->store().blobs, kApp, blob_);
      disk().ClearFaults();
      if (pushed.ok()) {
        model_.PushBlob(kApp, blob_.digest);  // there was no such call
      } else {
        EXPECT_EQ(pushed.code(), absl::StatusCode::kResourceExhausted);
        const Page<UploadInfo> uploads = crashing_->store().blobs.ListUploads({}).value();
        for (const UploadInfo& left : uploads.rows) {
          ASSERT_EQ(crashing_->store().blobs.AbortUpload(left.id), absl::OkStatus());
        }
        EXPECT_EQ(crashing_->BlobFilesOnDisk().size(), files_before);
      }
      ExpectServesWhatItHad();
      ExpectPushWorks();
    }
  }
}

TEST_F(FullDiskTest, AFullLogFailsThePushAndHealsWhenThereIsRoom) {
  Start();
  disk().SetCapacity(0);
  const absl::Status pushed =
      PushBlob(crashing_->store().blobs, kApp, MakeBlob(9, kInlineBytes * 20));
  EXPECT_EQ(pushed.code(), absl::StatusCode::kResourceExhausted) << pushed;
  ExpectServesWhatItHad();
  disk().SetCapacity(kUnlimited);
  ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, blob_), absl::OkStatus());
  ExpectPushWorks();
}

// With no room at all: the first deletion that needs some gets it from the reserve.
TEST_F(FullDiskTest, TheReserveLetsDeletionsWorkAndPushesAfterThem) {
  Start(/*reserve_bytes=*/16 * kMiB);
  ASSERT_EQ(disk().Stat("/store/RESERVE").status(), absl::OkStatus());
  // More deletions than the last page of the log has room for.
  std::vector<TestManifest> images;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const TestBlob config = MakeBlob(100 + seed, kInlineBytes);
    contents_.Add(config);
    images.push_back(contents_.Add(MakeImage(config, {layer_})));
    ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, config), absl::OkStatus());
    ASSERT_EQ(PutManifest(crashing_->store().manifests, kApp, images.back(), {}), absl::OkStatus());
    model_.PutManifest(kApp, images.back(), {});
  }
  images.push_back(image_);
  Fill(0);
  EXPECT_EQ(PushBlob(crashing_->store().blobs, kApp, blob_).code(),
            absl::StatusCode::kResourceExhausted);
  for (const TestManifest& image : images) {
    ASSERT_EQ(crashing_->store().manifests.DeleteManifest(kApp, image.digest), absl::OkStatus());
    model_.DeleteManifest(kApp, image.digest);
  }
  EXPECT_TRUE(absl::IsNotFound(disk().Stat("/store/RESERVE").status()));
  model_.Reclaim();
  const absl::StatusOr<ReclaimReport> report = crashing_->store().system.Reclaim();
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_GE(report->freed_bytes, layer_.bytes.size());
  ExpectPushWorks();
}

// Opening needs room too.
TEST_F(FullDiskTest, OpeningAFullStoreGivesTheReserveUp) {
  Start(/*reserve_bytes=*/16 * kMiB);
  crashing_->Close();
  Fill(0);
  std::string warned;
  crashing_->options().warn = [&warned](std::string_view sentence) { warned += sentence; };
  ASSERT_EQ(crashing_->Open(), absl::OkStatus());
  EXPECT_THAT(warned, HasSubstr("the reserve was given up"));
  EXPECT_TRUE(absl::IsNotFound(disk().Stat("/store/RESERVE").status()));
  ExpectServesWhatItHad();
  ASSERT_EQ(crashing_->store().manifests.DeleteManifest(kApp, image_.digest), absl::OkStatus());
  model_.DeleteManifest(kApp, image_.digest);
  ExpectServesWhatItHad();
}

// The number before " bytes on the file system": what is to be freed.
uint64_t BytesToFree(const absl::Status& refused) {
  const std::string text(refused.message());
  const size_t end = text.find(" bytes on the file system of /store");
  const size_t begin = text.rfind(' ', end - 1) + 1;
  EXPECT_NE(end, std::string::npos) << text;
  return end == std::string::npos ? 0 : std::stoull(text.substr(begin, end - begin));
}

TEST_F(FullDiskTest, OpeningAFullStoreWithoutAReserveSaysHowMuchToFree) {
  Start();
  for (uint64_t seed = 1000; seed < 1050; ++seed) {  // rows for the log
    const TestBlob blob = MakeBlob(seed, 16'000);
    contents_.Add(blob);
    ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, blob), absl::OkStatus());
    model_.PushBlob(kApp, blob.digest);
  }
  crashing_->Close();
  for (const uint64_t free : {uint64_t{0}, uint64_t{64 * kKiB}}) {
    Fill(free);
    const absl::Status refused = crashing_->Open();
    ASSERT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("start again"));
    EXPECT_GT(BytesToFree(refused), 50u * 16'000);
    EXPECT_LT(BytesToFree(refused), 8 * kMiB);
    if (free == 0) continue;
    Fill(FreeBytes() + BytesToFree(refused));
  }
  ASSERT_EQ(crashing_->Open(), absl::OkStatus()) << "so much was enough";
  ExpectServesWhatItHad();
}

// The first start has given the reserve up; somebody else has taken its room.
TEST_F(FullDiskTest, ASecondStartOnAFullDiskSaysHowMuchToFree) {
  Start(/*reserve_bytes=*/16 * kMiB);
  crashing_->Close();
  Fill(0);
  ASSERT_EQ(crashing_->Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, MakeBlob(8, kInlineBytes)), absl::OkStatus());
  crashing_->Close();
  Fill(0);
  const absl::Status refused = crashing_->Open();
  ASSERT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  Fill(BytesToFree(refused));
  ASSERT_EQ(crashing_->Open(), absl::OkStatus());
}

TEST_F(FullDiskTest, AReserveThatIsMissingIsToldOnceAndSoIsItsReturn) {
  Start();
  crashing_->Close();
  std::vector<std::string> warned;
  crashing_->options().reserve_bytes = 16 * kMiB;
  crashing_->options().warn = [&warned](std::string_view sentence) {
    warned.emplace_back(sentence);
  };
  Fill(20 * kMiB);
  ASSERT_EQ(crashing_->Open(), absl::OkStatus());
  ASSERT_THAT(warned, SizeIs(1));
  EXPECT_THAT(warned[0],
              AllOf(HasSubstr("16777216 are missing"), HasSubstr("on the disk of /store"),
                    HasSubstr("deletions may be refused")));
  EXPECT_EQ(crashing_->store().system.MeasureDiskUsage()->reserve_disk_bytes, 0u);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(crashing_->store().system.Reclaim().status(), absl::OkStatus());
  EXPECT_THAT(warned, SizeIs(1));
  disk().SetCapacity(kUnlimited);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(crashing_->store().system.Reclaim().status(), absl::OkStatus());
  ASSERT_THAT(warned, SizeIs(2));
  EXPECT_THAT(warned[1], HasSubstr("is set aside again"));
  EXPECT_EQ(crashing_->store().system.MeasureDiskUsage()->reserve_disk_bytes, 16 * kMiB);
}

// The rows that the index has in memory decide how much room it takes to go on.
struct FullIndex {
  int memtable_percent;
  uint64_t reserve_bytes;
};
class FullIndexTest : public FullDiskTest, public ::testing::WithParamInterface<FullIndex> {
 protected:
  // Of an index with a cache of 4 MiB.
  static constexpr uint64_t kWriteBufferBytes = 2 * kMiB;
  static constexpr size_t kRowBytes = 16 * 1024;

  // Rows in memory, as many as are asked for: inline blobs that nobody names.
  void FillMemtables(int percent) {
    const uint64_t rows = kWriteBufferBytes * static_cast<uint64_t>(percent) / 100 / kRowBytes;
    for (uint64_t seed = 0; seed < rows; ++seed) {
      const TestBlob blob = MakeBlob(1000 + seed, kRowBytes);
      contents_.Add(blob);
      ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, blob), absl::OkStatus());
      model_.PushBlob(kApp, blob.digest);
    }
  }
  void PushImages(uint64_t count) {
    for (uint64_t seed = 0; seed < count; ++seed) {
      const TestBlob config = MakeBlob(100 + seed, kInlineBytes);
      contents_.Add(config);
      images_.push_back(contents_.Add(MakeImage(config, {layer_})));
      ASSERT_EQ(PushBlob(crashing_->store().blobs, kApp, config), absl::OkStatus());
      ASSERT_EQ(PutManifest(crashing_->store().manifests, kApp, images_.back(), {}),
                absl::OkStatus());
      model_.PutManifest(kApp, images_.back(), {});
    }
  }
  // Until the index itself has met the full disk.
  void MeetTheFullDisk() {
    absl::Status pushed;
    for (uint64_t seed = 5000; pushed.ok(); ++seed) {
      ASSERT_LT(seed, 5100u);
      const TestBlob blob = MakeBlob(seed, kInlineBytes);
      contents_.Add(blob);
      pushed = PushBlob(crashing_->store().blobs, kApp, blob);
      if (pushed.ok()) model_.PushBlob(kApp, blob.digest);
    }
    EXPECT_EQ(pushed.code(), absl::StatusCode::kResourceExhausted) << pushed;
    EXPECT_EQ(crashing_->store().system.Health(), StoreHealth::kFull);
  }

  std::vector<TestManifest> images_;
};

INSTANTIATE_TEST_SUITE_P(Memtables, FullIndexTest, ::testing::ValuesIn([] {
                           std::vector<FullIndex> all;
                           for (const int percent : {0, 25, 50, 75, 100}) {
                             for (const uint64_t reserve : {12 * kMiB, 16 * kMiB, 64 * kMiB}) {
                               all.push_back({percent, reserve});
                             }
                           }
                           return all;
                         }()),
                         [](const auto& info) {
                           return std::to_string(info.param.memtable_percent) + "PercentReserve" +
                                  std::to_string(info.param.reserve_bytes / kMiB) + "MiB";
                         });

TEST_P(FullIndexTest, DeletionsGoOnWithTheReserve) {
  Start(GetParam().reserve_bytes);
  PushImages(30);
  FillMemtables(GetParam().memtable_percent);
  Fill(0);
  MeetTheFullDisk();
  ExpectServesWhatItHad();
  images_.push_back(image_);
  for (const TestManifest& image : images_) {
    ASSERT_EQ(crashing_->store().manifests.DeleteManifest(kApp, image.digest), absl::OkStatus());
    model_.DeleteManifest(kApp, image.digest);
  }
  ExpectServesWhatItHad();
  model_.Reclaim();
  ASSERT_EQ(crashing_->store().system.Reclaim().status(), absl::OkStatus());
  EXPECT_NE(crashing_->store().system.Health(), StoreHealth::kDead);
  disk().SetCapacity(kUnlimited);
  ExpectPushWorks();
}

// Somebody else takes what the reserve gives back: nothing hangs, reads go on, and all is well
// again when there is room.
TEST_P(FullIndexTest, SomebodyElseTakesTheRoomOfTheReserve) {
  Start(GetParam().reserve_bytes);
  PushImages(3);
  FillMemtables(GetParam().memtable_percent);
  ASSERT_EQ(disk().Remove("/store/RESERVE"), absl::OkStatus());
  Fill(0);
  MeetTheFullDisk();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(crashing_->store().manifests.DeleteManifest(kApp, image_.digest).code(),
              absl::StatusCode::kResourceExhausted);
    model_.Reclaim();
    const absl::Status reclaimed = crashing_->store().system.Reclaim().status();
    EXPECT_TRUE(reclaimed.ok() || absl::IsResourceExhausted(reclaimed)) << reclaimed;
  }
  ExpectServesWhatItHad();
  EXPECT_EQ(crashing_->store().system.Health(), StoreHealth::kFull);
  disk().SetCapacity(kUnlimited);
  ASSERT_EQ(crashing_->store().manifests.DeleteManifest(kApp, image_.digest), absl::OkStatus());
  model_.DeleteManifest(kApp, image_.digest);
  ExpectServesWhatItHad();
  EXPECT_EQ(crashing_->store().system.Health(), StoreHealth::kReady);
  ExpectPushWorks();
}

// The reserve is set aside again as soon as there is room for it.
TEST_F(FullDiskTest, TheReserveIsTakenAgain) {
  Start(/*reserve_bytes=*/16 * kMiB);
  ASSERT_EQ(disk().Remove("/store/RESERVE"), absl::OkStatus());
  crashing_->Close();
  ASSERT_EQ(crashing_->Open(), absl::OkStatus());
  EXPECT_GE(disk().Stat("/store/RESERVE")->allocated_bytes, 16 * kMiB);
}

}  // namespace
}  // namespace varve
