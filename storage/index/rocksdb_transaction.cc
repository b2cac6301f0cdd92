#include "storage/index/rocksdb_transaction.h"

#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/counter.h"
#include "storage/index/rocksdb_status.h"
#include "storage/index/transaction_limits.h"

namespace varve {
namespace {

// Longer than any commit should hold a guard: one log sync, 10 to 100 ms on a slow disk.
constexpr int64_t kGuardWaitMillis = 500;

class RocksdbTransaction : public Transaction {
 public:
  RocksdbTransaction(UsageGate& gate, RocksdbDatabase& database)
      : entry_(gate), database_(database), transaction_(NewTransaction(database)) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    rocksdb::PinnableSlice value;
    return Found(transaction_->Get({}, database_.FamilyOf(key), key, &value), value);
  }

  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    RETURN_IF_ERROR(CheckIndexKey(key));
    rocksdb::PinnableSlice value;
    return Found(transaction_->GetForUpdate({}, database_.FamilyOf(key), key, &value,
                                            /*exclusive=*/guard == Guard::kExclusive),
                 value);
  }

  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    RETURN_IF_ERROR(CheckBatchSize(keys.size()));
    OptionalValues found;
    const rocksdb::Status read = database_.GetMany(keys, transaction_.get(), &found);
    return read.ok() ? absl::StatusOr<OptionalValues>(std::move(found)) : Failed(read, "read");
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
          transaction_->GetForUpdate({}, database_.FamilyOf(key), key, no_value,
                                     /*exclusive=*/guard == Guard::kExclusive);
      if (!locked.ok()) return Failed(locked, "guard");
    }
    return GetMany(keys);
  }

  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return database_.Scan(range, limit, {}, transaction_.get());
  }

  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    RETURN_IF_ERROR(CheckBatchSize(ranges.size()));
    return database_.FirstOfEach(ranges, transaction_.get());
  }

  absl::Status Put(std::string_view key, std::string_view value) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, value));
    return Written(transaction_->Put(database_.FamilyOf(key), key, value));
  }

  absl::Status Delete(std::string_view key) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, {}));
    return Written(transaction_->Delete(database_.FamilyOf(key), key));
  }

  absl::Status Add(std::string_view key, int64_t delta) override {
    const std::string operand = EncodeCounter(delta);
    RETURN_IF_ERROR(limits_.CountWrite(key, operand));
    // Past the transaction's lock table on purpose: see CounterOperator.
    return Written(transaction_->GetWriteBatch()->Merge(database_.FamilyOf(key), key, operand));
  }

  bool has_writes() const override { return limits_.operations() > 0; }

  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    RETURN_IF_ERROR(limits_.status());
    if (conflicted_) return CommitOutcome::kConflict;
    if (limits_.operations() == 0) {
      // Nothing to write or to sync: what was read and acknowledges something had been synced
      // before it became visible. After a failed sync nobody knows.
      if (database_.state() == IndexState::kFailed) return FailedBefore();
      return CommitOutcome::kDone;
    }
    CheckInvariant(transaction_->GetState() == rocksdb::Transaction::STARTED,
                   "a transaction commits once");
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    transaction_->SetWriteOptions(options);
    return WriteOutcome(transaction_->Commit());
  }

  bool conflicted() const override { return conflicted_; }

 private:
  static rocksdb::Transaction* NewTransaction(RocksdbDatabase& database) {
    rocksdb::TransactionOptions options;
    options.deadlock_detect = true;
    options.lock_timeout = kGuardWaitMillis;
    return database.transactions().BeginTransaction({}, options);
  }

  static absl::Status FailedBefore() {
    return absl::UnavailableError(
        "index: an earlier write failed, so nothing can be acknowledged; check the disk and "
        "restart the daemon");
  }

  absl::StatusOr<CommitOutcome> WriteOutcome(const rocksdb::Status& status) {
    if (status.ok()) return CommitOutcome::kDone;
    if (IsConflict(status)) return CommitOutcome::kConflict;
    database_.NoteFailedWrite(status);
    if (database_.state() == IndexState::kFull) {
      // Nothing was written. With room now, the next attempt begins in a database opened anew.
      if (database_.HasRoomToReopen()) return CommitOutcome::kConflict;
      return absl::ResourceExhaustedError("the disk is full; prune images or add space");
    }
    if (status.IsCorruption()) return FromRocksdb(status, "commit");
    return Private(absl::UnavailableError(
        StrCat("index: the log could not be written, so it is unknown whether this change was "
               "kept, and no further one is taken; check the disk and restart the daemon: ",
               status.ToString())));
  }

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
    if (!IsConflict(status)) return FromRocksdb(status, operation);
    conflicted_ = true;
    return absl::AbortedError("another transaction holds a row that this one needs; run it again");
  }

  const GateEntry entry_;
  RocksdbDatabase& database_;
  const std::unique_ptr<rocksdb::Transaction> transaction_;
  TransactionLimits limits_;
  bool conflicted_ = false;
};

class FailedTransaction : public Transaction {
 public:
  explicit FailedTransaction(absl::Status status) : status_(std::move(status)) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view /*key*/) override {
    return status_;
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view /*key*/,
                                                          Guard /*guard*/) override {
    return status_;
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> /*keys*/) override {
    return status_;
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> /*keys*/,
                                                  Guard /*guard*/) override {
    return status_;
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& /*range*/, size_t /*limit*/) override {
    return status_;
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> /*ranges*/) override {
    return status_;
  }
  absl::Status Put(std::string_view /*key*/, std::string_view /*value*/) override {
    return status_;
  }
  absl::Status Delete(std::string_view /*key*/) override { return status_; }
  absl::Status Add(std::string_view /*key*/, int64_t /*delta*/) override { return status_; }
  bool has_writes() const override { return false; }
  absl::StatusOr<CommitOutcome> Commit(Durability /*durability*/) override { return status_; }
  bool conflicted() const override { return false; }

 private:
  const absl::Status status_;
};

}  // namespace

std::unique_ptr<Transaction> NewRocksdbTransaction(UsageGate& gate, RocksdbDatabase& database) {
  return std::make_unique<RocksdbTransaction>(gate, database);
}

std::unique_ptr<Transaction> NewFailedTransaction(absl::Status status) {
  return std::make_unique<FailedTransaction>(std::move(status));
}

}  // namespace varve
