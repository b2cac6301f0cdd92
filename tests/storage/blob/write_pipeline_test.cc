#include "storage/blob/write_pipeline.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using Code = absl::StatusCode;

std::string Content(size_t size) {
  std::string bytes(size, '\0');
  uint32_t word = 12345;
  for (char& byte : bytes) {
    word = word * 1664525 + 1013904223;
    byte = static_cast<char>(word >> 24);
  }
  return bytes;
}

// A file that counts what is written before the page cache is to be bypassed.
class CachedBytes final : public WritableFile {
 public:
  explicit CachedBytes(WritableFile& file) : file_(file) {}

  uint64_t bytes() const { return bytes_; }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    if (!bypassed_) bytes_ += data.size();
    return file_.WriteAt(offset, data);
  }
  absl::Status Reserve(uint64_t size_bytes) override { return file_.Reserve(size_bytes); }
  absl::Status Truncate(uint64_t size_bytes) override { return file_.Truncate(size_bytes); }
  void StartWriteback(Extent extent) override { file_.StartWriteback(extent); }
  void BypassPageCache() override { bypassed_ = true; }
  absl::Status Sync() override { return file_.Sync(); }

 private:
  WritableFile& file_;
  uint64_t bytes_ = 0;
  bool bypassed_ = false;
};

class WritePipelineTest : public testing::Test {
 protected:
  void SetUp() override { file_ = disk_.Create("/file").value(); }

  std::string FileContent() {
    const auto file = disk_.OpenForRead("/file").value();
    std::string bytes(file->Stat()->size_bytes, '\0');
    EXPECT_EQ(file->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())).value(), bytes.size());
    return bytes;
  }
  uint64_t writes() { return disk_.Counters().Calls(FileCall::kWrite); }

  MemoryFileSystem disk_;
  std::unique_ptr<WritableFile> file_;
  Hasher hasher_{DigestAlgorithm::kSha256};
  std::atomic<size_t> running_ = 0;
  FakeClock clock_;
  PageCacheBudget page_cache_{clock_, 2 * kWritePieceBytes};
};

TEST_F(WritePipelineTest, WritesWholeCellsOnceAndTheRestAtTheEnd) {
  const std::string whole = Content(3 * kWritePieceBytes + 12'345);
  const auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0);
  ASSERT_NE(pipeline, nullptr);
  ASSERT_TRUE(pipeline->Append(whole).ok());
  ASSERT_TRUE(pipeline->Drain().ok());
  EXPECT_EQ(writes(), 4u);
  ASSERT_TRUE(pipeline->Drain().ok());
  EXPECT_EQ(writes(), 4u);
  EXPECT_EQ(FileContent(), whole);
  EXPECT_EQ(hasher_.bytes_hashed(), whole.size());
  EXPECT_EQ(hasher_.Current(), HashBytes(DigestAlgorithm::kSha256, whole));
}

TEST_F(WritePipelineTest, GoesOnAnywhere) {
  const std::string whole = Content(4 * kWritePieceBytes);
  for (const size_t start :
       {size_t{1}, size_t{4096}, kWritePieceBytes - 1, kWritePieceBytes, kWritePieceBytes + 5000}) {
    hasher_ = Hasher(DigestAlgorithm::kSha256);
    hasher_.Update(std::string_view(whole).substr(0, start));
    ASSERT_TRUE(file_->Truncate(0).ok());
    ASSERT_TRUE(file_->WriteAt(0, std::string_view(whole).substr(0, start)).ok());
    const auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0);
    ASSERT_NE(pipeline, nullptr);
    ASSERT_TRUE(pipeline->Append(std::string_view(whole).substr(start)).ok());
    ASSERT_TRUE(pipeline->Drain().ok());
    EXPECT_EQ(FileContent(), whole) << start;
    EXPECT_EQ(hasher_.Current(), HashBytes(DigestAlgorithm::kSha256, whole)) << start;
  }
  EXPECT_EQ(running_, 0u);
}

