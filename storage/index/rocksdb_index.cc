// The only file that includes RocksDB.
//
// Choices that a reader would otherwise have to guess:
//   * Guards are RocksDB's point locks, with deadlock detection; a wait over kGuardWaitMillis or a
//     deadlock is a conflict. No snapshot is set, so that a value read after its lock was granted
//     is the latest committed one.
//   * WAL recovery is kPointInTimeRecovery. A power cut leaves the unsynced end of the log torn in
//     any shape: short, zeroed, garbage, or with later pages on disk and earlier ones not. Replay
//     stops at the first record that does not check, so that what is kept is a prefix of the
//     commits; everything synced lies before that point. kTolerateCorruptedTailRecords refuses to
//     open when the end is garbage (rocksdb_index_test, TornLog). The price: a byte that rots in
//     the synced part of the live log, at most kMaxLogBytes, looks like such an end too. Damage to
//     what has left the log (tables, blob files, manifest) is an error, and so is a log that ends
//     before a table written after it.
//   * After a failed write or sync of the log RocksDB takes no more writes, because nobody knows
//     what the disk holds; reads go on. Only a full disk heals, when a later write finds space.
//   * RocksDB names a new manifest in CURRENT before the manifest's own directory entry is synced.
//   A
//     file system that does not keep the order of names could lose one and keep the other, so the
//     directory is synced in between (OrderedNames).
//   * Debian builds RocksDB with its assertions on: using a log file that has failed ends the
//     process, so no call here may touch one.
#include "storage/index/rocksdb_index.h"

#include <rocksdb/advanced_options.h>
#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/utilities/write_batch_with_index.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/counter.h"
#include "storage/index/transaction_limits.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Longer than any commit should hold a guard: one log sync, 10 to 100 ms on a slow disk.
constexpr int64_t kGuardWaitMillis = 1000;

// Inline blobs (keys "i…") have a column family of their own, whose larger values lie in RocksDB's
// blob files: compactions of the small rows then never rewrite them.
constexpr char kInlineFamily[] = "inline";
constexpr char kInlineKeys[] = "i";
constexpr char kAfterInlineKeys[] = "j";
constexpr uint64_t kMinBlobFileValueBytes = 2048;

// How often healing from a full disk is tried, and the room it needs besides the unflushed rows
// (twice, as table and blob file): manifest, options file and a new log.
constexpr int64_t kResumePauseNanos = 250'000'000;
constexpr uint64_t kResumeReserveBytes = 4 * kMiB;

constexpr uint64_t kMaxWriteBufferBytes = 32 * kMiB;
constexpr uint64_t kMaxLogBytes = 64 * kMiB;
// Each open table costs a descriptor and ~100 KiB; 512 x 64 MiB is an index of 32 GiB.
constexpr int kMaxOpenFiles = 512;

absl::Status ToStatus(const rocksdb::Status& status, std::string_view operation) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = StrCat("index: ", operation, ": ", status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(message);
  if (status.IsNoSpace() || status.IsMemoryLimit()) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

bool IsConflict(const rocksdb::Status& status) {
  return status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() || status.IsExpired();
}

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

// RocksDB's own log repeats what the statuses say; without it a data directory holds data only.
class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

// Syncs the directory before CURRENT changes in it, so that what CURRENT names is there for good.
class OrderedNames : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "varve.ordered_names"; }

  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    if (to.ends_with("/CURRENT")) {
      std::unique_ptr<rocksdb::FSDirectory> directory;
      rocksdb::IOStatus status =
          target()->NewDirectory(to.substr(0, to.rfind('/')), options, &directory, debug);
      if (status.ok()) status = directory->Fsync(options, debug);
      if (!status.ok()) return status;
    }
    return target()->RenameFile(from, to, options, debug);
  }
};

// Remembers that RocksDB met an error by itself, and leaves healing to WriteOutcome: RocksDB's own
// attempt comes only every few seconds and shuts out any other, while a deletion that has just made
// room on a full disk must be able to go on.
class ErrorListener : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* /*error*/) override {
    failed_ = true;
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status error,
                            bool* auto_recovery) override {
    if (error.IsNoSpace()) *auto_recovery = false;
  }
  bool failed() const { return failed_; }

 private:
  std::atomic<bool> failed_ = false;
};

// The database and what it stands on, in the order of construction. Thread-safe after Open.
class RocksdbIndex : public Index {
 public:
  static absl::StatusOr<std::unique_ptr<Index>> Open(const std::string& directory,
                                                     const RocksdbIndexOptions& options);
  ~RocksdbIndex() override;

  std::unique_ptr<Transaction> Begin() override;
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override;
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override;
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override;
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override;

