// RocksDB's files on a MemoryFileSystem, so that the index and the blobs lose their power at the
// same instant. No call touches the real disk. Owned by RocksDB's options; thread-safe.
#ifndef VARVE_TESTS_SUPPORT_MEMORY_ROCKSDB_FILE_SYSTEM_H_
#define VARVE_TESTS_SUPPORT_MEMORY_ROCKSDB_FILE_SYSTEM_H_

#include <memory>

#include "tests/support/memory_file_system.h"

namespace rocksdb {
class FileSystem;
}

namespace varve {

// `disk` must outlive the result and every database opened on it; close those before
// MemoryFileSystem::PowerUp. RocksDB writes from threads of its own too, so the number of mutating
// calls of a scenario may differ from run to run. Its information log is not kept, and modification
// times are all zero.
std::shared_ptr<rocksdb::FileSystem> NewMemoryRocksdbFileSystem(MemoryFileSystem& disk);

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_MEMORY_ROCKSDB_FILE_SYSTEM_H_
