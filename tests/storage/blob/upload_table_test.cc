// Uploads of an open store whose disk, index and time the test holds in its hands: what they take,
// and who gives way to whom.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/str_cat.h"
#include "storage/blob/blob_files.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/forwarding_index.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Code = absl::StatusCode;

constexpr int64_t kSecond = kNanosPerSecond;

class UploadTableTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { store_.reset(); }

  void Open() {
    options_.file_system = &disk_;
    options_.clock = &clock_;
    options_.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<ForwardingIndex>(*index_);
    };
    auto opened = OpenEngine("/store", options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // As a stop of the daemon and a start.
  void Reopen() {
    ASSERT_TRUE(store_->system.CheckpointUploads().ok());
    store_.reset();
    Open();
  }

  absl::StatusOr<std::unique_ptr<OpenUpload>> TryBegin(const std::string& id,
                                                       const std::string& client = {}) {
    UploadOptions options;
    options.id = id;
    options.client = client;
    return store_->blobs.BeginUpload("app", options);
  }
  std::unique_ptr<OpenUpload> Begin(const std::string& id, const std::string& client = {}) {
    auto upload = TryBegin(id, client);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return *std::move(upload);
  }
  // Receives and lets go, saved as after a request.
  void Receive(const std::string& id, size_t bytes, const std::string& client = {}) {
    const auto upload = Begin(id, client);
    ASSERT_TRUE(upload->Append(0, std::string(bytes, 'x')).ok());
    ASSERT_TRUE(upload->Checkpoint().ok());
  }
  Code ResumeCode(const std::string& id) {
    return store_->blobs.ResumeUpload("app", id).status().code();
  }
  size_t Rows() { return index_->Scan(PrefixRange(UploadPrefix()), 100'000).value().size(); }
  uint64_t BlobBytes() { return store_->system.Info()->blob_bytes; }
  uint64_t LowWater() {
    EXPECT_TRUE(store_->system.Reclaim().ok());
    return DecodeNumber(index_->Get(MetaKey("low_water")).value().value()).value();
  }

  MemoryFileSystem disk_;
  FakeClock clock_;
  const std::unique_ptr<Index> index_ = NewMemoryIndex();
  EngineOptions options_;
  std::unique_ptr<Engine> store_;
};

TEST_F(UploadTableTest, ABrokenOffUploadKeepsOnlyWhatItReceived) {
  const uint64_t before = disk_.used_bytes();
  {
    const auto upload = Begin("u");
    ASSERT_TRUE(upload->Expect(256 * kMiB).ok());
    EXPECT_GE(disk_.used_bytes(), before + 256 * kMiB);
    ASSERT_TRUE(upload->Append(0, "abc").ok());
  }
  EXPECT_LE(disk_.used_bytes(), before + kMiB);
  EXPECT_EQ(BlobBytes(), 3u);
  // Resumed, it takes room again.
  auto upload = store_->blobs.ResumeUpload("app", "u");
  ASSERT_TRUE(upload.ok());
  ASSERT_TRUE((*upload)->Expect(kMiB).ok());
  EXPECT_GE(disk_.used_bytes(), before + kMiB);
  EXPECT_EQ(BlobBytes(), kMiB + 3);
  ASSERT_TRUE((*upload)->Append(3, std::string(kMiB, 'd')).ok());
  const std::string whole = "abc" + std::string(kMiB, 'd');
  EXPECT_TRUE((*upload)->Commit(HashBytes(DigestAlgorithm::kSha256, whole), whole.size()).ok());
}

TEST_F(UploadTableTest, AClaimWithoutBytesLeavesNothing) {
  const uint64_t before = disk_.used_bytes();
  ASSERT_TRUE(Begin("u")->Expect(kMiB).ok());
  EXPECT_LE(disk_.used_bytes(), before);
  EXPECT_EQ(BlobBytes(), 0u);
  EXPECT_EQ(ResumeCode("u"), Code::kOk);
}

TEST_F(UploadTableTest, RoomReservedByARequestThatTheDaemonDidNotSurviveComesBack) {
  const uint64_t before = disk_.used_bytes();
  auto upload = Begin("u");
  ASSERT_TRUE(upload->Append(0, std::string(100'000, 'x')).ok());
  ASSERT_TRUE(upload->Checkpoint().ok());
  ASSERT_TRUE(upload->Expect(256 * kMiB).ok());
  disk_.PowerUp(Survival::kEverything);  // the process dies
  upload.reset();
  store_.reset();
  Open();
  EXPECT_LE(disk_.used_bytes(), before + kMiB);
  EXPECT_EQ(BlobBytes(), 100'000u);
  EXPECT_EQ(ResumeCode("u"), Code::kOk);
}

TEST_F(UploadTableTest, AFullDiskLeavesAnUploadToGoOnWhenThereIsRoom) {
  for (const size_t first : {size_t{10}, size_t{300'000}}) {
    SCOPED_TRACE(first);
    const std::string whole(2'000'000, static_cast<char>('a' + first % 26));
    const std::string_view bytes(whole);
    auto upload = Begin(StrCat("u", first));
    ASSERT_TRUE(upload->Append(0, bytes.substr(0, first)).ok());
    disk_.SetCapacity(disk_.used_bytes() + 500'000);
    EXPECT_EQ(upload->Append(first, bytes.substr(first)).code(), Code::kResourceExhausted);
    upload.reset();
    disk_.SetCapacity(100 * kMiB);
    auto resumed = store_->blobs.ResumeUpload("app", StrCat("u", first));
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    const uint64_t offset = (*resumed)->status().offset_bytes;
    EXPECT_GE(offset, first);
    ASSERT_TRUE((*resumed)->Append(offset, bytes.substr(offset)).ok());
    const auto info = (*resumed)->Commit(HashBytes(DigestAlgorithm::kSha256, whole), whole.size());
    EXPECT_TRUE(info.ok()) << info.status();
  }
}

TEST_F(UploadTableTest, AFullDiskLeavesALargeUploadOfUnknownSizeToGoOn) {
  options_.large_blob_bytes = 500'000;
  Reopen();
  const std::string whole(40'000'000, 'w');
  auto upload = Begin("u");
  ASSERT_TRUE(upload->Append(0, std::string_view(whole).substr(0, 1'000'000)).ok());
  disk_.SetCapacity(disk_.used_bytes());
  uint64_t offset = 1'000'000;
  absl::Status status;
  while (status.ok() && offset < whole.size()) {
    status = upload->Append(offset, std::string_view(whole).substr(offset, 1'000'000));
    if (status.ok()) offset += 1'000'000;
  }
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(upload->status().offset_bytes, offset);
  disk_.SetCapacity(100 * kMiB);
  ASSERT_TRUE(upload->Append(offset, std::string_view(whole).substr(offset)).ok());
  EXPECT_TRUE(upload->Commit(HashBytes(DigestAlgorithm::kSha256, whole), whole.size()).ok());
}

TEST_F(UploadTableTest, IdleUploadsGiveWayBeforeAnybodyIsRefused) {
  options_.max_bytes = 1'000'000;
  Reopen();
  Receive("idlest", 300'000);
  clock_.Advance(kSecond);
  Receive("idle", 300'000);
  clock_.Advance(50 * kSecond);
  Receive("fresh", 300'000);
  const auto held = Begin("held");
  ASSERT_TRUE(held->Append(0, std::string(50'000, 'x')).ok());
  clock_.Advance(8 * kSecond);
  EXPECT_EQ(Begin("new")->Expect(200'000).code(), Code::kResourceExhausted);
  clock_.Advance(kSecond);  // a minute for the idlest
  EXPECT_TRUE(Begin("new1")->Expect(200'000).ok());
  EXPECT_EQ(ResumeCode("idlest"), Code::kNotFound);
  clock_.Advance(kSecond);
  const auto new2 = Begin("new2");
  EXPECT_TRUE(new2->Expect(600'000).ok());
  EXPECT_EQ(ResumeCode("idle"), Code::kNotFound);
  clock_.Advance(100 * kSecond);
  EXPECT_EQ(Begin("new3")->Expect(900'000).code(), Code::kResourceExhausted);
  EXPECT_TRUE(held->Append(50'000, "in a request, it is not idle").ok());
}

TEST_F(UploadTableTest, UploadsGiveWayToAManifestToo) {
  options_.max_bytes = 100'000;
  Reopen();
  Receive("idle", 99'000);
  clock_.Advance(60 * kSecond);
  const std::string json =
      StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)",
             R"("manifests":[],"annotations":{"note":")", std::string(5'000, 'n'), R"("}})");
  PutManifestRequest request;
  request.bytes = json;
  const auto put = store_->manifests.PutManifest("app", request);
  EXPECT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(ResumeCode("idle"), Code::kNotFound);
}

// Under shortage only, and never what is between two requests.
TEST_F(UploadTableTest, WhoHoldsMoreThanItsShareGivesWayUnderShortage) {
  options_.max_bytes = 1'000'000;
  Reopen();
  Receive("a1", 400'000, "10.0.0.1");
  Receive("a2", 400'000, "10.0.0.1");
  Receive("b1", 100'000, "10.0.0.2");
  EXPECT_EQ(Begin("b2", "10.0.0.2")->Expect(200'000).code(), Code::kResourceExhausted);
  clock_.Advance(10 * kSecond);
  EXPECT_EQ(Begin("a3", "10.0.0.1")->Expect(200'000).code(), Code::kResourceExhausted);
  EXPECT_TRUE(Begin("b2x", "10.0.0.2")->Expect(200'000).ok());
  EXPECT_EQ(ResumeCode("a1"), Code::kNotFound);
  EXPECT_EQ(ResumeCode("a2"), Code::kOk);
  EXPECT_EQ(ResumeCode("b1"), Code::kOk);
}

TEST_F(UploadTableTest, EmptySessionsAreInMemoryUntilAnOrderlyStop) {
  const uint64_t before = disk_.mutating_calls();
  for (int i = 0; i < 300; ++i) {
    const auto upload = Begin(StrCat("empty-", i));
    ASSERT_TRUE(upload->Append(0, "").ok());
    ASSERT_TRUE(upload->Checkpoint().ok());
  }
  EXPECT_EQ(Rows(), 0u);
  EXPECT_EQ(disk_.mutating_calls(), before);
  Reopen();
  EXPECT_EQ(Rows(), 300u);
  EXPECT_EQ(ResumeCode("empty-299"), Code::kOk);
  ASSERT_TRUE(store_->blobs.AbortUpload("empty-299").ok());
  EXPECT_EQ(Rows(), 299u);
}

// A proxy that buffers delivers the first byte when it has the whole body.
TEST_F(UploadTableTest, AnEmptySessionLivesAsLongAsAnyOther) {
  Begin("u");
  clock_.Advance(24 * 3600 * kSecond - kSecond);
  ASSERT_TRUE(store_->system.Reclaim().ok());
  EXPECT_EQ(ResumeCode("u"), Code::kOk);
  clock_.Advance(kSecond);
  ASSERT_TRUE(store_->system.Reclaim().ok());
  EXPECT_EQ(ResumeCode("u"), Code::kNotFound);
}

TEST_F(UploadTableTest, EmptySessionsOfOneClientShutNobodyOut) {
  options_.max_uploads = 100;
  Reopen();
  Begin("early", "10.0.0.2");
  const auto in_request = Begin("in-request", "10.0.0.1");
  for (int i = 0; i < 1000; ++i) {
    clock_.Advance(1);
    Begin(StrCat("flood-", i), "10.0.0.1");
  }
  EXPECT_EQ(store_->blobs.ListUploads({}).value().rows.size(), 100u);
  Begin("late", "10.0.0.2");
  EXPECT_EQ(ResumeCode("early"), Code::kOk);
  EXPECT_EQ(ResumeCode("late"), Code::kOk);
  EXPECT_EQ(ResumeCode("flood-999"), Code::kOk);
  EXPECT_EQ(ResumeCode("flood-0"), Code::kNotFound);
  EXPECT_TRUE(in_request->Append(0, "never idle").ok());
}

TEST_F(UploadTableTest, SessionsWithBytesShutNobodyOutEither) {
  options_.max_uploads = 10;
  Reopen();
  for (int i = 0; i < 10; ++i) {
    clock_.Advance(1);
    Receive(StrCat("u", i), 1, "10.0.0.1");
  }
  const absl::Status refused = TryBegin("more", "10.0.0.1").status();
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.GetPayload(kRetryAfterPayload), absl::Cord("5"));
  EXPECT_EQ(ResumeCode("u0"), Code::kOk);
  clock_.Advance(1);
  Begin("other", "10.0.0.2");
  EXPECT_EQ(ResumeCode("u1"), Code::kNotFound) << "the idlest of the client that has most";
  EXPECT_EQ(ResumeCode("u0"), Code::kOk) << "it was looked at a moment ago";
  EXPECT_EQ(ResumeCode("other"), Code::kOk);
}

TEST_F(UploadTableTest, WhenAllAreInRequestsOneMoreIsRefusedForAMoment) {
  options_.max_uploads = 3;
  Reopen();
  std::vector<std::unique_ptr<OpenUpload>> held;
  for (int i = 0; i < 3; ++i) held.push_back(Begin(StrCat("u", i)));
  EXPECT_EQ(TryBegin("more").status().code(), Code::kResourceExhausted);
  held.pop_back();
  EXPECT_TRUE(TryBegin("more").ok());
}

TEST_F(UploadTableTest, UploadsOfManyPagesAreThereAfterAStart) {
  for (int i = 0; i < 600; ++i) Receive(StrCat("u", i), 10);
  Reopen();
  for (int i = 0; i < 600; ++i) {
    SCOPED_TRACE(i);
    const auto upload = store_->blobs.ResumeUpload("app", StrCat("u", i));
    ASSERT_TRUE(upload.ok()) << upload.status();
    EXPECT_EQ((*upload)->status().offset_bytes, 10u);
  }
}

TEST_F(UploadTableTest, UploadsAreListedAndDropped) {
  Receive("b", 70'000, "10.0.0.1");
  const auto held = Begin("a", "10.0.0.2");
  const Page<UploadInfo> first = store_->blobs.ListUploads({"", 1}).value();
  ASSERT_THAT(first.rows, SizeIs(1));
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.rows[0].id, "a");
  EXPECT_TRUE(first.rows[0].in_request);
  const Page<UploadInfo> second = store_->blobs.ListUploads({"a", 10}).value();
  ASSERT_THAT(second.rows, SizeIs(1));
  EXPECT_FALSE(second.more);
  const UploadInfo& upload = second.rows[0];
  EXPECT_EQ(upload.id, "b");
  EXPECT_EQ(upload.repository, "app");
  EXPECT_EQ(upload.client, "10.0.0.1");
  EXPECT_EQ(upload.received_bytes, 70'000u);
  EXPECT_FALSE(upload.in_request);
  EXPECT_EQ(upload.expires_nanos, upload.updated_nanos + options_.upload_expiry_nanos);
  EXPECT_EQ(store_->blobs.AbortUpload("a").code(), Code::kAborted);
  EXPECT_TRUE(store_->blobs.AbortUpload("b").ok());
  EXPECT_EQ(store_->blobs.AbortUpload("b").code(), Code::kNotFound);
  EXPECT_EQ(BlobBytes(), 0u);
}

// The mark follows, so that a start looks at recent files only.
TEST_F(UploadTableTest, TheLowWaterMarkPassesLongUploads) {
  const auto held = Begin("held");
  ASSERT_TRUE(held->Append(0, std::string(100'000, 'x')).ok());
  {
    const auto left = Begin("left");  // without a checkpoint
    ASSERT_TRUE(left->Append(0, std::string(100'000, 'x')).ok());
  }
  const uint64_t before = LowWater();
  clock_.Advance(kUploadCheckpointNanos);
  EXPECT_EQ(LowWater(), before);
  ASSERT_TRUE(held->Append(100'000, "y").ok());
  EXPECT_GT(LowWater(), before + 1);
}

TEST_F(UploadTableTest, AStartGoesOnWithoutAnUploadThatCannotBeLookedAt) {
  Receive("bad", 100'000);
  Receive("good", 100'000);
  ASSERT_TRUE(store_->system.CheckpointUploads().ok());
  store_.reset();
  const std::string row = index_->Get(UploadKey("bad")).value().value();
  const std::string path = "/store/blobs/" + BlobFiles::Name(UploadRow::Decode(row)->file);
  disk_.Inject({FileCall::kStat, absl::UnavailableError("I/O error of the disk"), 1,
                [&](const std::string& at) { return at == path; }, true});
  Open();
  EXPECT_EQ(ResumeCode("good"), Code::kOk);
  EXPECT_EQ(ResumeCode("bad"), Code::kNotFound);
  EXPECT_THAT(store_->system.Reclaim()->problems, Contains(HasSubstr("upload bad")));
  EXPECT_THAT(store_->system.Reclaim()->problems, IsEmpty());
  disk_.ClearFaults();
  Reopen();
  EXPECT_EQ(ResumeCode("bad"), Code::kOk);
}

TEST_F(UploadTableTest, AStartGoesOnWithGarbageThatCannotBeUnlinked) {
  {  // A file that nothing names, as a kill leaves it.
    auto upload = Begin("lost");
    ASSERT_TRUE(upload->Append(0, std::string(100'000, 'x')).ok());
    disk_.PowerUp(Survival::kEverything);
    upload.reset();
    store_.reset();
  }
  disk_.Inject(
      {FileCall::kRemove, absl::UnavailableError("not permitted"), 1, Under("/store/blobs"), true});
  Open();
  const auto report = store_->system.Reclaim();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->kept_aside, 1u);
  EXPECT_THAT(report->problems, Contains(HasSubstr("cannot be unlinked")));
  std::vector<std::string> found;
  ASSERT_TRUE(store_->system
                  .Check([&](const CheckStep& step) {
                    if (step.finding.has_value()) found.push_back(step.finding->text);
                    return true;
                  })
                  .ok());
  EXPECT_THAT(found, testing::ElementsAre(HasSubstr("not permitted")));
  disk_.ClearFaults();
  clock_.Advance(600 * kSecond);
  ASSERT_TRUE(store_->system.Reclaim().ok());
  EXPECT_EQ(store_->system.Reclaim()->kept_aside, 0u);
  EXPECT_EQ(disk_.List("/store/blobs/000000").value_or(std::vector<std::string>()).size(), 0u);
}

// One damaged row stops neither the rest of a pass nor what comes after it.
TEST_F(UploadTableTest, EveryStepOfASweepRuns) {
  Receive("old", 100'000);
  const Digest damaged = HashBytes(DigestAlgorithm::kSha256, "damaged");
  const Digest blob = HashBytes(DigestAlgorithm::kSha256, "garbage");
  {
    const auto upload = Begin("");
    ASSERT_TRUE(upload->Append(0, "garbage").ok());
    ASSERT_TRUE(upload->Commit(blob, std::nullopt).ok());
  }
  LeaseRequest lease;
  lease.id = "lease";
  lease.ttl_nanos = 3600 * kSecond;
  ASSERT_TRUE(store_->claims.CreateLease(lease).ok());
  ASSERT_TRUE(index_
                  ->Run([&](Transaction& txn) {
                    EXPECT_TRUE(txn.Put(BlobKey(damaged), "junk").ok());
                    EXPECT_TRUE(txn.Put(CondemnedKey(1, damaged), "").ok());
                    return txn.Put(CondemnedPrefix() + "junk", "");
                  })
                  .ok());
  clock_.Advance(25 * 3600 * kSecond);
  const auto report = store_->system.Reclaim();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->blobs, 1u);
  EXPECT_GE(report->kept_aside, 1u);
  EXPECT_THAT(report->problems, testing::Not(IsEmpty()));
  EXPECT_EQ(store_->blobs.StatBlob("", blob).status().code(), Code::kNotFound);
  EXPECT_EQ(ResumeCode("old"), Code::kNotFound);
  EXPECT_THAT(store_->claims.ListLeases({}).value().rows, IsEmpty());
}

}  // namespace
}  // namespace varve