  rocksdb::TransactionDB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* FamilyOf(std::string_view key) const {
    return !key.empty() && key.front() == kInlineKeys[0] ? families_[1] : families_[0];
  }

  // Scans `range` through `new_iterator(read options, family)`, family by family in key order.
  template <typename NewIterator>
  absl::StatusOr<std::vector<KeyValue>> ScanFamilies(const KeyRange& range, size_t limit,
                                                     const NewIterator& new_iterator) const;

  // Turns the outcome of a write into what Commit answers, and remembers a failure.
  absl::StatusOr<CommitOutcome> WriteOutcome(const rocksdb::Status& status);
  // An error while the last write failed: nothing may be acknowledged then, not even a transaction
  // that only found its effect to be there already.
  absl::Status Healthy();

 private:
  RocksdbIndex() = default;

  // Makes RocksDB take writes again after the disk was full. False when it still is, or when
  // another thread tried a moment ago: each attempt writes tables out.
  bool TryToResume();

  std::unique_ptr<rocksdb::Env> env_;
  const std::shared_ptr<ErrorListener> errors_ = std::make_shared<ErrorListener>();
  std::unique_ptr<rocksdb::TransactionDB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // default, inline; owned
  std::atomic<bool> write_failed_ = false;
  std::atomic<bool> disk_was_full_ = false;      // why the last write failed, when it can be healed
  std::atomic<int64_t> resume_tried_nanos_ = 0;  // steady clock
};

// Reads `keys` through `source`, a database or a transaction: one batch a column family, whose
// block reads and filter look-ups RocksDB shares. The first error is what `read_error` makes of it.
template <typename Source, typename ReadError>
absl::StatusOr<OptionalValues> ReadMany(Source& source, const RocksdbIndex& index,
                                        absl::Span<const std::string> keys,
                                        const ReadError& read_error) {
  OptionalValues found(keys.size());
  std::vector<bool> done(keys.size(), false);
  for (size_t first = 0; first < keys.size(); ++first) {
    if (done[first]) continue;
    rocksdb::ColumnFamilyHandle* const family = index.FamilyOf(keys[first]);
    std::vector<size_t> places;
    std::vector<rocksdb::Slice> batch;
    for (size_t i = first; i < keys.size(); ++i) {
      if (index.FamilyOf(keys[i]) != family) continue;
      done[i] = true;
      places.push_back(i);
      batch.emplace_back(keys[i]);
    }
    std::vector<rocksdb::PinnableSlice> values(batch.size());
    std::vector<rocksdb::Status> statuses(batch.size());
    source.MultiGet({}, family, batch.size(), batch.data(), values.data(), statuses.data());
    for (size_t i = 0; i < places.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return read_error(statuses[i]);
      found[places[i]].emplace(values[i].ToStringView());
    }
  }
  return found;
}

// `source` is an index or a transaction: one seek a range, which costs no round trip here.
template <typename Source>
absl::StatusOr<FirstRows> ReadFirstOfEach(Source& source, absl::Span<const KeyRange> ranges) {
  RETURN_IF_ERROR(CheckBatchSize(ranges.size()));
  FirstRows rows;
  rows.reserve(ranges.size());
  for (const KeyRange& range : ranges) {
    ASSIGN_OR_RETURN(std::vector<KeyValue> found, source.Scan(range, 1));
    rows.push_back(found.empty() ? std::nullopt : std::optional(std::move(found[0])));
  }
  return rows;
}

