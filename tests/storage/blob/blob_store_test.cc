// Blobs of an open store whose index and disk the test holds in its hands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/read_whole.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Code = absl::StatusCode;

constexpr char kConfig[] = "{}";

class BlobStoreTest : public testing::Test {
 protected:
  void SetUp() override { Open(/*max_bytes=*/0); }

  // Starts over with an empty store.
  void Open(uint64_t max_bytes) {
    store_.reset();
    disk_ = std::make_unique<MemoryFileSystem>();
    EngineOptions options;
    options.max_bytes = max_bytes;
    options.file_system = disk_.get();
    options.clock = &clock_;
    options.alarm = [this](std::string_view sentence) { alarms_.emplace_back(sentence); };
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      auto index = NewMemoryIndex();
      index_ = index.get();
      return index;
    };
    auto opened = OpenEngine("/store", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  Digest Push(std::string_view bytes) {
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
    auto upload = store_->blobs.BeginUpload("app", {});
    EXPECT_TRUE(upload.ok()) << upload.status();
    EXPECT_TRUE((*upload)->Append(0, bytes).ok());
    const auto info = (*upload)->Commit(digest, bytes.size());
    EXPECT_TRUE(info.ok()) << info.status();
    return digest;
  }
  // A manifest that names kConfig; its note is as long as wanted.
  static std::string Json(std::string_view note) {
    return StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)",
                  R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")",
                  HashBytes(DigestAlgorithm::kSha256, kConfig).ToString(),
                  R"(","size":2},"layers":[],"annotations":{"note":")", note, R"("}})");
  }
  absl::Status Put(const std::string& json) {
    PutManifestRequest request;
    request.bytes = json;
    return store_->manifests.PutManifest("app", request).status();
  }
  void FlipByte(const Digest& digest, size_t at) {
    const auto flipped = index_->Run([&](Transaction& txn) -> absl::Status {
      ASSIGN_OR_RETURN(const auto value, txn.Get(InlineKey(digest)));
      std::string bytes = value.value();
      bytes.at(at) = static_cast<char>(bytes.at(at) ^ 0x10);
      return txn.Put(InlineKey(digest), bytes);
    });
    ASSERT_TRUE(flipped.ok()) << flipped;
  }
  Code OpenCode(const Digest& digest) {
    return store_->blobs.OpenBlob("app", digest).status().code();
  }
  Code StatCode(const Digest& digest) {
    return store_->blobs.StatBlob("app", digest).status().code();
  }
  uint64_t OpenedFiles() { return disk_->Counters(Under("/store/blobs")).Calls(FileCall::kOpen); }

  std::unique_ptr<MemoryFileSystem> disk_;
  FakeClock clock_;
  std::vector<std::string> alarms_;
  Index* index_ = nullptr;  // the store's
  std::unique_ptr<Engine> store_;
};

TEST_F(BlobStoreTest, DamagedInlineBytesAreAbsentUntilTheyArePushedAgain) {
  const std::string bytes = "a small blob";
  const Digest digest = Push(bytes);
  const size_t row_bytes = index_->Get(InlineKey(digest)).value()->size();
  for (size_t at = 0; at < row_bytes; ++at) {
    SCOPED_TRACE(at);
    FlipByte(digest, at);
    EXPECT_EQ(OpenCode(digest), Code::kNotFound);
    EXPECT_EQ(StatCode(digest), Code::kNotFound);
    EXPECT_THAT(store_->blobs.FindMissing("app", std::vector<Digest>{digest}).value(),
                ElementsAre(digest));
    EXPECT_EQ(Push(bytes), digest);
    EXPECT_EQ(StatCode(digest), Code::kOk);
    const auto reader = store_->blobs.OpenBlob("app", digest);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(ReadWhole(*reader).value(), bytes);
  }
}

