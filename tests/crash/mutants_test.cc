// The proof that the crash suite can fail: engines that break one rule each of the write order of
// storage/FORMAT.md, judged by the same replays as the engine itself. Each must be found out.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "storage/base/str_cat.h"
#include "storage/index/keys.h"
#include "tests/crash/late_syncs.h"
#include "tests/crash/replay.h"
#include "tests/support/forwarding_index.h"

namespace varve {
namespace {

// Replays with the mutant until a cut finds it out; prints which one did.
bool FoundOut(const Scenario& scenario, const Sabotage& mutant, size_t cuts) {
  const Sampling sampling{.modes = {Survival::kOnlySynced}, .cuts = cuts, .seed = 7};
  for (const Cut& cut : CutsOf(scenario, sampling)) {
    const std::vector<std::string> violations = Replay(scenario, cut, mutant);
    if (violations.empty()) continue;
    std::printf("found out by %s: %s\n", Describe(scenario, cut).c_str(), violations[0].c_str());
    return true;
  }
  return false;
}

TEST(MutantsTest, NoFdatasyncOfBlobFilesIsFoundOut) {
  Sabotage mutant;
  mutant.lies = [](MemoryFileSystem& disk) { disk.IgnoreFileSyncs(Under(kBlobsDirectory)); };
  EXPECT_TRUE(FoundOut(LoosePushes(), mutant, 30));
  EXPECT_TRUE(FoundOut(LargeManifests(), mutant, 30));
}

TEST(MutantsTest, NoSyncOfBlobDirectoriesIsFoundOut) {
  Sabotage mutant;
  mutant.lies = [](MemoryFileSystem& disk) { disk.IgnoreDirectorySyncs(Under(kBlobsDirectory)); };
  EXPECT_TRUE(FoundOut(LoosePushes(), mutant, 30));
  EXPECT_TRUE(FoundOut(LargeManifests(), mutant, 30));
}

TEST(MutantsTest, NoSyncOfTheStoresDirectoryIsFoundOut) {
  Sabotage mutant;
  mutant.lies = [](MemoryFileSystem& disk) {
    disk.IgnoreDirectorySyncs([](const std::string& path) { return path == kStoreDirectory; });
  };
  EXPECT_TRUE(FoundOut(LoosePushes(), mutant, 30));
}

TEST(MutantsTest, AnUnsyncedLogIsFoundOut) {
  Sabotage mutant;
  mutant.lies = [](MemoryFileSystem& disk) {
    disk.IgnoreFileSyncs([](const std::string& path) {
      return path.starts_with(kIndexDirectory) && path.ends_with(".log");
    });
  };
  EXPECT_TRUE(FoundOut(InlinePushes(), mutant, 30));
}

// Stands before an index: lets a test act around commits.
class WatchedIndex final : public ForwardingIndex {
 public:
  struct Watch {
    std::function<void(std::string_view key)> on_put;
    std::function<void()> before_commit;
    std::function<void()> after_commit;
    // How durable a commit is that wrote these keys.
    std::function<Durability(const std::vector<std::string>& written, Durability asked)> durability;
  };

  WatchedIndex(std::unique_ptr<Index> base, Watch watch)
      : ForwardingIndex(*base), base_(std::move(base)), watch_(std::move(watch)) {}

  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<Watched>(base_->Begin(), watch_);
  }

 private:
  class Watched final : public ForwardingTransaction {
   public:
    Watched(std::unique_ptr<Transaction> base, const Watch& watch)
        : ForwardingTransaction(std::move(base)), watch_(watch) {}

    absl::Status Put(std::string_view key, std::string_view value) override {
      if (watch_.on_put) watch_.on_put(key);
      written_.emplace_back(key);
      return base().Put(key, value);
    }
    absl::Status Delete(std::string_view key) override {
      written_.emplace_back(key);
      return base().Delete(key);
    }
    absl::Status Add(std::string_view key, int64_t delta) override {
      written_.emplace_back(key);
      return base().Add(key, delta);
    }
    absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
      if (watch_.before_commit) watch_.before_commit();
      if (watch_.durability) durability = watch_.durability(written_, durability);
      absl::StatusOr<CommitOutcome> outcome = base().Commit(durability);
      if (watch_.after_commit) watch_.after_commit();
      return outcome;
    }

   private:
    const Watch& watch_;
    std::vector<std::string> written_;
  };

  const std::unique_ptr<Index> base_;
  const Watch watch_;
};

TEST(MutantsTest, AnUnlinkBeforeTheCommitIsFoundOut) {
  Sabotage mutant;
  mutant.index = [](std::unique_ptr<Index> index, FileSystem& disk) -> std::unique_ptr<Index> {
    auto going = std::make_shared<std::vector<std::string>>();
    WatchedIndex::Watch watch;
    watch.on_put = [going](std::string_view key) {
      FileId file = 0;
      if (ParseRemovingKey(key, &file)) going->push_back(BlobPath(file));
    };
    watch.before_commit = [going, &disk] {
      for (const std::string& path : *going) {
        disk.Remove(path).IgnoreError();
        disk.SyncDirectory(path.substr(0, path.rfind('/'))).IgnoreError();
      }
      going->clear();
    };
    return std::make_unique<WatchedIndex>(std::move(index), std::move(watch));
  };
  EXPECT_TRUE(FoundOut(Removals(), mutant, 200));
}

// The reclaimer commits a page of removals without a sync, and then syncs once.
TEST(MutantsTest, AnUnlinkBeforeTheSyncOfItsPageIsFoundOut) {
  Sabotage mutant;
  mutant.index = [](std::unique_ptr<Index> index, FileSystem&) -> std::unique_ptr<Index> {
    WatchedIndex::Watch watch;
    watch.durability = [](const std::vector<std::string>& written, Durability asked) {
      FileId file = 0;
      const bool only_the_sync = written.size() == 1 && ParseRemovingKey(written.front(), &file);
      return only_the_sync ? Durability::kBuffered : asked;
    };
    return std::make_unique<WatchedIndex>(std::move(index), std::move(watch));
  };
  EXPECT_TRUE(FoundOut(Removals(), mutant, 200));
}

TEST(MutantsTest, ACommitBeforeTheDataIsSyncedIsFoundOut) {
  Sabotage mutant;
  mutant.file_system = [](MemoryFileSystem& disk) {
    return std::make_unique<LateSyncs>(disk, kBlobsDirectory);
  };
  mutant.index = [](std::unique_ptr<Index> index, FileSystem& disk) -> std::unique_ptr<Index> {
    WatchedIndex::Watch watch;
    watch.after_commit = [&late = static_cast<LateSyncs&>(disk)] { late.SyncNow(); };
    return std::make_unique<WatchedIndex>(std::move(index), std::move(watch));
  };
  EXPECT_TRUE(FoundOut(LoosePushes(), mutant, 200));
}

}  // namespace
}  // namespace varve
