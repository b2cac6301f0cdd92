// Uploads: one state machine, whatever door feeds it.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "storage/base/str_cat.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::SizeIs;
using Code = absl::StatusCode;

class StoreUploadsTest : public StoreContractTest {
 protected:
  std::unique_ptr<OpenUpload> Begin(std::string_view repository, std::string_view id = {}) {
    UploadOptions options;
    options.id = id;
    auto upload = store().blobs.BeginUpload(repository, options);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return upload.ok() ? *std::move(upload) : nullptr;
  }
  Code ResumeCode(std::string_view repository, std::string_view id) {
    return store().blobs.ResumeUpload(repository, id).status().code();
  }
  void ExpectCommitDropsUpload(const std::string& bytes, const Digest& expected, uint64_t size) {
    auto upload = Begin("app");
    const std::string id = upload->status().id;
    ASSERT_TRUE(upload->Append(0, bytes).ok());
    EXPECT_EQ(upload->Commit(expected, size).status().code(), Code::kInvalidArgument);
    upload.reset();
    EXPECT_EQ(ResumeCode("app", id), Code::kNotFound);
    EXPECT_EQ(StatCode("app", Sha256(bytes)), Code::kNotFound);
    EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
  }
};
STORE_SUITE(StoreUploadsSizeTest, StoreUploadsTest, kUploadSize);
STORE_SUITE(StoreUploadsHeldTest, StoreUploadsTest, kHeldUploads);
STORE_SUITE(StoreUploadsRestartTest, StoreUploadsTest, kRestartUpload);
STORE_SUITE(StoreUploadsChosenIdsTest, StoreUploadsTest, kChosenUploadIds);
STORE_SUITE(StoreUploadsNewIdsTest, StoreUploadsTest, kNewUploadIds);

