// One open RocksDB database of an index: opened, used, closed. After an error of the disk it takes
// no more writes; another one opened in its place does (rocksdb_index.cc). Thread-safe after Open;
// transactions and iterators must be gone before it is.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_DATABASE_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_DATABASE_H_

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/index/index.h"
#include "storage/index/rocksdb_files.h"
#include "storage/index/rocksdb_index.h"
#include "storage/index/rocksdb_options.h"

namespace varve {

// What outlives a database, and what the next one is opened with.
struct RocksdbPlace {
  RocksdbPlace(const std::string& path, const RocksdbIndexOptions& options);
  void Warn(std::string_view sentence) const {
    if (warn != nullptr) warn(sentence);
  }

  const std::string directory;  // without a slash at its end
  const std::shared_ptr<IndexFiles> files;
  const std::unique_ptr<rocksdb::Env> env;  // over `files`
  const RocksdbMemory memory;
  const IndexWarning warn;
  std::atomic<IndexState> state = IndexState::kWorking;  // of the database that was opened last
};

class RocksdbDatabase {
 public:
  // DataLoss when the files are damaged; when it is the log, with the payload kLogDamagePayload,
  // unless that is the damage `accepted_damage`.
  static absl::StatusOr<std::unique_ptr<RocksdbDatabase>> Open(RocksdbPlace& place,
                                                               const std::string& accepted_damage);
  // Changes nothing in the directory, damaged or not.
  static absl::StatusOr<std::unique_ptr<RocksdbDatabase>> OpenForReading(RocksdbPlace& place);
  ~RocksdbDatabase();

  rocksdb::TransactionDB& transactions() const { return *transactions_; }
  rocksdb::ColumnFamilyHandle* FamilyOf(std::string_view key) const {
    return !key.empty() && key.front() == kInlineKeys[0] ? families_[1] : families_[0];
  }

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const;
  // These read through a transaction, which sees its own writes, when `within` is not null.
  // One batch a column family, whose block reads and filter look-ups RocksDB shares; the first
  // error.
  rocksdb::Status GetMany(absl::Span<const std::string> keys, rocksdb::Transaction* within,
                          OptionalValues* found) const;
  // Family by family, in key order.
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit,
                                             const rocksdb::ReadOptions& options,
                                             rocksdb::Transaction* within) const;
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges,
                                        rocksdb::Transaction* within) const;

  // False when it was opened for reading: then it has no transactions().
  bool takes_writes() const { return transactions_ != nullptr; }
  IndexState state() const { return place_.state; }
  // Of a write, or of a commit, that RocksDB did not take.
  void NoteFailedWrite(const rocksdb::Status& status);
  // Whether the disk has room for another database to be opened in place of this one.
  bool HasRoomToReopen() const;

 private:
  class ErrorListener;

  explicit RocksdbDatabase(RocksdbPlace& place) : place_(place) {}
  std::unique_ptr<rocksdb::Iterator> NewIterator(const rocksdb::ReadOptions& options,
                                                 rocksdb::ColumnFamilyHandle* family,
                                                 rocksdb::Transaction* within) const;

  RocksdbPlace& place_;
  LogReplay replay_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::TransactionDB* transactions_ = nullptr;      // is db_, when it takes writes
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // default, inline; owned
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_DATABASE_H_