class RocksdbTransaction : public Transaction {
 public:
  RocksdbTransaction(RocksdbIndex* index, std::unique_ptr<rocksdb::Transaction> transaction)
      : index_(index), transaction_(std::move(transaction)) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    rocksdb::PinnableSlice value;
    return Found(transaction_->Get({}, index_->FamilyOf(key), key, &value), value);
  }

  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    RETURN_IF_ERROR(CheckIndexKey(key));
    rocksdb::PinnableSlice value;
    return Found(transaction_->GetForUpdate({}, index_->FamilyOf(key), key, &value,
                                            /*exclusive=*/guard == Guard::kExclusive),
                 value);
  }

  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    RETURN_IF_ERROR(CheckBatchSize(keys.size()));
    return ReadMany(*transaction_, *index_, keys,
                    [this](const rocksdb::Status& status) { return Failed(status, "read"); });
  }

  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    RETURN_IF_ERROR(CheckBatchSize(keys.size()));
    std::vector<std::string_view> sorted(keys.begin(), keys.end());
    std::sort(sorted.begin(), sorted.end());
    for (const std::string_view key : sorted) {
      RETURN_IF_ERROR(CheckIndexKey(key));
      // Without a place for the value it only takes the lock; see the batch below.
      std::string* const no_value = nullptr;
      const rocksdb::Status locked =
          transaction_->GetForUpdate({}, index_->FamilyOf(key), key, no_value,
                                     /*exclusive=*/guard == Guard::kExclusive);
      if (!locked.ok()) return Failed(locked, "guard");
    }
    return GetMany(keys);
  }

  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return index_->ScanFamilies(
        range, limit,
        [this](const rocksdb::ReadOptions& options, rocksdb::ColumnFamilyHandle* family) {
          return transaction_->GetIterator(options, family);
        });
  }

  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return ReadFirstOfEach(*this, ranges);
  }

  absl::Status Put(std::string_view key, std::string_view value) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, value));
    return Written(transaction_->Put(index_->FamilyOf(key), key, value));
  }

  absl::Status Delete(std::string_view key) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, {}));
    return Written(transaction_->Delete(index_->FamilyOf(key), key));
  }

  absl::Status Add(std::string_view key, int64_t delta) override {
    const std::string operand = EncodeCounter(delta);
    RETURN_IF_ERROR(limits_.CountWrite(key, operand));
    // Past the transaction's lock table on purpose: see CounterOperator.
    return Written(transaction_->GetWriteBatch()->Merge(index_->FamilyOf(key), key, operand));
  }

  bool has_writes() const override { return limits_.operations() > 0; }

  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    RETURN_IF_ERROR(limits_.status());
    if (conflicted_) return CommitOutcome::kConflict;
    if (limits_.operations() == 0) {
      // Nothing to write or to sync: what was read and acknowledges something had been synced
      // before it became visible.
      RETURN_IF_ERROR(index_->Healthy());
      return CommitOutcome::kDone;
    }
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    transaction_->SetWriteOptions(options);
    return index_->WriteOutcome(transaction_->Commit());
  }

  bool conflicted() const override { return conflicted_; }

 private:
  absl::StatusOr<std::optional<std::string>> Found(const rocksdb::Status& status,
                                                   const rocksdb::PinnableSlice& value) {
    if (status.ok()) return std::optional<std::string>(value.ToStringView());
    if (status.IsNotFound()) return std::optional<std::string>();
    return Failed(status, "read");
  }

  absl::Status Written(const rocksdb::Status& status) {
    return status.ok() ? absl::OkStatus() : Failed(status, "write");
  }

  absl::Status Failed(const rocksdb::Status& status, std::string_view operation) {
    if (!IsConflict(status)) return ToStatus(status, operation);
    conflicted_ = true;
    return absl::AbortedError("another transaction holds a row that this one needs; run it again");
  }

  RocksdbIndex* const index_;
  const std::unique_ptr<rocksdb::Transaction> transaction_;
  TransactionLimits limits_;
  bool conflicted_ = false;
};

template <typename NewIterator>
absl::StatusOr<std::vector<KeyValue>> RocksdbIndex::ScanFamilies(
    const KeyRange& range, size_t limit, const NewIterator& new_iterator) const {
  // The inline family holds one stretch of the key space, so that going through the three
  // stretches in turn is going through the keys in order.
  struct Stretch {
    rocksdb::ColumnFamilyHandle* family;
    std::string_view begin;
    std::string_view end;  // empty: to the last key
  };
  const Stretch stretches[] = {{families_[0], "", kInlineKeys},
                               {families_[1], kInlineKeys, kAfterInlineKeys},
                               {families_[0], kAfterInlineKeys, ""}};
  std::vector<KeyValue> found;
  for (const Stretch& stretch : stretches) {
    if (found.size() >= limit) break;
    const std::string_view begin = std::max<std::string_view>(range.begin, stretch.begin);
    const std::string_view range_end = range.end;
    std::string_view end = stretch.end;
    if (end.empty() || (!range_end.empty() && range_end < end)) end = range_end;
    if (!end.empty() && end <= begin) continue;

    rocksdb::ReadOptions options;
    const rocksdb::Slice upper_bound(end);
    if (!end.empty()) options.iterate_upper_bound = &upper_bound;
    const std::unique_ptr<rocksdb::Iterator> iterator(new_iterator(options, stretch.family));
    // The transaction's own writes lie outside the bound's reach, so it is checked here too.
    for (iterator->Seek(begin); iterator->Valid() && found.size() < limit; iterator->Next()) {
      const std::string_view key = iterator->key().ToStringView();
      if (!end.empty() && key >= end) break;
      found.push_back({std::string(key), iterator->value().ToString()});
    }
    RETURN_IF_ERROR(ToStatus(iterator->status(), "scan"));
  }
  return found;
}

