// Choices that a reader would otherwise have to guess:
//   * Guards are RocksDB's point locks, with deadlock detection; a wait over kGuardWaitMillis or a
//     deadlock is a conflict. No snapshot is set, so that a value read after its lock was granted
//     is the latest committed one.
//   * Replay is kPointInTimeRecovery. A power cut leaves the unsynced end of the log torn in
//     any shape: short, zeroed, garbage, or with later pages on disk and earlier ones not. Replay
//     stops at the first record that does not check, so that what is kept is a prefix of the
//     commits; everything synced lies before that point, and SYNCED says so (rocksdb_files.h).
//     kTolerateCorruptedTailRecords refuses to open when the end is garbage (storage_index_tests,
//     TornLog). Damage to what has left the log (tables, blob files, manifest) is an error, and so
//     is a log that ends before a table written after it.
//   * After a failed write or sync of the log RocksDB takes no more writes, because nobody knows
//     what the disk holds; reads go on. Only a full disk heals, by opening the database again: a
//     write that found no room lies in the log in part, and its replay ends before it.
//   * Debian builds RocksDB with its assertions on: using a log file that has failed ends the
//     process, so no call here may touch one.
#include "storage/index/rocksdb_index.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rocksdb_database.h"
#include "storage/index/rocksdb_status.h"
#include "storage/index/rocksdb_transaction.h"
#include "storage/index/transaction_limits.h"
#include "storage/index/usage_gate.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kReopenPatience{10};
// A walk reads its page ahead: rows of about so many bytes.
constexpr size_t kWalkRowBytes = 128;
constexpr size_t kMaxReadaheadBytes = 256 * kKiB;

// Of a database that takes writes, or that is open for reading only.
class RocksdbIndex : public Index {
 public:
  RocksdbIndex(std::unique_ptr<RocksdbPlace> place, std::unique_ptr<RocksdbDatabase> database)
      : place_(std::move(place)), database_(std::move(database)) {}

  std::unique_ptr<Transaction> Begin() override;
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override;
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return ScanWith(rocksdb::ReadOptions(), range, limit);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override;
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override;
  absl::StatusOr<std::vector<KeyValue>> Walk(const KeyRange& range, size_t limit) override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = std::min(limit * kWalkRowBytes, kMaxReadaheadBytes);
    return ScanWith(options, range, limit);
  }
  IndexState state() const override { return place_->state; }
  // A write of its log that fails is an error for good: see RocksdbTransaction.
  bool may_lose_outcomes() const override { return false; }

 private:
  absl::StatusOr<std::vector<KeyValue>> ScanWith(const rocksdb::ReadOptions& options,
                                                 const KeyRange& range, size_t limit);
  // Whether calls can be answered, by a thread that is in the gate.
  absl::Status Usable(const GateEntry& entry) const;
  // After a full disk. One thread does it, others go on, to wait at the gate.
  void ReopenIfThereIsRoom();
  void Reopen();

  const std::unique_ptr<RocksdbPlace> place_;
  UsageGate gate_{kReopenPatience};
  std::atomic<bool> reopening_ = false;
  std::unique_ptr<RocksdbDatabase> database_;  // changed while the gate is closed; null: lost
};

absl::Status RocksdbIndex::Usable(const GateEntry& entry) const {
  if (entry.entered() && database_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(
      "index: the disk was full, and the index could not be opened again in time; repeat the "
      "request, and if it keeps failing add space and restart the daemon");
}

std::unique_ptr<Transaction> RocksdbIndex::Begin() {
  if (state() == IndexState::kFull && !gate_.Inside()) ReopenIfThereIsRoom();
  const GateEntry entry(gate_);
  absl::Status usable = Usable(entry);
  if (!usable.ok()) return NewFailedTransaction(std::move(usable));
  if (!database_->takes_writes()) {
    return NewFailedTransaction(
        absl::FailedPreconditionError("the index is open for reading only"));
  }
  return NewRocksdbTransaction(gate_, *database_);
}

absl::StatusOr<std::optional<std::string>> RocksdbIndex::Get(std::string_view key) {
  const GateEntry entry(gate_);
  RETURN_IF_ERROR(Usable(entry));
  return database_->Get(key);
}

absl::StatusOr<OptionalValues> RocksdbIndex::GetMany(absl::Span<const std::string> keys) {
  RETURN_IF_ERROR(CheckBatchSize(keys.size()));
  const GateEntry entry(gate_);
  RETURN_IF_ERROR(Usable(entry));
  OptionalValues found;
  RETURN_IF_ERROR(FromRocksdb(database_->GetMany(keys, /*within=*/nullptr, &found), "read"));
  return found;
}

absl::StatusOr<FirstRows> RocksdbIndex::FirstOfEach(absl::Span<const KeyRange> ranges) {
  RETURN_IF_ERROR(CheckBatchSize(ranges.size()));
  const GateEntry entry(gate_);
  RETURN_IF_ERROR(Usable(entry));
  return database_->FirstOfEach(ranges, /*within=*/nullptr);
}

absl::StatusOr<std::vector<KeyValue>> RocksdbIndex::ScanWith(const rocksdb::ReadOptions& options,
                                                             const KeyRange& range, size_t limit) {
  const GateEntry entry(gate_);
  RETURN_IF_ERROR(Usable(entry));
  return database_->Scan(range, limit, options, /*within=*/nullptr);
}

void RocksdbIndex::ReopenIfThereIsRoom() {
  if (reopening_.exchange(true)) return;
  bool room = false;
  {
    const GateEntry entry(gate_);
    room = Usable(entry).ok() && state() == IndexState::kFull && database_->HasRoomToReopen();
  }
  if (room) Reopen();
  reopening_ = false;
}

void RocksdbIndex::Reopen() {
  if (!gate_.Close()) {
    place_->state = IndexState::kLost;
    place_->Warn("the disk was full; the index could not be opened again, because a call uses it");
    return;
  }
  database_.reset();
  absl::StatusOr<std::unique_ptr<RocksdbDatabase>> opened = RocksdbDatabase::Open(*place_, "");
  if (opened.ok()) {
    database_ = *std::move(opened);
    place_->Warn("the disk was full; the index has been opened again and takes changes");
  } else {
    place_->state = IndexState::kLost;
    place_->Warn(StrCat("the disk was full; the index could not be opened again: ",
                        opened.status().message()));
  }
  gate_.Open();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Index>> OpenRocksdbIndex(const std::string& directory,
                                                        const RocksdbIndexOptions& options) {
  auto place = std::make_unique<RocksdbPlace>(directory, options);
  ASSIGN_OR_RETURN(std::unique_ptr<RocksdbDatabase> database,
                   RocksdbDatabase::Open(*place, options.accept_loss));
  return std::make_unique<RocksdbIndex>(std::move(place), std::move(database));
}

absl::StatusOr<std::unique_ptr<Index>> ReadRocksdbIndex(const std::string& directory,
                                                        const RocksdbIndexOptions& options) {
  auto place = std::make_unique<RocksdbPlace>(directory, options);
  ASSIGN_OR_RETURN(std::unique_ptr<RocksdbDatabase> database,
                   RocksdbDatabase::OpenForReading(*place));
  return std::make_unique<RocksdbIndex>(std::move(place), std::move(database));
}

}  // namespace varve