TEST_F(BlobStoreTest, WhatANewerVersionPackedIsNeitherAbsentNorTouched) {
  const Digest digest = Push("a small blob");
  const auto packed = index_->Run([&](Transaction& txn) -> absl::Status {
    BlobRow row;
    row.tier = BlobRow::Tier::kPacked;
    row.size_bytes = 12;
    return txn.Put(BlobKey(digest), row.Encode());
  });
  ASSERT_TRUE(packed.ok()) << packed;
  const std::string row = index_->Get(BlobKey(digest)).value().value();
  for (const absl::Status& answer : {store_->blobs.OpenBlob("app", digest).status(),
                                     store_->blobs.StatBlob("app", digest).status(),
                                     store_->blobs.FindMissing("app", {digest}).status()}) {
    EXPECT_EQ(answer.code(), Code::kUnavailable) << answer;
    EXPECT_THAT(std::string(answer.message()),
                AllOf(HasSubstr(digest.ToString()), HasSubstr("install a newer one")));
  }
  auto upload = store_->blobs.BeginUpload("app", {});
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append(0, "a small blob").ok());
  EXPECT_EQ((*upload)->Commit(digest, 12).status().code(), Code::kUnavailable);
  EXPECT_EQ(index_->Get(BlobKey(digest)).value().value(), row);
}

TEST_F(BlobStoreTest, DamagedManifestIsAbsentUntilItIsPutAgain) {
  Push(kConfig);
  const std::string json = Json("fragile");
  ASSERT_TRUE(Put(json).ok());
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, json);
  FlipByte(digest, json.size() / 2);
  EXPECT_EQ(store_->manifests.GetManifest("app", digest).status().code(), Code::kNotFound);
  const absl::Status stat = store_->manifests.StatManifest("app", digest).status();
  EXPECT_EQ(stat.code(), Code::kNotFound);
  EXPECT_THAT(std::string(stat.message()), HasSubstr("are damaged"));
  EXPECT_THAT(std::string(store_->manifests.GetManifest("app", digest).status().message()),
              HasSubstr("push it again"));
  EXPECT_EQ(store_->manifests.Tag("app", "v1", digest).code(), Code::kNotFound);
  ASSERT_TRUE(Put(json).ok());
  EXPECT_TRUE(store_->manifests.StatManifest("app", digest).ok());
  const auto manifest = store_->manifests.GetManifest("app", digest);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->bytes, json);
}

