// Index on disk, over RocksDB's TransactionDB. On a disk that was full the database is closed and
// opened again in place as soon as there is room: transactions that are open are waited for, new
// calls wait, up to 10 s each.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_INDEX_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_INDEX_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/index/index.h"

namespace rocksdb {
class FileSystem;
}

namespace varve {

struct RocksdbIndexOptions {
  // Memory for blocks read and for write buffers; neither grows with the store.
  uint64_t cache_bytes = 64ull << 20;
  // Where RocksDB keeps its files; null is the machine's. Tests pass one that can lose its power.
  std::shared_ptr<rocksdb::FileSystem> file_system;
  // Told what the operator should know, such as stalled writes; any thread.
  std::function<void(std::string_view sentence)> warn;
  // Opens although the log has exactly the damage of this id (kLogDamagePayload): what came after
  // it is lost.
  std::string accept_loss;
};

// Opens, or makes, the index in `directory`. DataLoss when its files are damaged; when that is the
// log, with the id of the damage as the payload kLogDamagePayload, and nothing on disk has changed.
absl::StatusOr<std::unique_ptr<Index>> OpenRocksdbIndex(const std::string& directory,
                                                        const RocksdbIndexOptions& options);

// Reads what an index holds as far as its log can be read, and changes nothing; writes are refused.
absl::StatusOr<std::unique_ptr<Index>> ReadRocksdbIndex(const std::string& directory,
                                                        const RocksdbIndexOptions& options);

inline constexpr char kLogDamagePayload[] = "varve/log-damage";

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_INDEX_H_
