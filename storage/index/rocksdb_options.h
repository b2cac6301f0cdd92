// How the index uses RocksDB: its column families, memory, files and log.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_OPTIONS_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_OPTIONS_H_

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/index/tables.h"

namespace varve {

// Inline blobs (keys "i…") have a column family of their own, whose larger values lie in RocksDB's
// blob files: compactions of the small rows then never rewrite them.
inline constexpr char kInlineKeys[] = {static_cast<char>(Table::kInline), '\0'};
inline constexpr char kAfterInlineKeys[] = {static_cast<char>(Table::kInline) + 1, '\0'};

// Told what the operator should know, a sentence at a time; any thread.
using IndexWarning = std::function<void(std::string_view sentence)>;

// Memory for blocks read, and in it the write buffers; shared by one database after another.
struct RocksdbMemory {
  explicit RocksdbMemory(uint64_t cache_bytes);

  std::shared_ptr<rocksdb::Cache> cache;
  uint64_t write_buffer_bytes;
};

// The default family, then that of inline blobs.
std::vector<rocksdb::ColumnFamilyDescriptor> IndexFamilies(const RocksdbMemory& memory);

rocksdb::DBOptions IndexDatabaseOptions(rocksdb::Env* env, const RocksdbMemory& memory,
                                        const IndexWarning& warn);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_OPTIONS_H_
