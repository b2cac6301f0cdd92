#include "storage/index/rocksdb_options.h"

#include <rocksdb/advanced_options.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

#include "storage/index/counter.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kInlineFamily[] = "inline";
constexpr uint64_t kMinBlobFileValueBytes = 2048;
constexpr uint64_t kMaxLogBytes = 64 * kMiB;
// Each open table costs a descriptor and ~100 KiB; 512 x 64 MiB is an index of 32 GiB.
constexpr int kMaxOpenFiles = 512;

// Adds counters without reading them, so that hot ones never make commits wait for each other.
class CounterOperator : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice& /*key*/, const rocksdb::Slice* existing_value,
             const rocksdb::Slice& value, std::string* new_value,
             rocksdb::Logger* /*logger*/) const override {
    const int64_t base =
        existing_value == nullptr ? 0 : DecodeCounter(existing_value->ToStringView());
    *new_value = EncodeCounter(AddCounters(base, DecodeCounter(value.ToStringView())));
    return true;
  }
  const char* Name() const override { return "varve.counter"; }
};

// Passes RocksDB's warnings and errors on: stalled writes, failed flushes. The rest of its log
// repeats what the statuses say, and a data directory holds data only.
class WarningLogger : public rocksdb::Logger {
 public:
  explicit WarningLogger(IndexWarning warn)
      : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), warn_(std::move(warn)) {}

  using rocksdb::Logger::Logv;
  [[gnu::format(printf, 2, 0)]] void Logv(const char* format, va_list arguments) override {
    if (warn_ == nullptr) return;
    char sentence[kMaxSentenceBytes];
    std::vsnprintf(sentence, sizeof(sentence), format, arguments);
    warn_(sentence);
  }

 private:
  static constexpr size_t kMaxSentenceBytes = 512;

  const IndexWarning warn_;
};

rocksdb::BlockBasedTableOptions TableOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Filters and indexes count against the cache, in parts that can be evicted: memory then does
  // not grow with the store.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));
  table.whole_key_filtering = true;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  return table;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache,
                                           uint64_t write_buffer_bytes) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(cache)));
  family.merge_operator = std::make_shared<CounterOperator>();
  family.write_buffer_size = write_buffer_bytes;
  // Guards are locks and need no history of flushed rows; zero would mean the default of
  // transactions, which keeps as much again as the write buffers.
  family.max_write_buffer_size_to_maintain = 1;
  family.memtable_whole_key_filtering = true;
  family.memtable_prefix_bloom_size_ratio = 0.05;
  family.compression = rocksdb::kLZ4Compression;
  family.level_compaction_dynamic_level_bytes = true;
  // Each short life of the daemon leaves a small table of the first level, and merging them takes
  // longer than such a life. RocksDB slows writes down at 20 and stops them at 36 for the whole
  // merge: over an index of 400,000 rows the slowest first commit of 60 killed lives came after
  // 4.0 s, and after 1.2 s so. A read of an absent key asks the filters of some more tables.
  family.level0_slowdown_writes_trigger = 200;
  family.level0_stop_writes_trigger = 400;
  // Queues (the condemned rows) are deleted at the end they are read from; without this, a scan of
  // the head walks over the marks of all deleted rows until some compaction happens to pass.
  family.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(/*sliding_window_size=*/4096,
                                                    /*deletion_trigger=*/2048));
  return family;
}

rocksdb::ColumnFamilyOptions InlineFamilyOptions(const rocksdb::ColumnFamilyOptions& base,
                                                 const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family = base;
  family.enable_blob_files = true;
  family.min_blob_size = kMinBlobFileValueBytes;
  family.blob_file_size = 64 * kMiB;
  family.blob_compression_type = rocksdb::kLZ4Compression;
  family.enable_blob_garbage_collection = true;
  family.blob_garbage_collection_age_cutoff = 0.25;
  family.blob_garbage_collection_force_threshold = 0.5;
  family.blob_cache = cache;
  return family;
}

}  // namespace

RocksdbMemory::RocksdbMemory(uint64_t cache_bytes)
    : cache(rocksdb::NewLRUCache(cache_bytes)),
      write_buffer_bytes(std::min(kIndexWriteBufferBytes, cache_bytes / 2)) {}

std::vector<rocksdb::ColumnFamilyDescriptor> IndexFamilies(const RocksdbMemory& memory) {
  const rocksdb::ColumnFamilyOptions family =
      FamilyOptions(memory.cache, memory.write_buffer_bytes / 2);
  return {{rocksdb::kDefaultColumnFamilyName, family},
          {kInlineFamily, InlineFamilyOptions(family, memory.cache)}};
}

rocksdb::DBOptions IndexDatabaseOptions(rocksdb::Env* env, const RocksdbMemory& memory,
                                        const IndexWarning& warn) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = kMaxLogBytes;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(memory.write_buffer_bytes, memory.cache);
  options.max_open_files = kMaxOpenFiles;
  options.max_background_jobs = 2;
  options.bytes_per_sync = kMiB;
  options.wal_bytes_per_sync = kMiB;
  options.avoid_flush_during_shutdown = true;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = std::make_shared<WarningLogger>(warn);
  return options;
}

}  // namespace varve