std::unique_ptr<Transaction> RocksdbIndex::Begin() {
  rocksdb::TransactionOptions options;
  options.deadlock_detect = true;
  options.lock_timeout = kGuardWaitMillis;
  return std::make_unique<RocksdbTransaction>(
      this, std::unique_ptr<rocksdb::Transaction>(db_->BeginTransaction({}, options)));
}

absl::StatusOr<std::optional<std::string>> RocksdbIndex::Get(std::string_view key) {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db_->Get({}, FamilyOf(key), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(ToStatus(status, "read"));
  return std::optional<std::string>(value.ToStringView());
}

absl::StatusOr<OptionalValues> RocksdbIndex::GetMany(absl::Span<const std::string> keys) {
  RETURN_IF_ERROR(CheckBatchSize(keys.size()));
  return ReadMany(*db_, *this, keys,
                  [](const rocksdb::Status& status) { return ToStatus(status, "read"); });
}

absl::StatusOr<std::vector<KeyValue>> RocksdbIndex::Scan(const KeyRange& range, size_t limit) {
  return ScanFamilies(
      range, limit,
      [this](const rocksdb::ReadOptions& options, rocksdb::ColumnFamilyHandle* family) {
        return db_->NewIterator(options, family);
      });
}

absl::StatusOr<FirstRows> RocksdbIndex::FirstOfEach(absl::Span<const KeyRange> ranges) {
  return ReadFirstOfEach(*this, ranges);
}

absl::StatusOr<CommitOutcome> RocksdbIndex::WriteOutcome(const rocksdb::Status& status) {
  if (status.ok()) {
    // Read first: a store by every commit would bounce the line between the processors.
    if (write_failed_.load(std::memory_order_relaxed)) write_failed_ = false;
    return CommitOutcome::kDone;
  }
  if (IsConflict(status)) return CommitOutcome::kConflict;
  disk_was_full_ = status.IsNoSpace() && status.severity() < rocksdb::Status::kFatalError;
  write_failed_ = true;
  if (status.IsNoSpace()) {
    if (disk_was_full_ && TryToResume()) {
      return CommitOutcome::kUnknown;
    }
    return absl::ResourceExhaustedError(
        "the disk is full; prune images or add space and repeat, and if this stays after a minute "
        "restart the daemon");
  }
  if (status.IsCorruption()) return ToStatus(status, "commit");
  return absl::UnavailableError(
      StrCat("index: the log could not be written, so it is unknown whether this change was kept, "
             "and no further one is taken; check the disk and restart the daemon: ",
             status.ToString()));
}

bool RocksdbIndex::TryToResume() {
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  int64_t tried = resume_tried_nanos_;
  if (now - tried < kResumePauseNanos) return false;
  // An attempt that meets a full disk again would make the error final.
  uint64_t unflushed_bytes = 0;
  uint64_t free_bytes = 0;
  if (!db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables,
                                     &unflushed_bytes) ||
      !db_->GetEnv()->GetFreeSpace(db_->GetName(), &free_bytes).ok() ||
      free_bytes < 2 * unflushed_bytes + kResumeReserveBytes) {
    return false;
  }
  // Only now, so that a deletion which has made room need not wait for the next turn.
  if (!resume_tried_nanos_.compare_exchange_strong(tried, now)) return false;
  // Of the database underneath: the transactional layer does not pass this call on.
  return db_->GetRootDB()->Resume().ok();
}

absl::Status RocksdbIndex::Healthy() {
  if (!write_failed_) return absl::OkStatus();
  // Resuming writes all that is visible to synced tables.
  if (disk_was_full_ && TryToResume()) {
    write_failed_ = false;
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      "index: an earlier write failed, so nothing can be acknowledged; repeat the request, and if "
      "it keeps failing check the disk and restart the daemon");
}

RocksdbIndex::~RocksdbIndex() {
  if (db_ == nullptr) return;
  // Keeps buffered commits through a power cut after an orderly stop. A failure loses nothing that
  // was promised.
  if (!write_failed_ && !errors_->failed()) db_->SyncWAL().PermitUncheckedError();
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
  db_->Close().PermitUncheckedError();
}

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
  // Queues (the condemned rows) are deleted at the end they are read from; without this, a scan of
  // the head walks over all tombstones until some compaction happens to pass.
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

rocksdb::DBOptions DatabaseOptions(rocksdb::Env* env, uint64_t write_buffer_bytes,
                                   const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = kMaxLogBytes;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes, cache);
  options.max_open_files = kMaxOpenFiles;
  options.max_background_jobs = 2;
  options.bytes_per_sync = kMiB;
  options.wal_bytes_per_sync = kMiB;
  options.avoid_flush_during_shutdown = true;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = std::make_shared<SilentLogger>();
  return options;
}

