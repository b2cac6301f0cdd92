// What only the index on disk can show: reopening, and files that were damaged or torn.
#include <gmock/gmock.h>
#include <rocksdb/db.h>

#include <chrono>

#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/counter.h"
#include "storage/limits.h"
#include "tests/storage/index/index_directory.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using testing::HasSubstr;

void Put(Index& index, const std::string& key, const std::string& value,
         Durability durability = Durability::kSynced) {
  const absl::Status status =
      index.Run([&](Transaction& t) { return t.Put(key, value); }, durability);
  ASSERT_TRUE(status.ok()) << status;
}

std::string Value(Index& index, const std::string& key) {
  const auto value = index.Get(key);
  return value.ok() ? value->value_or("(absent)") : value.status().ToString();
}

// RocksDB writes tables when it replays its log, so that opening twice moves rows out of the log.
void MoveRowsToTables(const IndexDirectory& directory) {
  const auto opened = directory.Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
}

TEST(RocksdbIndexTest, ReopensWithEverythingCommitted) {
  IndexDirectory directory;
  const std::string inline_blob(60'000, 'x');
  for (int round = 0; round < 3; ++round) {
    auto index = directory.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    const std::string suffix = std::to_string(round);
    Put(**index, "synced" + suffix, "1");
    Put(**index, "buffered" + suffix, "2", Durability::kBuffered);
    Put(**index, "i" + suffix, inline_blob + suffix);
    EXPECT_TRUE((*index)->Run([](Transaction& t) { return t.Add("n", 5); }).ok());
    for (int before = 0; before <= round; ++before) {
      const std::string earlier = std::to_string(before);
      EXPECT_EQ(Value(**index, "synced" + earlier), "1");
      EXPECT_EQ(Value(**index, "buffered" + earlier), "2");
      EXPECT_EQ(Value(**index, "i" + earlier), inline_blob + earlier);
    }
    EXPECT_EQ(DecodeCounter(Value(**index, "n")), 5 * (round + 1));
  }
}

TEST(RocksdbIndexTest, TakesAPathWithATrailingSlash) {
  IndexDirectory directory;
  {
    const auto index = OpenRocksdbIndex(directory.path() + "/", {});
    ASSERT_TRUE(index.ok()) << index.status();
    Put(**index, "k", "v");
  }
  const auto index = directory.Open();
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(Value(**index, "k"), "v");
}

TEST(RocksdbIndexTest, KeepsInlineBlobsInBlobFiles) {
  IndexDirectory directory;
  {
    const auto index = directory.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    for (int i = 0; i < 20; ++i) Put(**index, "i" + std::to_string(i), std::string(30'000, 'x'));
    Put(**index, "other", std::string(30'000, 'x'));
  }
  MoveRowsToTables(directory);
  EXPECT_EQ(directory.Files(".blob").size(), 1u);
  const auto index = directory.Open();
  ASSERT_TRUE(index.ok()) << index.status();
  const auto rows = (*index)->Scan({"i", "j"}, 100);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 20u);
  EXPECT_EQ(rows->at(7).value, std::string(30'000, 'x'));
}

// One iterator goes from range to range, forwards and back, over tables with blocks of 4 KiB, rows
// that lie in memory only, marks of deleted rows and a transaction's own writes.
TEST(RocksdbIndexTest, FirstOfEachFindsWhatAScanOfEachDoes) {
  IndexDirectory directory;
  SeededRandom random(7);
  const auto key = [&] { return StrCat("e", 100 + random.Next() % 900); };
  const auto write = [&](Transaction& t, int rows) -> absl::Status {
    for (int i = 0; i < rows; ++i) {
      if (i % 3 == 0) RETURN_IF_ERROR(t.Delete(key()));
      RETURN_IF_ERROR(t.Put(key(), std::string(200, 'v')));
    }
    return absl::OkStatus();
  };
  const auto expect_same = [&](auto& reads) {
    std::vector<KeyRange> ranges;
    for (int i = 0; i < 300; ++i) {
      const std::string begin = key();
      ranges.push_back(i % 2 == 0 ? PrefixRange(begin) : KeyRange{begin, key()});
    }
    const absl::StatusOr<FirstRows> first = reads.FirstOfEach(ranges);
    ASSERT_TRUE(first.ok()) << first.status();
    for (size_t i = 0; i < ranges.size(); ++i) {
      const auto scanned = reads.Scan(ranges[i], 1);
      ASSERT_TRUE(scanned.ok()) << scanned.status();
      const std::string expected = scanned->empty() ? "(none)" : (*scanned)[0].key;
      EXPECT_EQ((*first)[i].has_value() ? (*first)[i]->key : "(none)", expected)
          << ranges[i].begin << " to " << ranges[i].end;
    }
  };
  for (int round = 0; round < 4; ++round) {
    const auto index = directory.Open();  // what was written before is in tables now
    ASSERT_TRUE(index.ok()) << index.status();
    expect_same(**index);
    const absl::Status written =
        (*index)->Run([&](Transaction& t) { return write(t, round < 2 ? 400 : 60); });
    ASSERT_TRUE(written.ok()) << written;
    expect_same(**index);
    const auto t = (*index)->Begin();
    ASSERT_TRUE(write(*t, 100).ok());
    expect_same(*t);
  }
}

TEST(RocksdbIndexTest, RefusesASecondOpen) {
  IndexDirectory directory;
  const auto first = directory.Open();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(directory.Open().status().code(), absl::StatusCode::kUnavailable);
}

TEST(RocksdbIndexTest, RefusesWhatANewerVersionWrote) {
  IndexDirectory directory;
  { ASSERT_TRUE(directory.Open().ok()); }
  {
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    ASSERT_TRUE(
        rocksdb::DB::Open({}, directory.path(), {{"default", {}}, {"inline", {}}}, &handles, &db)
            .ok());
    rocksdb::ColumnFamilyHandle* newer = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily({}, "newer", &newer).ok());
    handles.push_back(newer);
    for (auto* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    delete db;
  }
  const absl::Status status = directory.Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("newer version"));
}

class DamagedIndex : public testing::Test {
 protected:
  void SetUp() override {
    const auto index = directory_.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    for (int i = 0; i < 200; ++i) {
      Put(**index, "k" + std::to_string(i), std::string(500, 'v'), Durability::kBuffered);
    }
    Put(**index, "i1", std::string(30'000, 'x'));
  }
  IndexDirectory directory_;
};

TEST_F(DamagedIndex, AMissingTableIsDataLoss) {
  MoveRowsToTables(directory_);
  for (const std::string& file : directory_.Files(".sst")) std::filesystem::remove(file);
  EXPECT_EQ(directory_.Open().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DamagedIndex, AMissingCurrentFileIsNoNewIndex) {
  std::filesystem::remove(directory_.path() + "/CURRENT");
  const absl::Status status = directory_.Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CURRENT"));
}

TEST_F(DamagedIndex, AMissingManifestIsDataLoss) {
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    if (entry.path().filename().string().starts_with("MANIFEST")) {
      std::filesystem::remove(entry.path());
    }
  }
  EXPECT_EQ(directory_.Open().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DamagedIndex, AFlippedByteOfATableIsDataLossNotAWrongValue) {
  MoveRowsToTables(directory_);
  for (const std::string& file : directory_.Files(".sst")) {
    std::string bytes = IndexDirectory::Read(file);
    bytes[bytes.size() / 4] = static_cast<char>(bytes[bytes.size() / 4] ^ 0x10);
    IndexDirectory::Write(file, bytes);
  }
  const auto index = directory_.Open();  // may notice by itself, by where the byte lies
  const absl::Status status =
      index.ok() ? (*index)->Scan({"k", "l"}, 1000).status() : index.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_F(DamagedIndex, AFlippedByteOfABlobFileIsDataLossNotAWrongValue) {
  MoveRowsToTables(directory_);
  const auto files = directory_.Files(".blob");
  ASSERT_EQ(files.size(), 1u);
  std::string bytes = IndexDirectory::Read(files[0]);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  IndexDirectory::Write(files[0], bytes);
  const auto index = directory_.Open();
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ((*index)->Get("i1").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Value(**index, "k7"), std::string(500, 'v'));
}

// Every shape in which a power cut may leave the unsynced end of the log: the commits before stay.
class TornLog : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Shapes, TornLog,
                         testing::Values("cut", "zeros", "garbage", "hole", "appended zeros",
                                         "appended garbage"));

void Tear(const std::string& shape, std::string* log, size_t synced_bytes) {
  const size_t tail = log->size() - synced_bytes;
  if (shape == "cut") log->resize(synced_bytes + tail / 2);
  if (shape == "zeros") log->replace(synced_bytes, tail, tail, '\0');
  if (shape == "garbage") log->replace(synced_bytes, tail, tail, '\xa5');
  // Later pages are on the disk, an earlier one is not.
  if (shape == "hole") log->replace(synced_bytes, tail / 2, tail / 2, '\0');
  if (shape == "appended zeros") log->resize(synced_bytes), log->append(9000, '\0');
  if (shape == "appended garbage") log->resize(synced_bytes), log->append(9000, '\x5a');
}

TEST_P(TornLog, KeepsAPrefixThatHoldsEverythingSynced) {
  IndexDirectory directory;
  size_t synced_bytes = 0;
  std::string synced_then;  // SYNCED, as a cut of the power after that sync leaves it
  {
    const auto index = directory.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    for (int i = 0; i < 50; ++i) Put(**index, "synced" + std::to_string(i), std::string(900, 's'));
    const auto logs = directory.Files(".log");
    ASSERT_EQ(logs.size(), 1u);
    synced_bytes = IndexDirectory::Read(logs[0]).size();
    synced_then = IndexDirectory::Read(directory.path() + "/SYNCED");
    for (int i = 10; i < 60; ++i) {
      Put(**index, "tail" + std::to_string(i), std::string(900, 't'), Durability::kBuffered);
    }
  }
  const std::string log = directory.Files(".log").at(0);
  std::string bytes = IndexDirectory::Read(log);
  ASSERT_GT(bytes.size(), synced_bytes + 40'000);
  Tear(GetParam(), &bytes, synced_bytes);
  IndexDirectory::Write(log, bytes);
  IndexDirectory::Write(directory.path() + "/SYNCED", synced_then);

  for (int round = 0; round < 2; ++round) {  // what was dropped must not come back later either
    const auto index = directory.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(Value(**index, "synced" + std::to_string(i)), std::string(900, 's')) << i;
    }
    bool gone = false;
    for (int i = 10; i < 60; ++i) {
      const bool here = Value(**index, "tail" + std::to_string(i)) == std::string(900, 't');
      EXPECT_FALSE(gone && here) << "a commit was kept after one that was dropped: " << i;
      gone = gone || !here;
    }
    EXPECT_TRUE(gone);
    Put(**index, "round" + std::to_string(round), "");
  }
}

// Each life leaves a small table of the newest level: a daemon that is started again and again must
// not come to the point where RocksDB slows writes down until it has merged them.
TEST(RocksdbIndexTest, ManyShortLivesStallNoWrite) {
  IndexDirectory directory;
  Mutex mutex;
  std::string warned;
  RocksdbIndexOptions options;
  options.cache_bytes = 8 << 20;
  options.warn = [&](std::string_view sentence) {
    MutexLock lock(mutex);
    warned += StrCat(sentence, "\n");
  };
  for (int life = 0; life < 50; ++life) {
    const auto index = OpenRocksdbIndex(directory.path(), options);
    ASSERT_TRUE(index.ok()) << index.status();
    Put(**index, StrCat("k", life), "v");
    Put(**index, StrCat("i", life), "v");
  }
  MutexLock lock(mutex);
  EXPECT_EQ(warned, "");
}

TEST(RocksdbIndexTest, AHundredThousandRowsReopenAtOnce) {
  IndexDirectory directory;
  {
    const auto index = directory.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    for (int begin = 0; begin < 100'000; begin += 500) {
      const absl::Status status = (*index)->Run(
          [begin](Transaction& t) -> absl::Status {
            for (int i = begin; i < begin + 500; ++i) {
              RETURN_IF_ERROR(t.Put("row/" + std::to_string(i), std::string(100, 'r')));
            }
            return absl::OkStatus();
          },
          Durability::kBuffered);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const auto index = directory.Open();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(Value(**index, "row/99999"), std::string(100, 'r'));
  EXPECT_LT(seconds.count(), 5.0);  // far above the fraction it takes, for loaded test machines
}

}  // namespace
}  // namespace varve
