// Files that lost their rows: after damage to the log of the index, and under an index that is
// older than they are. Nothing that was acknowledged is unlinked, and the store goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/blob_files.h"
#include "storage/limits.h"
#include "tests/crash/crashing_store.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kApp[] = "team/app";

bool Always() { return true; }

class LostRowsTest : public ::testing::Test {
 protected:
  // An image in the tables of the index, then two more whose rows are in its log only.
  void SetUp() override {
    crashing_.options().warn = [this](std::string_view sentence) {
      warned_ += StrCat(sentence, "\n");
    };
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
    PushImage(kept_);
    LeaseRequest lease;
    lease.id = "build";
    lease.ttl_nanos = kMaxLeaseNanos;
    ASSERT_TRUE(store().claims.CreateLease(lease).ok());
    ASSERT_TRUE(store().claims.AttachToLease("build", {lost_[0].layer.digest}).ok());
    Restart();
    Restart();  // replays the log, so that the rows are in tables
    for (const TestImage& image : lost_) PushImage(image);
    crashing_.Close();
    warned_.clear();
  }

  struct TestImage {
    TestBlob config;
    TestBlob layer;
    TestManifest manifest;
    std::string tag;
  };
  static TestImage MakeTestImage(uint64_t seed) {
    const TestBlob config = MakeBlob(seed, kInlineBytes);
    const TestBlob layer = MakeBlob(seed + 100, kLooseBytes);
    return {config, layer, MakeImage(config, {layer}), StrCat("v", seed)};
  }
  void PushImage(const TestImage& image) {
    ASSERT_EQ(PushBlob(store().blobs, kApp, image.config), absl::OkStatus());
    ASSERT_EQ(PushBlob(store().blobs, kApp, image.layer), absl::OkStatus());
    ASSERT_EQ(PutManifest(store().manifests, kApp, image.manifest, {image.tag}), absl::OkStatus());
  }
  void Restart() {
    crashing_.Close();
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  }
  const Store& store() { return crashing_.store(); }
  MemoryFileSystem& disk() { return crashing_.disk(); }

  std::vector<std::string> IndexFileNames() { return disk().List(kIndexDirectory).value(); }
  std::string NewestLog() {
    std::string newest;
    for (const std::string& name : IndexFileNames()) {
      if (name.ends_with(".log")) newest = std::max(newest, name);
    }
    return StrCat(kIndexDirectory, "/", newest);
  }
  void DamageLog() {
    const auto log = disk().OpenForWrite(NewestLog());
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->WriteAt(9, "damage").ok());
  }
  // What --accept-loss takes, from the error of an attempt to open.
  std::string RefusedId() {
    const absl::Status refused = crashing_.Open();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
    const std::string message(refused.message());
    const std::string flag = "--accept-loss=";
    const size_t at = message.find(flag);
    return at == std::string::npos ? "" : message.substr(at + flag.size(), 16);
  }
  void OpenDamaged() {
    DamageLog();
    crashing_.options().accept_loss = RefusedId();
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  }
  // An index that was restored does not know that a blob was pushed anew since.
  void RestoreIndexFromBeforeANewCopyOf(const TestBlob& blob) {
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
    ASSERT_EQ(PushBlob(store().blobs, kApp, blob), absl::OkStatus());
    crashing_.Close();
    const auto before = ReadIndexFiles();
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
    ASSERT_EQ(PushBlob(store().blobs, kApp, blob), absl::OkStatus());
    crashing_.Close();
    WriteIndexFiles(before);
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  }
  std::string ReadDisk(const std::string& path) {
    std::string bytes(disk().Stat(path)->size_bytes, '\0');
    const auto file = disk().OpenForRead(path);
    EXPECT_TRUE((*file)->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())).ok());
    return bytes;
  }
  // The path of the file that has these bytes.
  std::string FileOf(const TestBlob& blob) {
    for (const std::string& path : crashing_.BlobFilesOnDisk()) {
      if (ReadDisk(path) == blob.bytes) return path;
    }
    ADD_FAILURE() << "no file has the bytes of " << blob.digest.ToString();
    return "";
  }
  DiskUsage::Part Orphans() { return store().system.MeasureDiskUsage().value().orphans; }
  bool IsHere(const TestImage& image) {
    return store().manifests.GetManifest(kApp, image.tag).ok() &&
           store().blobs.StatBlob(kApp, image.layer.digest).ok();
  }
  std::vector<CheckFinding> Findings() {
    std::vector<CheckFinding> findings;
    EXPECT_TRUE(store()
                    .system
                    .Check([&](const CheckStep& step) {
                      if (step.finding.has_value()) findings.push_back(*step.finding);
                      return true;
                    })
                    .ok());
    return findings;
  }

  std::map<std::string, std::string> ReadIndexFiles() {
    std::map<std::string, std::string> files;
    for (const std::string& name : IndexFileNames()) {
      files[name] = ReadDisk(StrCat(kIndexDirectory, "/", name));
    }
    return files;
  }
  void WriteIndexFiles(const std::map<std::string, std::string>& files) {
    for (const std::string& name : IndexFileNames()) {
      ASSERT_TRUE(disk().Remove(StrCat(kIndexDirectory, "/", name)).ok());
    }
    for (const auto& [name, bytes] : files) {
      const auto file = disk().Create(StrCat(kIndexDirectory, "/", name));
      ASSERT_TRUE((*file)->WriteAt(0, bytes).ok());
      ASSERT_TRUE((*file)->Sync().ok());
    }
    ASSERT_TRUE(disk().SyncDirectory(kIndexDirectory).ok());
  }

  CrashingStore crashing_;
  std::string warned_;
  const TestImage kept_ = MakeTestImage(1);
  const TestImage lost_[2] = {MakeTestImage(2), MakeTestImage(3)};
};

