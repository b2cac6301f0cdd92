// What the index on disk does when its disk fails or is full.
#include <gmock/gmock.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "storage/base/status.h"
#include "storage/limits.h"
#include "tests/storage/index/index_directory.h"

namespace varve {
namespace {

using testing::HasSubstr;

enum class Fault { kNone, kSyncFails, kAppendFails, kDiskFull };

// A disk whose log files fail on demand; everything else works, unless the disk is full.
class FaultyDisk : public rocksdb::FileSystemWrapper {
 public:
  FaultyDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultyDisk"; }

  void Set(Fault fault) { fault_ = fault; }

  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 uint64_t* free_bytes, rocksdb::IODebugContext* debug) override {
    if (fault_ != Fault::kDiskFull) {
      return FileSystemWrapper::GetFreeSpace(path, options, free_bytes, debug);
    }
    *free_bytes = 0;
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    if (fault_ == Fault::kDiskFull) return rocksdb::IOStatus::NoSpace("the test's disk is full");
    std::unique_ptr<rocksdb::FSWritableFile> file;
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &file, debug);
    if (status.ok()) {
      *result = std::make_unique<File>(std::move(file), this, name.ends_with(".log"));
    }
    return status;
  }

 private:
  class File : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, FaultyDisk* disk, bool is_log)
        : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), is_log_(is_log) {}

    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (disk_->fault_ == Fault::kDiskFull) {
        return rocksdb::IOStatus::NoSpace("the test's disk is full");
      }
      if (is_log_ && disk_->fault_ == Fault::kAppendFails) return Broken();
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      if (is_log_ && disk_->fault_ == Fault::kSyncFails) return Broken();
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      if (is_log_ && disk_->fault_ == Fault::kSyncFails) return Broken();
      return FSWritableFileOwnerWrapper::Fsync(options, debug);
    }

   private:
    static rocksdb::IOStatus Broken() {
      return rocksdb::IOStatus::IOError("the test's disk broke");
    }

    FaultyDisk* const disk_;
    const bool is_log_;
  };

  std::atomic<Fault> fault_ = Fault::kNone;
};

class RocksdbFailureTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    index_.reset();
    RocksdbIndexOptions options;
    options.cache_bytes = 8 << 20;
    options.file_system = disk_;
    auto index = OpenRocksdbIndex(directory_.path(), options);
    ASSERT_TRUE(index.ok()) << index.status();
    index_ = *std::move(index);
  }

  absl::Status Put(const std::string& key, Durability durability = Durability::kSynced) {
    return index_->Run([&](Transaction& t) { return t.Put(key, "v"); }, durability);
  }
  absl::Status FindThere(const std::string& key) {
    return index_->Run([&](Transaction& t) -> absl::Status {
      ASSIGN_OR_RETURN(const auto value, t.GetForUpdate(key, Guard::kShared));
      return value.has_value() ? absl::OkStatus() : absl::NotFoundError(key);
    });
  }

  IndexDirectory directory_;
  const std::shared_ptr<FaultyDisk> disk_ = std::make_shared<FaultyDisk>();
  std::unique_ptr<Index> index_;
};

TEST_F(RocksdbFailureTest, AFailedSyncIsNeverFollowedByAnAcknowledgement) {
  ASSERT_TRUE(Put("before").ok());
  disk_->Set(Fault::kSyncFails);
  const absl::Status failed = Put("during");
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable) << failed;
  EXPECT_THAT(std::string(failed.message()), HasSubstr("restart the daemon"));

  disk_->Set(Fault::kNone);  // the kernel forgets a failed sync; the index must not
  EXPECT_EQ(Put("after").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Put("after", Durability::kBuffered).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(FindThere("before").code(), absl::StatusCode::kUnavailable);
  const auto value = index_->Get("before");
  ASSERT_TRUE(value.ok()) << value.status();  // pulls go on
  EXPECT_EQ(*value, "v");

  Reopen();
  EXPECT_TRUE(FindThere("before").ok());
  EXPECT_TRUE(absl::IsNotFound(FindThere("after")));
  EXPECT_TRUE(Put("after").ok());
}

TEST_F(RocksdbFailureTest, AFailedWriteOfTheLogStopsWritesUntilReopened) {
  ASSERT_TRUE(Put("before").ok());
  disk_->Set(Fault::kAppendFails);
  EXPECT_EQ(Put("during").code(), absl::StatusCode::kUnavailable);
  disk_->Set(Fault::kNone);
  EXPECT_EQ(Put("after").code(), absl::StatusCode::kUnavailable);
  Reopen();
  EXPECT_TRUE(FindThere("before").ok());
  EXPECT_TRUE(absl::IsNotFound(FindThere("during")));
  EXPECT_TRUE(Put("after").ok());
}

TEST_F(RocksdbFailureTest, AFullDiskIsSaidAndHealsOnceThereIsSpace) {
  ASSERT_TRUE(Put("before").ok());
  disk_->Set(Fault::kDiskFull);
  for (int i = 0; i < 3; ++i) {
    const absl::Status full = Put("during");
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
    EXPECT_THAT(std::string(full.message()), HasSubstr("disk is full"));
  }
  const auto value = index_->Get("before");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, "v");

  disk_->Set(Fault::kNone);
  absl::Status healed;
  for (int i = 0; i < 100; ++i) {
    healed = Put("after");
    if (healed.ok()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(healed.ok()) << healed;
  EXPECT_TRUE(FindThere("before").ok());
  Reopen();
  EXPECT_TRUE(FindThere("after").ok());
  EXPECT_TRUE(absl::IsNotFound(FindThere("during")));
}

}  // namespace
}  // namespace varve