// RocksDB takes a directory without its CURRENT file for a new one and would start an empty index
// over the remains of the old.
absl::Status CheckNotHeadless(rocksdb::Env* env, const std::string& directory) {
  std::vector<std::string> names;
  const rocksdb::Status listed = env->GetChildren(directory, &names);
  if (listed.IsNotFound() || listed.IsPathNotFound()) return absl::OkStatus();
  RETURN_IF_ERROR(ToStatus(listed, "list files"));
  bool data = false;
  for (const std::string& name : names) {
    if (name == "CURRENT") return absl::OkStatus();
    data = data || name.ends_with(".sst") || name.ends_with(".blob") || name.ends_with(".log");
  }
  if (!data) return absl::OkStatus();
  return absl::DataLossError(StrCat(
      "index: ", directory, " has data files but no CURRENT file; restore it from a backup"));
}

absl::Status OpenError(const rocksdb::Status& status) {
  // A file that the manifest names is gone.
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return absl::DataLossError(StrCat("index: a file is missing: ", status.ToString()));
  }
  if (status.IsInvalidArgument() || status.IsNotSupported()) {
    return absl::FailedPreconditionError(
        StrCat("index: written by a newer version, or not an index: ", status.ToString()));
  }
  return ToStatus(status, "open");
}

// The directory's own entry: RocksDB syncs what is inside.
absl::Status SyncParent(rocksdb::Env* env, const std::string& directory) {
  const size_t slash = directory.find_last_of('/');
  std::string parent = slash == std::string::npos ? "." : directory.substr(0, slash);
  if (parent.empty()) parent = "/";
  std::unique_ptr<rocksdb::FSDirectory> opened;
  rocksdb::Status status =
      env->GetFileSystem()->NewDirectory(parent, rocksdb::IOOptions(), &opened, nullptr);
  if (status.ok()) status = opened->Fsync(rocksdb::IOOptions(), nullptr);
  return ToStatus(status, "sync the parent directory");
}

// TransactionDB::Open without two-phase commit, which nothing here uses, and under which a
// compaction that meets a full disk stops all writes for good.
rocksdb::Status OpenTransactional(rocksdb::DBOptions options, const std::string& path,
                                  std::vector<rocksdb::ColumnFamilyDescriptor> families,
                                  std::vector<rocksdb::ColumnFamilyHandle*>* handles,
                                  rocksdb::TransactionDB** result) {
  std::vector<size_t> compacting_families;
  rocksdb::TransactionDB::PrepareWrap(&options, &families, &compacting_families);
  options.allow_2pc = false;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options, path, families, handles, &db);
  if (!opened.ok()) return opened;
  return rocksdb::TransactionDB::WrapDB(db, rocksdb::TransactionDBOptions(), compacting_families,
                                        *handles, result);
}

absl::StatusOr<std::unique_ptr<Index>> RocksdbIndex::Open(const std::string& directory,
                                                          const RocksdbIndexOptions& options) {
  std::unique_ptr<RocksdbIndex> index(new RocksdbIndex);
  index->env_ = rocksdb::NewCompositeEnv(std::make_shared<OrderedNames>(
      options.file_system != nullptr ? options.file_system : rocksdb::FileSystem::Default()));
  rocksdb::Env* const env = index->env_.get();
  std::string path = directory;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  RETURN_IF_ERROR(CheckNotHeadless(env, path));
  const bool fresh = !env->FileExists(path + "/CURRENT").ok();

  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.cache_bytes);
  const uint64_t write_buffer_bytes = std::min(kMaxWriteBufferBytes, options.cache_bytes / 2);
  const rocksdb::ColumnFamilyOptions family = FamilyOptions(cache, write_buffer_bytes / 2);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family},
      {kInlineFamily, InlineFamilyOptions(family, cache)}};
  rocksdb::DBOptions database = DatabaseOptions(env, write_buffer_bytes, cache);
  database.listeners.push_back(index->errors_);
  rocksdb::TransactionDB* db = nullptr;
  const rocksdb::Status opened =
      OpenTransactional(database, path, families, &index->families_, &db);
  if (!opened.ok()) return OpenError(opened);
  index->db_.reset(db);
  if (fresh) RETURN_IF_ERROR(SyncParent(env, path));
  return index;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Index>> OpenRocksdbIndex(const std::string& directory,
                                                        const RocksdbIndexOptions& options) {
  return RocksdbIndex::Open(directory, options);
}

}  // namespace varve