TEST_P(StoreUploadsTest, PiecesMakeTheWholeAndOffsetsMustContinue) {
  const std::string bytes = MakeBytes(300'000, 1);
  auto upload = Begin("app");
  EXPECT_EQ(upload->status().offset_bytes, 0u);
  EXPECT_FALSE(upload->status().id.empty());
  const std::string_view rest(bytes);
  ASSERT_TRUE(upload->Append(0, rest.substr(0, 10)).ok());
  EXPECT_EQ(upload->Append(0, "again").code(), Code::kOutOfRange);
  EXPECT_EQ(upload->Append(11, "gap").code(), Code::kOutOfRange);
  EXPECT_EQ(upload->Append(kMaxBlobBytes - 100, "far away").code(), Code::kOutOfRange);
  ASSERT_TRUE(upload->Append(10, "").ok());
  ASSERT_TRUE(upload->Append(10, rest.substr(10, 70'000)).ok());
  ASSERT_TRUE(upload->Append(70'010, rest.substr(70'010)).ok());
  EXPECT_EQ(upload->status().offset_bytes, bytes.size());
  EXPECT_EQ(StatCode("app", Sha256(bytes)), Code::kNotFound);
  ASSERT_TRUE(upload->Commit(Sha256(bytes), bytes.size()).ok());
  EXPECT_TRUE(Read("app", Sha256(bytes)) == bytes);
}

TEST_P(StoreUploadsSizeTest, OffsetsDoNotWrapAround) {
  auto upload = Begin("app");
  ASSERT_TRUE(upload->Append(0, "0123456789").ok());
  for (const uint64_t offset : {~uint64_t{0}, ~uint64_t{0} - 9, ~uint64_t{0} >> 1}) {
    EXPECT_EQ(upload->Append(offset, "0123456789").code(), Code::kOutOfRange);
  }
  ASSERT_TRUE(upload->Commit(Sha256("0123456789"), 10).ok());
}

TEST_P(StoreUploadsHeldTest, EndedUploadTakesNothingMore) {
  auto upload = Begin("app");
  const std::string id = upload->status().id;
  ASSERT_TRUE(upload->Append(0, "bytes").ok());
  ASSERT_TRUE(upload->Commit(Sha256("bytes"), std::nullopt).ok());
  EXPECT_EQ(upload->Append(5, "more").code(), Code::kFailedPrecondition);
  EXPECT_EQ(upload->Commit(Sha256("bytes"), std::nullopt).status().code(),
            Code::kFailedPrecondition);
  EXPECT_EQ(upload->Restart().code(), Code::kFailedPrecondition);
  EXPECT_EQ(upload->Checkpoint().code(), Code::kFailedPrecondition);
  EXPECT_EQ(upload->Expect(1).code(), Code::kFailedPrecondition);
  EXPECT_EQ(upload->Abort().code(), Code::kFailedPrecondition);
  EXPECT_EQ(ResumeCode("app", id), Code::kNotFound);
}

TEST_P(StoreUploadsTest, WrongDigestDropsTheUpload) {
  for (const size_t size : {size_t{100}, size_t{200'000}}) {
    ExpectCommitDropsUpload(MakeBytes(size, size), Sha256("other"), size);
  }
}

TEST_P(StoreUploadsSizeTest, WrongSizeDropsTheUpload) {
  for (const size_t size : {size_t{100}, size_t{200'000}}) {
    const std::string bytes = MakeBytes(size, size);
    ExpectCommitDropsUpload(bytes, Sha256(bytes), size + 1);
  }
}

TEST_P(StoreUploadsTest, ResumesByIdInItsRepositoryOnly) {
  const std::string bytes = MakeBytes(100'000, 3);
  auto upload = Begin("app");
  const std::string id = upload->status().id;
  ASSERT_TRUE(upload->Append(0, std::string_view(bytes).substr(0, 70'000)).ok());
  upload.reset();
  EXPECT_EQ(ResumeCode("other", id), Code::kNotFound);
  EXPECT_EQ(ResumeCode("app", "unknown"), Code::kNotFound);
  EXPECT_EQ(ResumeCode("app", std::string(kMaxUploadIdBytes + 1, 'x')), Code::kNotFound);
  auto resumed = store().blobs.ResumeUpload("app", id);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ((*resumed)->status().offset_bytes, 70'000u);
  ASSERT_TRUE((*resumed)->Append(70'000, std::string_view(bytes).substr(70'000)).ok());
  ASSERT_TRUE((*resumed)->Commit(Sha256(bytes), bytes.size()).ok());
  EXPECT_TRUE(Read("app", Sha256(bytes)) == bytes);
}

TEST_P(StoreUploadsHeldTest, SecondHolderWaitsForTheFirst) {
  auto upload = Begin("app");
  const std::string id = upload->status().id;
  ASSERT_TRUE(upload->Append(0, "bytes").ok());
  std::thread first([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    upload.reset();
  });
  const auto second = store().blobs.ResumeUpload("app", id);
  first.join();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->status().offset_bytes, 5u);
  EXPECT_EQ(ResumeCode("app", id), Code::kAborted);
}

TEST_P(StoreUploadsRestartTest, RestartDropsWhatWasReceived) {
  for (const size_t size : {size_t{1000}, size_t{200'000}}) {
    auto upload = Begin("app");
    ASSERT_TRUE(upload->Append(0, MakeBytes(size, 1)).ok());
    ASSERT_TRUE(upload->Checkpoint().ok());
    ASSERT_TRUE(upload->Restart().ok());
    EXPECT_EQ(upload->status().offset_bytes, 0u);
    const std::string bytes = MakeBytes(size, 2);
    ASSERT_TRUE(upload->Append(0, bytes).ok());
    ASSERT_TRUE(upload->Commit(Sha256(bytes), size).ok());
    EXPECT_TRUE(Read("app", Sha256(bytes)) == bytes);
    EXPECT_EQ(StatCode("app", Sha256(MakeBytes(size, 1))), Code::kNotFound);
  }
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(1));
}

TEST_P(StoreUploadsTest, AbortLeavesNothing) {
  auto upload = Begin("app");
  const std::string id = upload->status().id;
  ASSERT_TRUE(upload->Append(0, MakeBytes(200'000, 1)).ok());
  ASSERT_TRUE(upload->Checkpoint().ok());
  ASSERT_TRUE(upload->Abort().ok());
  EXPECT_EQ(ResumeCode("app", id), Code::kNotFound);
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
  upload.reset();
  under_test().Reopen();
  EXPECT_EQ(ResumeCode("app", id), Code::kNotFound);
}

TEST_P(StoreUploadsTest, ExpireByTimeUnlessContinued) {
  under_test().Advance(kHour);
  auto idle = Begin("app");
  const std::string idle_id = idle->status().id;
  ASSERT_TRUE(idle->Append(0, MakeBytes(100'000, 1)).ok());
  idle.reset();
  auto continued = Begin("app");
  const std::string continued_id = continued->status().id;
  continued.reset();
  under_test().Advance(13 * kHour);
  continued = store().blobs.ResumeUpload("app", continued_id).value();
  ASSERT_TRUE(continued->Append(0, "some bytes").ok());
  continued.reset();
  under_test().Advance(12 * kHour);
  Reclaim();
  EXPECT_EQ(ResumeCode("app", idle_id), Code::kNotFound);
  EXPECT_EQ(ResumeCode("app", continued_id), Code::kOk);
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
}

TEST_P(StoreUploadsHeldTest, HeldUploadDoesNotExpire) {
  auto held = Begin("app");
  under_test().Advance(25 * kHour);
  Reclaim();
  EXPECT_TRUE(held->Append(0, "still mine").ok());
}

TEST_P(StoreUploadsChosenIdsTest, ClientsMayChooseIds) {
  EXPECT_EQ(Begin("app", "layer-1")->status().id, "layer-1");
  EXPECT_EQ(ResumeCode("app", "layer-1"), Code::kOk);
  EXPECT_EQ(ResumeCode("app", std::string(100'000, 'x')), Code::kNotFound);
  auto aborted = Begin("app", "layer-2");
  ASSERT_TRUE(aborted->Append(0, "bytes").ok());
  ASSERT_TRUE(aborted->Abort().ok());
  EXPECT_NE(Begin("app", "layer-2"), nullptr);
  UploadOptions options;
  options.id = std::string(kMaxUploadIdBytes, 'i');
  EXPECT_TRUE(store().blobs.BeginUpload("app", options).ok());
  for (const std::string& id :
       {std::string(kMaxUploadIdBytes + 1, 'i'), std::string("a b"), std::string("a\n"),
        std::string("\xc3\xa4"), std::string(1, '\0')}) {
    options.id = id;
    EXPECT_EQ(store().blobs.BeginUpload("app", options).status().code(), Code::kInvalidArgument);
  }
}

TEST_P(StoreUploadsNewIdsTest, ChosenIdMustBeNew) {
  Begin("app", "layer-1");
  UploadOptions options;
  options.id = "layer-1";
  EXPECT_EQ(store().blobs.BeginUpload("app", options).status().code(), Code::kAlreadyExists);
}

TEST_P(StoreUploadsTest, OfTooManyOpenUploadsTheIdlestEmptyOneGoes) {
  StoreSettings settings;
  settings.max_uploads = 20;
  Make(settings);
  std::vector<std::string> ids;
  for (size_t i = 0; i < 3 * settings.max_uploads; ++i) {
    const auto upload = Begin("app");
    ASSERT_NE(upload, nullptr);
    ids.push_back(upload->status().id);
  }
  EXPECT_EQ(ResumeCode("app", ids.front()), Code::kNotFound);
  EXPECT_EQ(ResumeCode("app", ids[2 * settings.max_uploads - 1]), Code::kNotFound);
  EXPECT_EQ(ResumeCode("app", ids[2 * settings.max_uploads]), Code::kOk);
  EXPECT_EQ(ResumeCode("app", ids.back()), Code::kOk);
}

TEST_P(StoreUploadsTest, ContinueAfterAReopenWithoutReadingAgain) {
  for (const size_t size : {size_t{5000}, size_t{3'000'000}}) {
    const std::string bytes = MakeBytes(size, size);
    std::string id;
    {
      auto upload = Begin("app");
      id = upload->status().id;
      ASSERT_TRUE(upload->Append(0, std::string_view(bytes).substr(0, size / 2)).ok());
    }
    under_test().Reopen();
    const auto read_before = under_test().blob_bytes_read();
    auto upload = store().blobs.ResumeUpload("app", id);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_EQ((*upload)->status().offset_bytes, size / 2);
    ASSERT_TRUE((*upload)->Append(size / 2, std::string_view(bytes).substr(size / 2)).ok());
    ASSERT_TRUE((*upload)->Commit(Sha256(bytes), size).ok());
    EXPECT_EQ(under_test().blob_bytes_read(), read_before);
    EXPECT_TRUE(Read("app", Sha256(bytes)) == bytes);
    under_test().Reopen();
    EXPECT_EQ(ResumeCode("app", id), Code::kNotFound);
  }
}

TEST_P(StoreUploadsTest, TornTailPastTheCheckpointIsCutOff) {
  const std::string bytes = MakeBytes(300'000, 9);
  std::string id;
  {
    auto upload = Begin("app");
    id = upload->status().id;
    ASSERT_TRUE(upload->Append(0, std::string_view(bytes).substr(0, 200'000)).ok());
  }
  ASSERT_TRUE(store().system.CheckpointUploads().ok());
  const auto files = under_test().BlobFiles();
  ASSERT_THAT(files, SizeIs(1));
  {
    auto file = under_test().disk().OpenForWrite(files[0]);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->WriteAt(200'000, std::string(500'000, '!')).ok());
  }
  under_test().Reopen();
  auto upload = store().blobs.ResumeUpload("app", id);
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_EQ((*upload)->status().offset_bytes, 200'000u);
  ASSERT_TRUE((*upload)->Append(200'000, std::string_view(bytes).substr(200'000)).ok());
  ASSERT_TRUE((*upload)->Commit(Sha256(bytes), bytes.size()).ok());
  EXPECT_TRUE(Read("app", Sha256(bytes)) == bytes);
}

TEST_P(StoreUploadsTest, UploadWhoseFileIsLostIsForgottenAtOpen) {
  std::string id;
  {
    auto upload = Begin("app");
    id = upload->status().id;
    ASSERT_TRUE(upload->Append(0, MakeBytes(200'000, 1)).ok());
  }
  ASSERT_TRUE(store().system.CheckpointUploads().ok());
  for (const std::string& path : under_test().BlobFiles()) {
    ASSERT_TRUE(under_test().disk().Remove(path).ok());
  }
  under_test().Reopen();
  EXPECT_EQ(ResumeCode("app", id), Code::kNotFound);
}

TEST_P(StoreUploadsSizeTest, FullStoreRefusesBeforeTheBytesArriveAndKeepsTheUpload) {
  StoreSettings settings;
  settings.max_bytes = 1'000'000;
  Make(settings);
  UploadOptions options;
  for (const uint64_t size : {uint64_t{1'000'001}, ~uint64_t{0}}) {
    options.size_bytes = size;
    EXPECT_EQ(store().blobs.BeginUpload("app", options).status().code(), Code::kResourceExhausted);
  }
  auto upload = Begin("app");
  EXPECT_EQ(upload->Expect(1'000'001).code(), Code::kResourceExhausted);
  const std::string id = upload->status().id;
  upload.reset();
  auto resumed = store().blobs.ResumeUpload("app", id);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  ASSERT_TRUE((*resumed)->Append(0, "smaller").ok());
  EXPECT_TRUE((*resumed)->Commit(Sha256("smaller"), 7).ok());
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
}

TEST_P(StoreUploadsHeldTest, RoomIsReservedWhileHeldAndGivenBack) {
  StoreSettings settings;
  settings.max_bytes = 1'000'000;
  Make(settings);
  UploadOptions options;
  options.size_bytes = 600'000;
  for (int i = 0; i < 3; ++i) {
    auto upload = store().blobs.BeginUpload("app", options);
    ASSERT_TRUE(upload.ok()) << upload.status();
    EXPECT_EQ(store().blobs.BeginUpload("app", options).status().code(), Code::kResourceExhausted);
    EXPECT_EQ((*upload)->Expect(1'000'001).code(), Code::kResourceExhausted);
    EXPECT_EQ((*upload)->Append(0, MakeBytes(1'000'001, 1)).code(), Code::kResourceExhausted);
    EXPECT_EQ((*upload)->status().offset_bytes, 0u);
  }
  EXPECT_THAT(under_test().BlobFiles(), SizeIs(0));
}

TEST_P(StoreUploadsTest, StreamOfUnknownSizeFillsTheStoreToItsLimit) {
  StoreSettings settings;
  settings.max_bytes = 1'000'000;
  Make(settings);
  const std::string bytes = MakeBytes(600'000, 1);
  Push("app", bytes);
  auto upload = Begin("app");
  EXPECT_EQ(upload->Append(0, MakeBytes(600'000, 2)).code(), Code::kResourceExhausted);
  upload.reset();
  under_test().Advance(kMinute);  // what it received gives way
  const std::string rest = MakeBytes(300'000, 3);
  EXPECT_TRUE(Read("app", Push("app", rest)) == rest);
}

TEST_P(StoreUploadsTest, SpaceOfRemovedBlobsIsTakenAgain) {
  StoreSettings settings;
  settings.max_bytes = 1'000'000;
  Make(settings);
  for (uint64_t round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    // Small ones too: they count, and lie elsewhere.
    for (uint64_t i = 0; i < 10; ++i) Push("app", MakeBytes(50'000, 100 * round + i));
    Push("app", MakeBytes(300'000, 100 * round + 10));
    under_test().Advance(kHour);
    EXPECT_EQ(Reclaim().blobs, 11u);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreUploadsTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
