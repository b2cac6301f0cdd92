// RocksDB over MemoryFileSystem: a TransactionDB keeps at every cut point what it acknowledged with
// a sync, and loses it when the disk lies, which proves that the cuts cut.
#include "tests/support/memory_rocksdb_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>
#include <rocksdb/utilities/transaction_db.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;

constexpr char kDirectory[] = "/index";
constexpr size_t kBlobBytes = 3000;  // over min_blob_size: goes to a blob file at the flush

// RocksDB sleeps for a second after each background write that failed; these tests fail hundreds.
class ImpatientClock final : public rocksdb::SystemClockWrapper {
 public:
  using SystemClockWrapper::SystemClockWrapper;
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int micros) override {
    target_->SleepForMicroseconds(std::min(micros, 1000));
  }
};

class ImpatientEnv final : public rocksdb::EnvWrapper {
 public:
  explicit ImpatientEnv(MemoryFileSystem& disk)
      : EnvWrapper(rocksdb::NewCompositeEnv(NewMemoryRocksdbFileSystem(disk))) {
    file_system_ = target()->GetFileSystem();
    system_clock_ = std::make_shared<ImpatientClock>(rocksdb::SystemClock::Default());
  }
  const char* Name() const override { return "ImpatientEnv"; }
};

class Database {
 public:
  explicit Database(MemoryFileSystem& disk) : env_(disk) {
    rocksdb::Options options;
    options.env = &env_;
    options.create_if_missing = true;
    options.enable_blob_files = true;
    options.min_blob_size = 1000;
    rocksdb::TransactionDB* db = nullptr;
    status_ = rocksdb::TransactionDB::Open(options, {}, kDirectory, &db);
    db_.reset(db);
  }

  const rocksdb::Status& open_status() const { return status_; }

  // True when acknowledged.
  bool Put(const std::string& key, const std::string& value, bool sync) {
    return db_ != nullptr && db_->Put(WriteOptions(sync), key, value).ok();
  }
  bool Delete(const std::string& key) {
    return db_ != nullptr && db_->Delete(WriteOptions(true), key).ok();
  }
  bool Flush() { return db_ != nullptr && db_->Flush({}).ok(); }
  // nullopt when there is no such key.
  std::optional<std::string> Get(const std::string& key) {
    std::string value;
    const rocksdb::Status status = db_->Get({}, key, &value);
    EXPECT_TRUE(status.ok() || status.IsNotFound()) << status.ToString();
    return status.ok() ? std::optional(value) : std::nullopt;
  }

 private:
  static rocksdb::WriteOptions WriteOptions(bool sync) {
    rocksdb::WriteOptions options;
    options.sync = sync;
    return options;
  }

  ImpatientEnv env_;
  rocksdb::Status status_;
  std::unique_ptr<rocksdb::TransactionDB> db_;
};

// RocksDB does not sync the parent of its directory, so whoever owns that must.
void MakeDirectory(MemoryFileSystem& disk) {
  ASSERT_EQ(disk.CreateDirectory(kDirectory), absl::OkStatus());
  ASSERT_EQ(disk.SyncDirectory("/"), absl::OkStatus());
}

TEST(MemoryRocksdbFileSystemTest, SyncedWritesSurviveAPowerCutAndUnsyncedOnesDoNot) {
  MemoryFileSystem disk;
  MakeDirectory(disk);
  {
    Database db(disk);
    ASSERT_TRUE(db.open_status().ok()) << db.open_status().ToString();
    ASSERT_TRUE(db.Put("synced", "1", true));
    ASSERT_TRUE(db.Put("buffered", "2", false));
    EXPECT_EQ(db.Get("buffered"), "2");
    disk.CutPower();
    EXPECT_FALSE(db.Put("after", "3", true));
  }
  disk.PowerUp(Survival::kOnlySynced);
  Database db(disk);
  ASSERT_TRUE(db.open_status().ok()) << db.open_status().ToString();
  EXPECT_EQ(db.Get("synced"), "1");
  EXPECT_EQ(db.Get("buffered"), std::nullopt);
  EXPECT_EQ(db.Get("after"), std::nullopt);
}

TEST(MemoryRocksdbFileSystemTest, BufferedWritesSurviveAKilledProcess) {
  MemoryFileSystem disk;
  MakeDirectory(disk);
  {
    Database db(disk);
    ASSERT_TRUE(db.Put("buffered", "2", false));
    disk.CutPower();
  }
  disk.PowerUp(Survival::kEverything);
  Database db(disk);
  ASSERT_TRUE(db.open_status().ok()) << db.open_status().ToString();
  EXPECT_EQ(db.Get("buffered"), "2");
}

TEST(MemoryRocksdbFileSystemTest, BlobFilesAreReadBackAfterAFlush) {
  MemoryFileSystem disk;
  MakeDirectory(disk);
  const std::string blob(kBlobBytes, 'b');
  {
    Database db(disk);
    ASSERT_TRUE(db.Put("blob", blob, true));
    ASSERT_TRUE(db.Flush());
    EXPECT_EQ(db.Get("blob"), blob);
    disk.CutPower();
  }
  disk.PowerUp(Survival::kOnlySynced);
  EXPECT_THAT(disk.List(kDirectory).value(), Contains(EndsWith(".blob")));
  Database db(disk);
  ASSERT_TRUE(db.open_status().ok()) << db.open_status().ToString();
  EXPECT_EQ(db.Get("blob"), blob);
}

