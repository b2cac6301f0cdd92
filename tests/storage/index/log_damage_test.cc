// Damage to the part of the log that was synced is never taken for the torn end that a crash
// leaves: the index refuses to open, changes nothing, and opens for who accepts that loss.
#include <gmock/gmock.h>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "tests/storage/index/index_directory.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

constexpr int kRows = 50;

class LogDamageTest : public testing::Test {
 protected:
  void SetUp() override {
    { ASSERT_TRUE(directory_.Open().ok()); }  // so that the log is not the first one
    const auto index = directory_.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    for (int i = 0; i < kRows; ++i) {
      ASSERT_TRUE((*index)->Run([&](Transaction& t) { return t.Put(Key(i), Value(i)); }).ok());
    }
    const auto logs = directory_.Files(".log");
    ASSERT_FALSE(logs.empty());
    log_ = logs.back();
  }

  static std::string Key(int i) { return StrCat("k", i); }
  static std::string Value(int i) { return std::string(900, static_cast<char>('a' + i % 26)); }

  absl::StatusOr<std::unique_ptr<Index>> Open(const std::string& accept_loss = "") {
    RocksdbIndexOptions options;
    options.cache_bytes = 8 << 20;
    options.accept_loss = accept_loss;
    return OpenRocksdbIndex(directory_.path(), options);
  }
  static std::string DamageIdOf(const absl::Status& status) {
    const auto id = status.GetPayload(kLogDamagePayload);
    return id.has_value() ? std::string(*id) : "";
  }
  std::vector<std::string> Files() {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".sst")) files.push_back(name);  // of no manifest; the next opening
    }
    return files;
  }
  void Flip(size_t at) {
    std::string bytes = IndexDirectory::Read(log_);
    ASSERT_LT(at, bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    IndexDirectory::Write(log_, bytes);
  }
  // How many of the rows are there; they are the first ones.
  static int Prefix(Index& index) {
    int count = 0;
    while (count < kRows && index.Get(Key(count)).value().has_value()) ++count;
    for (int i = count; i < kRows; ++i) EXPECT_FALSE(index.Get(Key(i)).value().has_value()) << i;
    return count;
  }
  // The index stays closed, and as it is, until its id is accepted.
  void ExpectRefusedUntilAccepted(int least_rows_lost) {
    const std::string log = std::filesystem::exists(log_) ? IndexDirectory::Read(log_) : "";
    const absl::Status refused = Open().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
    const std::string id = DamageIdOf(refused);
    ASSERT_EQ(id.size(), 16u) << refused;
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(std::filesystem::path(log_).filename().string()));
    EXPECT_EQ(DamageIdOf(Open("0123456789abcdef").status()), id);
    if (std::filesystem::exists(log_)) EXPECT_EQ(IndexDirectory::Read(log_), log);
    {
      RocksdbIndexOptions options;
      const auto readable = ReadRocksdbIndex(directory_.path(), options);
      ASSERT_TRUE(readable.ok()) << readable.status();
      EXPECT_LE(Prefix(**readable), kRows - least_rows_lost);
      EXPECT_EQ((*readable)->Run([](Transaction& t) { return t.Put("k", "v"); }).code(),
                absl::StatusCode::kFailedPrecondition);
    }
    EXPECT_EQ(DamageIdOf(Open().status()), id);
    {
      const auto accepted = Open(id);
      ASSERT_TRUE(accepted.ok()) << accepted.status();
      EXPECT_LE(Prefix(**accepted), kRows - least_rows_lost);
      ASSERT_TRUE((*accepted)->Run([](Transaction& t) { return t.Put("after", "v"); }).ok());
    }
    const auto again = Open();  // and that is that
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE((*again)->Get("after").value().has_value());
  }

  IndexDirectory directory_;
  std::string log_;
};

TEST_F(LogDamageTest, AFlippedBitInTheMiddle) {
  Flip(IndexDirectory::Read(log_).size() / 2);
  ExpectRefusedUntilAccepted(kRows / 2 - 2);
}

TEST_F(LogDamageTest, AFlippedBitInTheFirstRecord) {
  Flip(9);
  ExpectRefusedUntilAccepted(1);
}

