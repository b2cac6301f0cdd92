#include "storage/blob/directory_syncs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

// A disk whose directory syncs stop until they are let on. It has nothing else.
class GatedDisk final : public FileSystem {
 public:
  absl::Status SyncDirectory(const std::string& /*path*/) override {
    MutexLock lock(mutex_);
    const int mine = ++started_;
    changed_.NotifyAll();
    while (mine > allowed_) changed_.Wait(mutex_);
    return mine <= failing_ ? absl::UnavailableError("the disk failed") : absl::OkStatus();
  }
  void WaitForStarted(int count) {
    MutexLock lock(mutex_);
    while (started_ < count) changed_.Wait(mutex_);
  }
  // Lets syncs up to the `count`th on; those up to the `failing`th fail.
  void Allow(int count, int failing = 0) {
    MutexLock lock(mutex_);
    allowed_ = count;
    failing_ = failing;
    changed_.NotifyAll();
  }
  int started() {
    MutexLock lock(mutex_);
    return started_;
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string&) override {
    return Nothing();
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string&) override {
    return Nothing();
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string&) override {
    return Nothing();
  }
  absl::StatusOr<FileStat> Stat(const std::string&) override { return Nothing(); }
  absl::Status Remove(const std::string&) override { return Nothing(); }
  absl::Status Rename(const std::string&, const std::string&) override { return Nothing(); }
  absl::Status CreateDirectory(const std::string&) override { return Nothing(); }
  absl::Status RemoveDirectory(const std::string&) override { return Nothing(); }
  absl::StatusOr<std::vector<std::string>> List(const std::string&) override { return Nothing(); }
  absl::StatusOr<uint64_t> FreeBytes(const std::string&) override { return Nothing(); }
  absl::StatusOr<uint64_t> TotalBytes(const std::string&) override { return Nothing(); }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string&) override { return Nothing(); }

 private:
  static absl::Status Nothing() { return absl::NotFoundError("nothing is here"); }

  Mutex mutex_;
  ConditionVariable changed_;
  int started_ ABSL_GUARDED_BY(mutex_) = 0;
  int allowed_ ABSL_GUARDED_BY(mutex_) = 0;
  int failing_ ABSL_GUARDED_BY(mutex_) = 0;
};

constexpr std::chrono::milliseconds kTimeToQueue{50};

TEST(DirectorySyncsTest, CallersDuringASyncShareTheNextOne) {
  GatedDisk disk;
  DirectorySyncs syncs(disk);
  std::atomic<int> succeeded = 0;
  std::vector<std::thread> threads;
  const auto sync = [&] { succeeded += syncs.Sync("/d").ok() ? 1 : 0; };
  threads.emplace_back(sync);
  disk.WaitForStarted(1);
  for (int i = 0; i < 8; ++i) threads.emplace_back(sync);
  std::this_thread::sleep_for(kTimeToQueue);
  EXPECT_EQ(disk.started(), 1);
  disk.Allow(100);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(succeeded, 9);
  // Two: those that came too late for the first. A thread that had not queued yet may add some.
  EXPECT_GE(disk.started(), 2);
  EXPECT_LT(disk.started(), 9);
}

TEST(DirectorySyncsTest, DirectoriesDoNotWaitForEachOther) {
  GatedDisk disk;
  DirectorySyncs syncs(disk);
  std::thread a([&] { EXPECT_TRUE(syncs.Sync("/a").ok()); });
  std::thread b([&] { EXPECT_TRUE(syncs.Sync("/b").ok()); });
  disk.WaitForStarted(2);
  disk.Allow(2);
  a.join();
  b.join();
}

TEST(DirectorySyncsTest, FailureIsToldToTheCoveredAndToNobodyElse) {
  GatedDisk disk;
  DirectorySyncs syncs(disk);
  absl::Status first;
  std::thread covered([&] { first = syncs.Sync("/d"); });
  disk.WaitForStarted(1);
  std::vector<std::thread> later;
  std::atomic<int> succeeded = 0;
  for (int i = 0; i < 4; ++i) {
    later.emplace_back([&] { succeeded += syncs.Sync("/d").ok() ? 1 : 0; });
  }
  std::this_thread::sleep_for(kTimeToQueue);
  disk.Allow(100, /*failing=*/1);
  covered.join();
  for (std::thread& thread : later) thread.join();
  EXPECT_EQ(first.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(succeeded, 4);
  EXPECT_TRUE(syncs.Sync("/d").ok());
}

// A caller that wakes late must still learn of its own failure, also when another sync has failed
// since.
TEST(DirectorySyncsTest, NoFailureIsForgottenWhenSeveralFollowEachOther) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/d").ok());
  disk.Inject({FileCall::kSyncDirectory, absl::UnavailableError("the disk failed"), 1, {}, true});
  DirectorySyncs syncs(disk);
  std::atomic<int> succeeded = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) succeeded += syncs.Sync("/d").ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(succeeded, 0);
}

}  // namespace
}  // namespace varve