TEST(MemoryRocksdbFileSystemTest, ASecondDatabaseIsRefused) {
  MemoryFileSystem disk;
  MakeDirectory(disk);
  Database first(disk);
  ASSERT_TRUE(first.open_status().ok());
  EXPECT_TRUE(Database(disk).open_status().IsIOError());
}

TEST(MemoryRocksdbFileSystemTest, AFullDiskFailsTheWrite) {
  MemoryFileSystem disk;
  MakeDirectory(disk);
  Database db(disk);
  ASSERT_TRUE(db.Put("before", "1", true));
  disk.SetCapacity(disk.used_bytes());
  EXPECT_FALSE(db.Put("big", std::string(100'000, 'x'), true));
  EXPECT_EQ(db.Get("before"), "1");
}

// What the workload was told, key by key: the values that may be there after a cut. One value when
// the last write of the key was acknowledged, two while its outcome is unknown.
using Allowed = std::map<std::string, std::vector<std::optional<std::string>>>;

// A small life of a database, to its end or to the first call that is not acknowledged.
void RunWorkload(MemoryFileSystem& disk, Allowed& allowed) {
  Database db(disk);
  const auto put = [&](const std::string& key, const std::string& value) {
    allowed[key].push_back(value);
    if (!db.Put(key, value, true)) return false;
    allowed[key] = {value};
    return true;
  };
  const auto remove = [&](const std::string& key) {
    allowed[key].push_back(std::nullopt);
    if (!db.Delete(key)) return false;
    allowed[key] = {std::nullopt};
    return true;
  };
  for (const char* key : {"a", "b", "blob", "removed", "later"}) allowed[key] = {std::nullopt};
  (void)(put("a", "1") && put("removed", "1") && db.Put("noise", "x", false) &&
         put("blob", std::string(kBlobBytes, 'b')) && db.Flush() && remove("removed") &&
         put("a", "2") && db.Flush() && put("blob", std::string(kBlobBytes, 'c')) &&
         put("b", "1") && db.Put("noise", "y", false) && db.Flush() && put("later", "1"));
}

struct Verdict {
  uint64_t cuts = 0;
  uint64_t losses = 0;  // cuts after which the database did not open or held a value not allowed
  std::string first_loss;
};

// Runs the workload with the power cut at each of its cut points.
Verdict CutEverywhere(Survival survival, Tear tear,
                      const std::function<void(MemoryFileSystem&)>& spoil = {}) {
  Verdict verdict;
  for (bool finished = false; !finished; ++verdict.cuts) {
    MemoryFileSystem disk;
    MakeDirectory(disk);
    if (spoil) spoil(disk);
    Allowed allowed;
    disk.CutPowerAfter(verdict.cuts, tear);
    RunWorkload(disk, allowed);
    finished = disk.powered();
    disk.CutPower();
    disk.PowerUp(survival, verdict.cuts);
    Database db(disk);
    std::string loss;
    if (!db.open_status().ok()) loss = db.open_status().ToString();
    if (loss.empty()) {
      for (const auto& [key, values] : allowed) {
        const std::optional<std::string> value = db.Get(key);
        if (std::find(values.begin(), values.end(), value) == values.end()) {
          loss = StrCat(key, " is ", value.has_value() ? value->substr(0, 5) : "absent");
        }
      }
    }
    if (loss.empty()) continue;
    if (verdict.losses++ == 0) verdict.first_loss = StrCat("cut ", verdict.cuts, ": ", loss);
  }
  return verdict;
}

TEST(RocksdbPowerCut, NothingAcknowledgedIsLostAtAnyCutPoint) {
  for (const Survival survival :
       {Survival::kOnlySynced, Survival::kEverything, Survival::kRandom}) {
    const Verdict verdict = CutEverywhere(survival, Tear::kHalf);
    EXPECT_EQ(verdict.losses, 0u) << verdict.first_loss;
    EXPECT_GT(verdict.cuts, 50u) << "the workload should have many cut points";
  }
}

TEST(RocksdbPowerCut, ALogThatIsNotSyncedLosesWrites) {
  const Verdict verdict =
      CutEverywhere(Survival::kOnlySynced, Tear::kNone, [](MemoryFileSystem& disk) {
        disk.IgnoreFileSyncs([](const std::string& path) {
          return path.size() > 4 && path.substr(path.size() - 4) == ".log";
        });
      });
  EXPECT_GT(verdict.losses, 0u);
}

TEST(RocksdbPowerCut, ADirectoryThatIsNotSyncedLosesWrites) {
  const Verdict verdict =
      CutEverywhere(Survival::kOnlySynced, Tear::kNone,
                    [](MemoryFileSystem& disk) { disk.IgnoreDirectorySyncs(Under(kDirectory)); });
  EXPECT_GT(verdict.losses, 0u);
}

}  // namespace
}  // namespace varve
