// Index on disk, over RocksDB's TransactionDB.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_INDEX_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_INDEX_H_

#include <cstdint>
#include <memory>
#include <string>

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
};

// Opens, or makes, the index in `directory`. DataLoss when its files are damaged.
absl::StatusOr<std::unique_ptr<Index>> OpenRocksdbIndex(const std::string& directory,
                                                        const RocksdbIndexOptions& options);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_INDEX_H_
