#include "storage/blob/upload_bytes.h"

#include <gtest/gtest.h>

#include "storage/index/memory_index.h"
#include "storage/limits.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using Code = absl::StatusCode;

class UploadBytesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(disk_.CreateDirectory("/blobs").ok());
    ASSERT_TRUE(disk_.SyncDirectory("/").ok());
  }

  UploadBytes::Parts Parts() {
    return {files_, unnamed_, space_, buffered_, pipelines_, page_cache_};
  }
  std::unique_ptr<UploadBytes> New() {
    return std::make_unique<UploadBytes>(Parts(), DigestAlgorithm::kSha256);
  }
  std::string FileContent(FileId id) {
    const auto file = files_.OpenForRead(id).value();
    std::string bytes(file->Stat()->size_bytes, '\0');
    EXPECT_EQ(file->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())).value(), bytes.size());
    return bytes;
  }

  MemoryFileSystem disk_;
  std::unique_ptr<Index> index_ = NewMemoryIndex();
  IdAllocator ids_{*index_};
  UnnamedFiles unnamed_{ids_};
  BlobFiles files_{disk_, "/blobs"};
  Space space_{disk_, "/", {/*max_bytes=*/64 << 20, 0}, 0};
  std::atomic<size_t> buffered_ = 0;
  std::atomic<size_t> pipelines_ = 0;
  PageCacheBudget page_cache_{SystemClock(), 0};
};

TEST_F(UploadBytesTest, SmallOnesStayInMemory) {
  {
    const auto bytes = New();
    const std::string most(kMaxInlineBlobBytes, 'x');
    ASSERT_TRUE(bytes->Append(most).ok());
    EXPECT_EQ(bytes->file(), 0u);
    EXPECT_EQ(bytes->buffered(), most);
    EXPECT_EQ(buffered_, most.size());
    ASSERT_TRUE(bytes->Sync(true).ok());
    EXPECT_EQ(disk_.mutating_calls(), 2u);  // those of SetUp

    ASSERT_TRUE(bytes->Append("y").ok());
    EXPECT_NE(bytes->file(), 0u);
    EXPECT_EQ(bytes->buffered(), "");
    EXPECT_EQ(buffered_, 0u);
    EXPECT_EQ(FileContent(bytes->file()), most + "y");
    EXPECT_EQ(bytes->DigestOf(DigestAlgorithm::kSha256).value(),
              HashBytes(DigestAlgorithm::kSha256, most + "y"));
    EXPECT_EQ(bytes->DigestOf(DigestAlgorithm::kSha512).value(),
              HashBytes(DigestAlgorithm::kSha512, most + "y"));
  }
  EXPECT_EQ(space_.logical_bytes(), 0u);
}

TEST_F(UploadBytesTest, BuffersOfAllUploadsTogetherAreBounded) {
  buffered_ = kMaxBufferedUploadBytes;
  const auto bytes = New();
  ASSERT_TRUE(bytes->Append("x").ok());
  EXPECT_NE(bytes->file(), 0u);
  EXPECT_EQ(buffered_, kMaxBufferedUploadBytes);
}

