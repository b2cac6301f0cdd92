// What lies between RocksDB and the machine's files, for the index in one directory:
//   * Names are durable in order. RocksDB names a new manifest in CURRENT, and puts commits into a
//     new log, before the entries of those files are synced. A file system that does not keep the
//     order of names could lose one and keep the other, so the directory is synced in between.
//   * After each sync of a log its position goes to the file SYNCED (storage/index/synced_logs.h).
//     Before a log is removed, its position is, durably: one that SYNCED names and that is gone was
//     lost. One that is there and that RocksDB does not open is done with, by its manifest.
//   * While the database is opened, the first file that would change anything, the new log, is
//     refused when the replay ended before what SYNCED says. Nothing is lost by such an attempt.
// Thread-safe, but for the calls about opening, which belong to the one thread that opens.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_FILES_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_FILES_H_

#include <rocksdb/file_system.h>
#include <rocksdb/wal_filter.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/index/synced_logs.h"

namespace varve {

// Counts what a replay of the logs has read.
class LogReplay : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "varve.log_replay"; }
  WalProcessingOption LogRecordFound(unsigned long long log,  // NOLINT(google-runtime-int)
                                     const std::string& path, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* changed) override;

  const LogOffsets& ends() const { return ends_; }

 private:
  LogOffsets ends_;
};

class IndexFiles : public rocksdb::FileSystemWrapper {
 public:
  // `directory` of the index, without a slash at its end.
  IndexFiles(std::shared_ptr<rocksdb::FileSystem> base, std::string directory);
  const char* Name() const override { return "varve.index_files"; }

  // Before the database is opened, with `replay` as its filter. A replay with the damage
  // `accepted_damage` (an id of LogDamageId) is taken as it is.
  void BeginOpening(const LogReplay* replay, const std::string& accepted_damage);
  void EndOpening() { replay_ = nullptr; }
  // Why the opening was refused; empty when it was not for this.
  const std::vector<LogDamage>& damage() const { return damage_; }

  // A sync of a log failed: nobody knows what the disk holds.
  bool log_sync_failed() const { return log_sync_failed_; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class LogFile;

  std::string SyncedPath() const { return directory_ + "/SYNCED"; }
  std::string LogPath(uint64_t log) const;
  LogOffsets ReadSynced();
  rocksdb::IOStatus SyncDirectory(const rocksdb::IOOptions& options,
                                  rocksdb::IODebugContext* debug);
  void NoteSynced(uint64_t log, uint64_t offset) ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus WriteSynced() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The log is about to be removed.
  rocksdb::IOStatus Forget(uint64_t log) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<LogDamage> FindDamage();

  const std::string directory_;
  const LogReplay* replay_ = nullptr;  // while the database is opened
  LogOffsets synced_before_;
  std::set<uint64_t> opened_;  // logs, while the database is opened
  std::string accepted_damage_;
  std::vector<LogDamage> damage_;
  std::atomic<bool> log_sync_failed_ = false;
  Mutex mutex_;
  LogOffsets synced_ ABSL_GUARDED_BY(mutex_);   // of the logs that this process writes
  LogOffsets on_disk_ ABSL_GUARDED_BY(mutex_);  // what SYNCED may say
  std::unique_ptr<rocksdb::FSRandomRWFile> synced_file_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_FILES_H_