TEST_F(LostRowsTest, ADamagedLogIsToldWithWhatItCosts) {
  DamageLog();
  const size_t files = crashing_.BlobFilesOnDisk().size();
  const absl::Status refused = crashing_.Open();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(".log is damaged"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("2 files under blobs/"));
  EXPECT_EQ(crashing_.BlobFilesOnDisk().size(), files);
  const std::string id = RefusedId();
  EXPECT_THAT(id, SizeIs(16));
  crashing_.options().accept_loss = "0000000000000000";
  EXPECT_EQ(RefusedId(), id);
}

TEST_F(LostRowsTest, AcceptedDamageKeepsTheFiles) {
  OpenDamaged();
  EXPECT_TRUE(IsHere(kept_));
  for (const TestImage& image : lost_) EXPECT_FALSE(IsHere(image));
  EXPECT_EQ(Orphans().count, 2u);
  EXPECT_EQ(Orphans().logical_bytes, 2 * kLooseBytes);
  EXPECT_THAT(warned_, HasSubstr("2 files"));
  EXPECT_THAT(Findings(), IsEmpty());
  PushImage(lost_[0]);  // pushes work
  EXPECT_TRUE(IsHere(lost_[0]));
  crashing_.options().accept_loss = "";
  Restart();
  EXPECT_EQ(Orphans().count, 2u);
  EXPECT_TRUE(IsHere(kept_));
}

TEST_F(LostRowsTest, APowerCutAfterTheLossWasAcceptedLosesNoFile) {
  DamageLog();
  const std::string id = RefusedId();
  WriteIndexFiles(ReadIndexFiles());  // durable, SYNCED too
  for (uint64_t cut = 0; cut < 400; ++cut) {
    SCOPED_TRACE(cut);
    const auto index = ReadIndexFiles();
    crashing_.options().accept_loss = id;
    disk().CutPowerAfter(cut);
    const bool opened = crashing_.Open().ok();
    crashing_.PowerCycle(Survival::kOnlySynced, cut);
    ASSERT_THAT(crashing_.BlobFilesOnDisk(), SizeIs(3));
    crashing_.options().accept_loss = "";
    if (crashing_.Open().ok()) {
      EXPECT_EQ(Orphans().count, 2u);
      return;  // a cut point after which the damage is behind
    }
    ASSERT_FALSE(opened);
    WriteIndexFiles(index);
  }
  FAIL() << "the store never opened";
}

TEST_F(LostRowsTest, OrphansAreDroppedOnRequestButWhatSomethingNeedsIsAdopted) {
  OpenDamaged();
  const OrphanReport report = store().system.DropOrphans(Always).value();
  EXPECT_EQ(report.adopted, 1u);  // the lease needs it
  EXPECT_EQ(report.adopted_bytes, kLooseBytes);
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(report.removed_bytes, kLooseBytes);
  EXPECT_EQ(report.failed, 0u);
  EXPECT_EQ(Orphans().count, 0u);
  EXPECT_THAT(crashing_.BlobFilesOnDisk(), SizeIs(2));
  EXPECT_TRUE(IsHere(kept_));
  const auto adopted = store().blobs.OpenBlob("", lost_[0].layer.digest);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(ReadWhole(*adopted).value(), lost_[0].layer.bytes);
}

TEST_F(LostRowsTest, ADropCanBeStopped) {
  OpenDamaged();
  EXPECT_TRUE(absl::IsCancelled(store().system.DropOrphans([] { return false; }).status()));
  EXPECT_EQ(Orphans().count, 2u);
}