// Drains between small pieces write little more than the pieces.
TEST_F(WritePipelineTest, DrainWritesWhatIsNewAndNoMoreThanABlockAgain) {
  const std::string whole = Content(2 * kWritePieceBytes);
  const auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0);
  ASSERT_NE(pipeline, nullptr);
  size_t drains = 0;
  for (size_t at = 0; at < whole.size(); at += 10'007, ++drains) {
    ASSERT_TRUE(pipeline->Append(std::string_view(whole).substr(at, 10'007)).ok());
    ASSERT_TRUE(pipeline->Drain().ok());
    ASSERT_EQ(hasher_.bytes_hashed(), std::min(at + 10'007, whole.size()));
  }
  EXPECT_EQ(FileContent(), whole);
  EXPECT_EQ(hasher_.Current(), HashBytes(DigestAlgorithm::kSha256, whole));
  EXPECT_LE(disk_.Counters().bytes_written, whole.size() + drains * 4096);
}

TEST_F(WritePipelineTest, TheErrorOfAWriteComesBackAndStays) {
  const auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0);
  ASSERT_NE(pipeline, nullptr);
  disk_.Inject({FileCall::kWrite, absl::ResourceExhaustedError("full"), 2, {}, false});
  absl::Status status;
  const std::string piece = Content(kWritePieceBytes / 2);
  for (int i = 0; i < 100 && status.ok(); ++i) status = pipeline->Append(piece);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(pipeline->Append("x").code(), Code::kResourceExhausted);
  EXPECT_EQ(pipeline->Drain().code(), Code::kResourceExhausted);
}

TEST_F(WritePipelineTest, TheErrorOfTheLastWriteComesBackFromDrain) {
  const auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0);
  ASSERT_NE(pipeline, nullptr);
  disk_.Inject({FileCall::kWrite, absl::UnavailableError("failed"), 1, {}, false});
  ASSERT_TRUE(pipeline->Append("few").ok());
  EXPECT_EQ(pipeline->Drain().code(), Code::kUnavailable);
  EXPECT_EQ(pipeline->Drain().code(), Code::kUnavailable);
}

TEST_F(WritePipelineTest, EndsWithWorkLeft) {
  for (int i = 0; i < 20; ++i) {
    const auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0);
    ASSERT_NE(pipeline, nullptr);
    ASSERT_TRUE(pipeline->Append(Content(2 * kWritePieceBytes + 1)).ok());
  }
  EXPECT_EQ(running_, 0u);
}

// The fixture's budget is two pieces; it fills again while the clock moves.
TEST_F(WritePipelineTest, LeavesInThePageCacheWhatTheBudgetAllows) {
  const std::string whole = Content(4 * kWritePieceBytes);
  const auto push = [&](uint64_t expected_bytes) {
    CachedBytes cached(*file_);
    Hasher hasher(DigestAlgorithm::kSha256);
    const auto pipeline =
        WritePipeline::Start(cached, hasher, running_, page_cache_, expected_bytes);
    EXPECT_TRUE(pipeline->Append(whole).ok());
    EXPECT_TRUE(pipeline->Drain().ok());
    EXPECT_EQ(FileContent(), whole);
    return cached.bytes();
  };
  EXPECT_EQ(push(0), 2 * kWritePieceBytes);
  EXPECT_EQ(push(0), 0u);
  clock_.Advance(kPageCacheRefillNanos);
  EXPECT_EQ(push(whole.size()), 0u);  // known to be too large
  EXPECT_EQ(push(2 * kWritePieceBytes), 2 * kWritePieceBytes);
}

TEST_F(WritePipelineTest, OnlySoManyRunAtOnce) {
  std::vector<std::unique_ptr<WritePipeline>> pipelines;
  while (auto pipeline = WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0)) {
    pipelines.push_back(std::move(pipeline));
    ASSERT_LE(pipelines.size(), kMaxWritePipelines);
  }
  EXPECT_EQ(pipelines.size(), kMaxWritePipelines);
  EXPECT_EQ(running_, kMaxWritePipelines);
  pipelines.pop_back();
  EXPECT_NE(WritePipeline::Start(*file_, hasher_, running_, page_cache_, 0), nullptr);
}

}  // namespace
}  // namespace varve