TEST_F(LogDamageTest, AFlippedBitInTheLastRecord) {
  Flip(IndexDirectory::Read(log_).size() - 100);
  ExpectRefusedUntilAccepted(1);
}

TEST_F(LogDamageTest, ALogThatIsShort) {
  const std::string bytes = IndexDirectory::Read(log_);
  IndexDirectory::Write(log_, bytes.substr(0, bytes.size() / 3));
  ExpectRefusedUntilAccepted(kRows / 2);
}

TEST_F(LogDamageTest, ALogThatIsMissing) {
  std::filesystem::remove(log_);
  ExpectRefusedUntilAccepted(kRows);
}

TEST_F(LogDamageTest, ALogThatIsMissingBesideAnother) {
  std::filesystem::remove(log_);
  IndexDirectory::Write(directory_.path() + "/000999.log", "");
  ExpectRefusedUntilAccepted(kRows);
}

TEST_F(LogDamageTest, AnAcceptedIdDoesNotAcceptAnother) {
  const size_t size = IndexDirectory::Read(log_).size();
  Flip(size / 2);
  const std::string id = DamageIdOf(Open().status());
  Flip(size / 4);
  const absl::Status status = Open(id).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_NE(DamageIdOf(status), id);
}

TEST_F(LogDamageTest, AnAttemptThatIsRefusedLeavesNothingButTablesBehind) {
  Flip(IndexDirectory::Read(log_).size() / 2);
  const std::vector<std::string> before = Files();
  EXPECT_FALSE(Open().ok());
  EXPECT_THAT(Files(), UnorderedElementsAreArray(before));
}

TEST_F(LogDamageTest, AnIndexWithoutTheFileOpensAsBefore) {
  std::filesystem::remove(directory_.path() + "/SYNCED");
  Flip(IndexDirectory::Read(log_).size() / 2);
  const auto index = Open();
  ASSERT_TRUE(index.ok()) << index.status();
}

// Killed just after rows went to tables: the log that held them is gone, or about to go, and which
// logs the family without rows still needs stands nowhere.
class DoneWithLog : public LogDamageTest {
 protected:
  void SetUp() override {
    const auto index = directory_.Open();
    ASSERT_TRUE(index.ok()) << index.status();
    ASSERT_TRUE((*index)->Run([](Transaction& t) { return t.Put("synced", "v"); }).ok());
    const std::string log = directory_.Files(".log").back();
    const std::string bytes = IndexDirectory::Read(log);
    for (int i = 0; i < 10'000 && std::filesystem::exists(log); ++i) {
      ASSERT_TRUE((*index)
                      ->Run([i](Transaction& t) { return t.Put(StrCat("b", i), Value(i)); },
                            Durability::kBuffered)
                      .ok());
    }
    ASSERT_FALSE(std::filesystem::exists(log));
    std::filesystem::copy(directory_.path(), killed_);
    killed_log_ = StrCat(killed_, "/", std::filesystem::path(log).filename().string());
    log_bytes_ = bytes;
  }
  void TearDown() override { std::filesystem::remove_all(killed_); }

  void ExpectOpens() {
    RocksdbIndexOptions options;
    options.cache_bytes = 8 << 20;
    const auto index = OpenRocksdbIndex(killed_, options);
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_TRUE((*index)->Get("synced").value().has_value());
  }

  const std::string killed_ = directory_.path() + "_killed";
  std::string killed_log_;
  std::string log_bytes_;
};

TEST_F(DoneWithLog, ThatIsGoneIsNoDamage) { ExpectOpens(); }

TEST_F(DoneWithLog, ThatIsStillThereIsNoDamage) {
  IndexDirectory::Write(killed_log_, log_bytes_);
  ExpectOpens();
}

TEST_F(LogDamageTest, TheFileKeepsUpOverManyLives) {
  for (int life = 0; life < 5; ++life) {
    const auto index = Open();
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_EQ(Prefix(**index), kRows);
    ASSERT_TRUE(
        (*index)->Run([&](Transaction& t) { return t.Put(StrCat("l", life), Value(life)); }).ok());
    const auto logs = directory_.Files(".log");
    ASSERT_FALSE(logs.empty());
    log_ = logs.back();
  }
  Flip(20);
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace varve