// The row of a blob that was pushed anew after the backup names the file of its old copy.
TEST_F(LostRowsTest, BytesThatAnOlderIndexMissesAreNotDropped) {
  RestoreIndexFromBeforeANewCopyOf(kept_.layer);
  EXPECT_EQ(Orphans().count, 1u);
  EXPECT_FALSE(IsHere(kept_));
  const std::vector<CheckFinding> findings = Findings();
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, CheckFinding::Kind::kBadContent);
  EXPECT_THAT(findings[0].text, HasSubstr("is gone; a push of it heals that"));
  EXPECT_THAT(findings[0].text, HasSubstr("`varve fsck --adopt` gives its bytes back if the one "
                                          "file that the index lost has them"));
  const OrphanReport report = store().system.DropOrphans(Always).value();
  EXPECT_EQ(report.adopted, 1u);
  EXPECT_EQ(report.removed, 0u);
  EXPECT_TRUE(IsHere(kept_));
  EXPECT_EQ(ReadWhole(*store().blobs.OpenBlob(kApp, kept_.layer.digest)).value(),
            kept_.layer.bytes);
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(LostRowsTest, ABlobThatIsListedButNotYetNeededIsAdoptedToo) {
  const TestBlob blob = MakeBlob(60, kLooseBytes);
  RestoreIndexFromBeforeANewCopyOf(blob);
  EXPECT_FALSE(store().blobs.StatBlob(kApp, blob.digest).ok());
  EXPECT_EQ(store().system.DropOrphans(Always).value().adopted, 1u);
  EXPECT_TRUE(store().blobs.StatBlob(kApp, blob.digest).ok());
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(LostRowsTest, WhatCannotBeAdoptedStaysAndTheOthersGo) {
  OpenDamaged();
  const std::string needed = FileOf(lost_[0].layer);
  const auto is_needed = [&](const std::string& path) { return path == needed; };
  for (const FileCall call : {FileCall::kRead, FileCall::kSync}) {
    disk().Inject({call, absl::UnavailableError("a bad sector"), 1, is_needed, true});
    const OrphanReport report = store().system.AdoptOrphans(Always).value();
    EXPECT_EQ(report.failed, 1u);
    EXPECT_EQ(report.failed_bytes, kLooseBytes);
    EXPECT_EQ(StrCat(kBlobsDirectory, "/", report.problem), StrCat(needed, ": a bad sector"));
    EXPECT_EQ(report.adopted, 0u);
    EXPECT_EQ(report.kept, 1u);
    disk().ClearFaults();
  }
  disk().Inject({FileCall::kRead, absl::UnavailableError("a bad sector"), 1, is_needed, true});
  const OrphanReport report = store().system.DropOrphans(Always).value();
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(Orphans().count, 1u);
  EXPECT_THAT(crashing_.BlobFilesOnDisk(), Contains(needed));
  disk().ClearFaults();
  EXPECT_EQ(store().system.DropOrphans(Always).value().adopted, 1u);
  EXPECT_EQ(ReadWhole(*store().blobs.OpenBlob("", lost_[0].layer.digest)).value(),
            lost_[0].layer.bytes);
}

TEST_F(LostRowsTest, AnOrphanWhoseFileIsGoneIsDropped) {
  OpenDamaged();
  ASSERT_TRUE(disk().Remove(FileOf(lost_[0].layer)).ok());
  const OrphanReport report = store().system.DropOrphans(Always).value();
  EXPECT_EQ(report.failed, 0u);
  EXPECT_EQ(report.removed, 2u);
  EXPECT_EQ(Orphans().count, 0u);
}

TEST_F(LostRowsTest, OrphansGoAfterAWeek) {
  OpenDamaged();
  crashing_.clock().Advance(kOrphanNanos - 3600 * kNanosPerSecond);
  ASSERT_TRUE(store().system.Reclaim().ok());
  EXPECT_EQ(Orphans().count, 2u);
  crashing_.clock().Advance(2 * 3600 * kNanosPerSecond);
  for (int pass = 0; pass < 3; ++pass) ASSERT_TRUE(store().system.Reclaim().ok());
  EXPECT_EQ(Orphans().count, 0u);
  EXPECT_THAT(crashing_.BlobFilesOnDisk(), SizeIs(1));
}

TEST_F(LostRowsTest, WhatSomethingNeedsIsAdopted) {
  OpenDamaged();
  const OrphanReport report = store().system.AdoptOrphans(Always).value();
  EXPECT_EQ(report.adopted, 1u);  // the lease needs it
  EXPECT_EQ(report.kept, 1u);
  EXPECT_EQ(Orphans().count, 1u);
  const auto adopted = store().blobs.OpenBlob("", lost_[0].layer.digest);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(ReadWhole(*adopted).value(), lost_[0].layer.bytes);
  EXPECT_THAT(Findings(), IsEmpty());
  crashing_.options().accept_loss = "";
  crashing_.PowerCycle(Survival::kOnlySynced, 1);
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  EXPECT_TRUE(store().blobs.StatBlob("", lost_[0].layer.digest).ok());
}

TEST_F(LostRowsTest, AnAdoptionCanBeStopped) {
  OpenDamaged();
  EXPECT_TRUE(absl::IsCancelled(store().system.AdoptOrphans([] { return false; }).status()));
  EXPECT_EQ(Orphans().count, 2u);
}

TEST_F(LostRowsTest, AFullStoreNamesTheOrphans) {
  crashing_.options().max_bytes = 300'000;
  OpenDamaged();
  const absl::Status full =
      store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = 200'000}).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("varve fsck --drop-orphans"));
  ASSERT_TRUE(store().claims.DeleteLease("build").ok());  // or it would be adopted
  ASSERT_TRUE(store().system.DropOrphans(Always).ok());
  EXPECT_TRUE(store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = 200'000}).ok());
}

// A crash leaves files of uploads too; those are nobody's.
TEST_F(LostRowsTest, AfterAnOrdinaryCrashUnnamedFilesGo) {
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  {
    auto upload = store().blobs.BeginUpload(kApp, {.id = "u", .size_bytes = {}});
    ASSERT_TRUE((*upload)->Append(0, MakeBlob(50, kLargeBytes).bytes).ok());
    crashing_.uploads()["u"] = *std::move(upload);
    crashing_.PowerCycle(Survival::kEverything, 1);
  }
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  EXPECT_EQ(Orphans().count, 0u);
  EXPECT_THAT(crashing_.BlobFilesOnDisk(), SizeIs(3));
}

// Logs come and go as rows go to tables; wherever the power goes, that is no damage.
TEST_F(LostRowsTest, PowerCutsWhileLogsAreReplacedAreNoDamage) {
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    disk().CutPowerAfter(120 + 97 * seed);
    for (uint64_t blob = 0; disk().powered() && blob < 400; ++blob) {
      if (!PushBlob(store().blobs, kApp, MakeBlob(10'000 * (seed + 1) + blob, 16 * 1024)).ok())
        break;
    }
    const Survival survivals[] = {Survival::kOnlySynced, Survival::kRandom, Survival::kEverything};
    crashing_.PowerCycle(survivals[seed % 3], seed);
    ASSERT_EQ(crashing_.Open(), absl::OkStatus());
    EXPECT_TRUE(IsHere(kept_));
    EXPECT_EQ(Orphans().count, 0u);
  }
}

TEST_F(LostRowsTest, AnIndexThatWentBackTakesPushesAndLosesNoFile) {
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  crashing_.Close();
  const auto before = ReadIndexFiles();
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  const TestImage newer = MakeTestImage(7);
  PushImage(newer);
  crashing_.Close();
  WriteIndexFiles(before);
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  EXPECT_THAT(warned_, HasSubstr("older than the files"));
  EXPECT_EQ(Orphans().count, 1u);
  for (const TestImage& image : lost_) EXPECT_TRUE(IsHere(image));
  EXPECT_FALSE(IsHere(newer));
  for (uint64_t seed = 20; seed < 30; ++seed) PushImage(MakeTestImage(seed));
  PushImage(newer);
  EXPECT_TRUE(IsHere(newer));
  EXPECT_THAT(Findings(), IsEmpty());
  warned_.clear();
  Restart();
  EXPECT_EQ(warned_, "");
  EXPECT_TRUE(IsHere(newer));
}

// Whatever brought them there while the daemon runs.
TEST_F(LostRowsTest, IdsSkipFilesThatAreThere) {
  ASSERT_EQ(crashing_.Open(), absl::OkStatus());
  PushImage(MakeTestImage(8));
  std::vector<std::string> files = crashing_.BlobFilesOnDisk();
  FileId newest = 0;
  for (const std::string& path : files) {
    newest = std::max<FileId>(newest, std::stoull(path.substr(path.rfind('/') + 1), nullptr, 16));
  }
  for (FileId id = newest + 1; id < newest + 5; ++id) {
    ASSERT_TRUE(disk().Create(StrCat(kBlobsDirectory, "/", BlobFiles::Name(id))).ok());
  }
  const TestImage image = MakeTestImage(9);
  PushImage(image);
  EXPECT_TRUE(IsHere(image));
}

}  // namespace
}  // namespace varve
