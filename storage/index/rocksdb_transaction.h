// Transactions of the index on disk.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_TRANSACTION_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_TRANSACTION_H_

#include <memory>

#include "absl/status/status.h"
#include "storage/index/index.h"
#include "storage/index/rocksdb_database.h"
#include "storage/index/usage_gate.h"

namespace varve {

// In the gate while it lives, so that the database stays what it is. By a thread that is in the
// gate.
std::unique_ptr<Transaction> NewRocksdbTransaction(UsageGate& gate, RocksdbDatabase& database);

// Answers every call with the same error.
std::unique_ptr<Transaction> NewFailedTransaction(absl::Status status);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_TRANSACTION_H_