TEST_F(UploadBytesTest, ReservedRoomIsGivenBackAtTheEnd) {
  const auto bytes = New();
  ASSERT_TRUE(bytes->Expect(10 << 20).ok());
  EXPECT_GE(disk_.used_bytes(), 10u << 20);
  EXPECT_EQ(space_.logical_bytes(), 10u << 20);
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
  ASSERT_TRUE(bytes->Sync(true).ok());
  EXPECT_LT(disk_.used_bytes(), 1u << 20);
  EXPECT_EQ(FileContent(bytes->file()), std::string(100'000, 'x'));
}

TEST_F(UploadBytesTest, RefusesWhatTheStoreMayNotHold) {
  const auto bytes = New();
  EXPECT_EQ(bytes->Expect((64 << 20) + 1).code(), Code::kResourceExhausted);
  EXPECT_EQ(bytes->Expect(kMaxBlobBytes + 1).code(), Code::kResourceExhausted);
  EXPECT_TRUE(bytes->Expect(64 << 20).ok());
}

TEST_F(UploadBytesTest, TheLastStepMayBeSmallerThanAStep) {
  Space small(disk_, "/", {/*max_bytes=*/200'000, 0}, 0);
  UploadBytes bytes({files_, unnamed_, small, buffered_, pipelines_, page_cache_},
                    DigestAlgorithm::kSha256);
  EXPECT_TRUE(bytes.Append(std::string(200'000, 'x')).ok());
  EXPECT_EQ(bytes.Append("x").code(), Code::kResourceExhausted);
}

TEST_F(UploadBytesTest, BytesAndNameAreDurableAfterSync) {
  const auto bytes = New();
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
  ASSERT_TRUE(bytes->Sync(false).ok());
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'y')).ok());
  const FileId file = bytes->file();
  disk_.PowerUp(Survival::kOnlySynced);
  const std::string content = FileContent(file);
  ASSERT_GE(content.size(), 100'000u);
  EXPECT_EQ(content.substr(0, 100'000), std::string(100'000, 'x'));
}

TEST_F(UploadBytesTest, ClosedFileIsOpenedAgainByTheNextWrite) {
  const auto bytes = New();
  ASSERT_TRUE(bytes->Expect(1 << 20).ok());
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
  ASSERT_TRUE(bytes->Sync(false).ok());
  const auto opened = [&] { return disk_.Counters().Calls(FileCall::kOpen); };
  const uint64_t before = opened();
  ASSERT_TRUE(bytes->Append(std::string(10, 'y')).ok());
  ASSERT_TRUE(bytes->Sync(false).ok());
  EXPECT_EQ(opened(), before);
  bytes->Rest();
  bytes->Rest();
  ASSERT_TRUE(bytes->Append(std::string(10, 'z')).ok());
  EXPECT_EQ(opened(), before + 1);
  ASSERT_TRUE(bytes->Sync(true).ok());
  EXPECT_EQ(opened(), before + 1);
  const std::string whole = std::string(100'000, 'x') + std::string(10, 'y') + std::string(10, 'z');
  EXPECT_EQ(FileContent(bytes->file()), whole);
  EXPECT_EQ(bytes->DigestOf(DigestAlgorithm::kSha256).value(),
            HashBytes(DigestAlgorithm::kSha256, whole));
}

TEST_F(UploadBytesTest, RoomCanBeReservedAgainAfterAFileWasClosed) {
  const auto bytes = New();
  ASSERT_TRUE(bytes->Expect(10 << 20).ok());
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
  ASSERT_TRUE(bytes->Sync(false).ok());
  bytes->Rest();
  ASSERT_TRUE(bytes->Append("y").ok());
  ASSERT_TRUE(bytes->Expect(10 << 20).ok());
  EXPECT_GE(disk_.used_bytes(), 10u << 20);
}

TEST_F(UploadBytesTest, RoomThatWasReservedIsGivenBackWhenNobodyWorksOnTheUpload) {
  const auto bytes = New();
  ASSERT_TRUE(bytes->Expect(10 << 20).ok());
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
  ASSERT_TRUE(bytes->Sync(false).ok());
  bytes->Rest();
  EXPECT_LT(disk_.used_bytes(), 1u << 20);
  EXPECT_EQ(space_.logical_bytes(), 100'000u);
  ASSERT_TRUE(bytes->Sync(true).ok());
  EXPECT_EQ(FileContent(bytes->file()), std::string(100'000, 'x'));
}

// A sync through another descriptor would not report what went wrong before it was opened.
TEST_F(UploadBytesTest, FileWithUnsyncedBytesStaysOpen) {
  const auto bytes = New();
  const auto opened = [&] { return disk_.Counters().Calls(FileCall::kOpen); };
  ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
  bytes->Rest();
  ASSERT_TRUE(bytes->Sync(false).ok());
  ASSERT_TRUE(bytes->Append("y").ok());
  bytes->Rest();
  ASSERT_TRUE(bytes->Sync(true).ok());
  EXPECT_EQ(opened(), 0u);
  EXPECT_EQ(FileContent(bytes->file()), std::string(100'000, 'x') + "y");
}

TEST_F(UploadBytesTest, FailedWritesAndSyncsAreErrors) {
  for (const FileCall call : {FileCall::kCreate, FileCall::kWrite, FileCall::kSync}) {
    disk_.Inject({call, absl::UnavailableError("failed"), 1, {}, false});
    const auto bytes = New();
    absl::Status status = bytes->Append(std::string(100'000, 'x'));
    if (status.ok()) status = bytes->Sync(true);
    EXPECT_EQ(status.code(), Code::kUnavailable);
  }
}

TEST_F(UploadBytesTest, RestoresWithoutReading) {
  UploadRow row;
  {
    const auto bytes = New();
    ASSERT_TRUE(bytes->Append(std::string(100'000, 'x')).ok());
    ASSERT_TRUE(bytes->Sync(false).ok());
    row.file = bytes->file();
    row.hash_state = bytes->HashState();
    ASSERT_TRUE(bytes->Append(std::string(50'000, '!')).ok());
  }
  const auto restored = UploadBytes::Restore(Parts(), row);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->size_bytes(), 100'000u);
  EXPECT_EQ(space_.logical_bytes(), 100'000u);
  ASSERT_TRUE((*restored)->Append("tail").ok());
  ASSERT_TRUE((*restored)->Sync(true).ok());
  EXPECT_EQ(disk_.Counters().bytes_read, 0u);
  const std::string whole = std::string(100'000, 'x') + "tail";
  EXPECT_EQ(FileContent(row.file), whole);
  EXPECT_EQ((*restored)->DigestOf(DigestAlgorithm::kSha256).value(),
            HashBytes(DigestAlgorithm::kSha256, whole));
}

TEST_F(UploadBytesTest, CommitRightAfterRestoreCutsTheTail) {
  UploadRow row;
  {
    const auto bytes = New();
    ASSERT_TRUE(bytes->Append(std::string(64 << 10, 'x')).ok());
    ASSERT_TRUE(bytes->Sync(false).ok());
    row.file = bytes->file();
    row.hash_state = bytes->HashState();
    ASSERT_TRUE(bytes->Append("!").ok());
  }
  const auto restored = UploadBytes::Restore(Parts(), row);
  ASSERT_TRUE(restored.ok());
  ASSERT_TRUE((*restored)->Sync(true).ok());
  disk_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(FileContent(row.file), std::string(64 << 10, 'x'));
}

// A large upload in pieces of any size, synced now and then, whose file is closed in between and
// whose process ends once: the same bytes and the same digest as of a small one.
TEST_F(UploadBytesTest, LargeUploadsGoThroughThePipeline) {
  UploadBytes::Parts parts = Parts();
  parts.large_blob_bytes = 500'000;
  std::string whole;
  for (uint64_t word = 1; whole.size() < 5'000'000; word = word * 6364136223846793005u + 1) {
    whole.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  auto bytes = std::make_unique<UploadBytes>(parts, DigestAlgorithm::kSha256);
  bool piped = false;
  size_t step = 0;
  while (bytes->size_bytes() < whole.size()) {
    const size_t size = 1 + (++step * 7919'317) % 90'000;
    ASSERT_TRUE(bytes->Append(std::string_view(whole).substr(bytes->size_bytes(), size)).ok());
    piped = piped || pipelines_ == 1;
    EXPECT_EQ(pipelines_, bytes->size_bytes() >= 590'000 ? 1u : pipelines_.load());
    if (step % 11 == 0) {
      ASSERT_TRUE(bytes->Sync(false).ok());
    }
    if (step % 22 == 0) {
      bytes->Rest();
      EXPECT_EQ(pipelines_, 0u);
    }
    if (step == 44) {
      UploadRow row;
      row.file = bytes->file();
      row.hash_state = bytes->HashState();
      bytes = UploadBytes::Restore(parts, row).value();
    }
  }
  EXPECT_TRUE(piped);
  EXPECT_EQ(bytes->DigestOf(DigestAlgorithm::kSha256).value(),
            HashBytes(DigestAlgorithm::kSha256, whole));
  ASSERT_TRUE(bytes->Sync(true).ok());
  const FileId file = bytes->file();
  bytes.reset();
  EXPECT_EQ(pipelines_, 0u);
  disk_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(FileContent(file), whole);
}

TEST_F(UploadBytesTest, ShortOrMissingFilesAreNotRestored) {
  UploadRow row;
  row.file = 77;
  Hasher hasher(DigestAlgorithm::kSha256);
  hasher.Update(std::string(10, 'x'));
  row.hash_state = hasher.SaveState();
  EXPECT_EQ(UploadBytes::Restore(Parts(), row).status().code(), Code::kNotFound);
  ASSERT_TRUE(files_.Create(77).ok());
  EXPECT_EQ(UploadBytes::Restore(Parts(), row).status().code(), Code::kDataLoss);
  row.file = 0;
  row.buffered = "123";
  EXPECT_EQ(UploadBytes::Restore(Parts(), row).status().code(), Code::kDataLoss);
  row.hash_state = "junk";
  EXPECT_EQ(UploadBytes::Restore(Parts(), row).status().code(), Code::kDataLoss);
  EXPECT_EQ(buffered_, 0u);
}

}  // namespace
}  // namespace varve
