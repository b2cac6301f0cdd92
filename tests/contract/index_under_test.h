// The engines that the index contract runs over, and short forms for its tests. Each test owns its
// engine; a RocksDB one lives in a directory that goes with it.
#ifndef VARVE_TESTS_CONTRACT_INDEX_UNDER_TEST_H_
#define VARVE_TESTS_CONTRACT_INDEX_UNDER_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rocksdb_index.h"
#include "tests/support/flaky_index.h"
#include "tests/support/temporary_directory.h"

namespace varve {

enum class Engine { kRocksdb, kMemory, kFlaky };

inline std::string EngineName(const testing::TestParamInfo<Engine>& info) {
  switch (info.param) {
    case Engine::kRocksdb:
      return "Rocksdb";
    case Engine::kMemory:
      return "Memory";
    case Engine::kFlaky:
      return "FlakyMemory";
  }
  return "";
}

class IndexTest : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    if (GetParam() == Engine::kRocksdb) {
      RocksdbIndexOptions options;
      options.cache_bytes = 8 << 20;
      auto opened = OpenRocksdbIndex(directory_.path() + "/index", options);
      ASSERT_TRUE(opened.ok()) << opened.status();
      index_ = *std::move(opened);
    } else {
      index_ = NewMemoryIndex();
      if (GetParam() == Engine::kFlaky) index_ = NewFlakyIndex(std::move(index_), FlakyOptions());
    }
  }

  bool flaky() const { return GetParam() == Engine::kFlaky; }

  void Put(const std::string& key, const std::string& value) {
    const absl::Status status =
        index_->Run([&](Transaction& transaction) { return transaction.Put(key, value); });
    ASSERT_TRUE(status.ok()) << status;
  }

  // What is committed; "(absent)" when nothing is.
  std::string Value(const std::string& key) {
    const auto value = index_->Get(key);
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? value->value_or("(absent)") : "(error)";
  }

  std::vector<std::string> Keys(const KeyRange& range, size_t limit = 1000) {
    const auto rows = index_->Scan(range, limit);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return KeysOf(rows);
  }

  // Without the tokens that Run leaves.
  static std::vector<std::string> KeysOf(const absl::StatusOr<std::vector<KeyValue>>& rows) {
    std::vector<std::string> keys;
    if (!rows.ok()) return {"(error) " + rows.status().ToString()};
    uint32_t slot = 0;
    for (const KeyValue& row : *rows) {
      if (!ParseCommitTokenKey(row.key, &slot)) keys.push_back(row.key);
    }
    return keys;
  }

  size_t Tokens() {
    const auto rows = index_->Scan(PrefixRange(CommitTokenKey(0).substr(0, 1)), 1000);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? rows->size() : 0;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Index> index_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_INDEX_UNDER_TEST_H_