// Whoever meets it, by whatever call, the operator hears of it: once, with what is to be done.
TEST_F(BlobStoreTest, DamageThatAPullMeetsIsTold) {
  const std::string small = "a small blob";
  const std::string large(100'000, 'l');
  const auto expect_told = [this](const Digest& digest, const std::string& fault) {
    ASSERT_THAT(alarms_, SizeIs(1));
    EXPECT_THAT(alarms_[0], AllOf(HasSubstr(digest.ToString()), HasSubstr(fault),
                                  HasSubstr("varve fsck"), HasSubstr("a push of it heals that")));
    alarms_.clear();
    clock_.Advance(3600 * kNanosPerSecond);
  };
  const Digest inlined = Push(small);
  FlipByte(inlined, 20);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(OpenCode(inlined), Code::kNotFound);
  expect_told(inlined, "its bytes in the index are damaged");
  EXPECT_EQ(StatCode(inlined), Code::kNotFound);
  expect_told(inlined, "it was found damaged");

  const Digest loose = Push(large);
  const std::vector<std::string> ranges = disk_->List("/store/blobs").value();
  ASSERT_THAT(ranges, SizeIs(1));
  const std::string range = StrCat("/store/blobs/", ranges[0]);
  const std::string path = StrCat(range, "/", disk_->List(range).value().at(0));
  ASSERT_TRUE(disk_->OpenForWrite(path).value()->Truncate(99'999).ok());
  EXPECT_EQ(OpenCode(loose), Code::kNotFound);
  expect_told(loose, "has 99999 bytes, not 100000");
  ASSERT_TRUE(disk_->Remove(path).ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(OpenCode(loose), Code::kNotFound);
    EXPECT_EQ(StatCode(loose), Code::kNotFound);
  }
  expect_told(loose, "is gone");
  EXPECT_THAT(store_->blobs.FindMissing("app", std::vector<Digest>{loose}).value(),
              ElementsAre(loose));
  expect_told(loose, "is gone");
  Push(large);
  EXPECT_EQ(OpenCode(loose), Code::kOk);
  EXPECT_THAT(alarms_, IsEmpty());
}

TEST_F(BlobStoreTest, WhatIsNotHereIsNoDamage) {
  EXPECT_EQ(OpenCode(HashBytes(DigestAlgorithm::kSha256, "other")), Code::kNotFound);
  EXPECT_EQ(StatCode(HashBytes(DigestAlgorithm::kSha256, "other")), Code::kNotFound);
  EXPECT_THAT(alarms_, IsEmpty());
}

// A disk that does not say whether the file is there: HEAD knows no more than GET.
TEST_F(BlobStoreTest, WhatTheDiskDoesNotSayIsNotAbsent) {
  const Digest digest = Push(std::string(100'000, 'l'));
  for (const FileCall call : {FileCall::kStat, FileCall::kOpen}) {
    disk_->Inject({.call = call,
                   .status = ErrnoToStatus(EIO, "call"),
                   .path = Under("/store/blobs"),
                   .repeats = true});
  }
  EXPECT_EQ(OpenCode(digest), Code::kUnavailable);
  EXPECT_EQ(StatCode(digest), Code::kUnavailable);
  EXPECT_EQ(store_->blobs.FindMissing("app", std::vector<Digest>{digest}).status().code(),
            Code::kUnavailable);
  disk_->ClearFaults();
  EXPECT_EQ(StatCode(digest), Code::kOk);
  EXPECT_THAT(alarms_, IsEmpty());
}

TEST_F(BlobStoreTest, ManifestsOverTheLimitOfTheStoreAreRefused) {
  Open(/*max_bytes=*/200'000);
  Push(kConfig);
  Push(std::string(100'000, 'x'));
  const std::string loose = Json(std::string(100'000, 'l'));
  ASSERT_GT(loose.size(), kMaxInlineBlobBytes);
  const std::string rest = Json(std::string(60'000, 'r'));
  const std::string small = Json(std::string(50'000, 's'));
  ASSERT_LT(small.size(), kMaxInlineBlobBytes);
  const auto created = [&] {
    return disk_->Counters(Under("/store/blobs")).Calls(FileCall::kCreate);
  };
  const uint64_t before = created();
  const auto refused = [&](const std::string& json) {
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, json);
    EXPECT_EQ(Put(json).code(), Code::kResourceExhausted);
    EXPECT_EQ(store_->manifests.GetManifest("app", digest).status().code(), Code::kNotFound);
    EXPECT_EQ(index_->Get(BlobKey(digest)).value(), std::nullopt);
    EXPECT_EQ(index_->Get(InlineKey(digest)).value(), std::nullopt);
    EXPECT_EQ(created(), before);
  };
  refused(loose);
  refused(loose);
  // What was refused has taken no room, and what is put takes its room once.
  ASSERT_TRUE(Put(rest).ok());
  refused(small);
  EXPECT_TRUE(Put(Json(std::string(30'000, 's'))).ok());
}

TEST_F(BlobStoreTest, UploadThatNobodyHoldsHoldsNoDescriptor) {
  const std::string head(100'000, 'h');
  UploadOptions options;
  options.id = "idle";
  {
    auto upload = store_->blobs.BeginUpload("app", options);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE((*upload)->Append(0, head).ok());
    ASSERT_TRUE((*upload)->Checkpoint().ok());
  }
  const uint64_t before = OpenedFiles();
  auto upload = store_->blobs.ResumeUpload("app", "idle");
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append(head.size(), "tail").ok());
  EXPECT_EQ(OpenedFiles(), before + 1);
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, head + "tail");
  EXPECT_TRUE((*upload)->Commit(digest, head.size() + 4).ok());
  EXPECT_EQ(OpenCode(digest), Code::kOk);
}

}  // namespace
}  // namespace varve
