#include "storage/index/rocksdb_files.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"

namespace varve {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr size_t kMaxSyncedFileBytes = 512;

// The number of the log at `path`, "…/000012.log".
std::optional<uint64_t> LogNumber(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  if (!path.ends_with(".log")) return std::nullopt;
  path.remove_suffix(4);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), number);
  if (error != std::errc() || end != path.data() + path.size()) return std::nullopt;
  return number;
}

}  // namespace

rocksdb::WalFilter::WalProcessingOption LogReplay::LogRecordFound(
    unsigned long long log,  // NOLINT(google-runtime-int)
    const std::string& /*path*/, const rocksdb::WriteBatch& batch,
    rocksdb::WriteBatch* /*new_batch*/, bool* /*changed*/) {
  uint64_t& end = ends_[log];
  end = EndOfLogRecord(end, batch.GetDataSize());
  return WalProcessingOption::kContinueProcessing;
}

class IndexFiles::LogFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  LogFile(std::unique_ptr<rocksdb::FSWritableFile> file, IndexFiles* files, uint64_t number)
      : FSWritableFileOwnerWrapper(std::move(file)), files_(files), number_(number) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return Followed(data, target()->Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Followed(data, target()->Append(data, options, verification, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return target()->Fsync(options, debug); });
  }

 private:
  IOStatus Followed(const rocksdb::Slice& data, IOStatus appended) {
    if (appended.ok()) {
      const MutexLock lock(mutex_);
      follower_.Append(data.ToStringView());
    }
    return appended;
  }

  // Another thread may append meanwhile: only what was whole before counts.
  template <typename SyncCall>
  IOStatus Synced(const SyncCall& sync) {
    const uint64_t end = RecordEnd();
    IOStatus status = sync();
    if (status.ok()) {
      files_->NoteSynced(number_, end);
    } else {
      files_->log_sync_failed_ = true;
    }
    return status;
  }

  uint64_t RecordEnd() {
    const MutexLock lock(mutex_);
    return follower_.record_end();
  }

  IndexFiles* const files_;
  const uint64_t number_;
  // Appends come one after the other, from any thread; a sync may come meanwhile.
  Mutex mutex_;
  LogFollower follower_ ABSL_GUARDED_BY(mutex_);
};

IndexFiles::IndexFiles(std::shared_ptr<rocksdb::FileSystem> base, std::string directory)
    : FileSystemWrapper(std::move(base)), directory_(std::move(directory)) {}

void IndexFiles::BeginOpening(const LogReplay* replay, const std::string& accepted_damage) {
  replay_ = replay;
  accepted_damage_ = accepted_damage;
  damage_.clear();
  opened_.clear();
  synced_before_ = ReadSynced();
  {
    MutexLock lock(mutex_);
    on_disk_ = synced_before_;
  }
  log_sync_failed_ = false;
}

std::string IndexFiles::LogPath(uint64_t log) const {
  return absl::StrFormat("%s/%06d.log", directory_, log);
}

LogOffsets IndexFiles::ReadSynced() {
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  if (!target()->NewSequentialFile(SyncedPath(), FileOptions(), &file, nullptr).ok()) return {};
  char buffer[kMaxSyncedFileBytes];
  rocksdb::Slice bytes;
  if (!file->Read(sizeof(buffer), IOOptions(), &bytes, buffer, nullptr).ok()) return {};
  return DecodeSyncedLogs(bytes.ToStringView()).value_or(LogOffsets());
}

IOStatus IndexFiles::SyncDirectory(const IOOptions& options, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = target()->NewDirectory(directory_, options, &directory, debug);
  return status.ok() ? directory->Fsync(options, debug) : status;
}

IOStatus IndexFiles::NewSequentialFile(const std::string& path, const FileOptions& options,
                                       std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                       IODebugContext* debug) {
  if (replay_ != nullptr) {
    if (const std::optional<uint64_t> log = LogNumber(path); log.has_value()) opened_.insert(*log);
  }
  return target()->NewSequentialFile(path, options, result, debug);
}

std::vector<LogDamage> IndexFiles::FindDamage() {
  std::set<uint64_t> done_with;
  for (const auto& [log, offset] : synced_before_) {
    if (!opened_.contains(log) && target()->FileExists(LogPath(log), IOOptions(), nullptr).ok()) {
      done_with.insert(log);
    }
  }
  return FindLogDamage(synced_before_, replay_->ends(), done_with);
}

IOStatus IndexFiles::NewWritableFile(const std::string& path, const FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* result,
                                     IODebugContext* debug) {
  const std::optional<uint64_t> log = LogNumber(path);
  if (!log.has_value()) return target()->NewWritableFile(path, options, result, debug);
  if (replay_ != nullptr) {
    damage_ = FindDamage();
    if (!damage_.empty() && LogDamageId(damage_) != accepted_damage_) {
      return IOStatus::Corruption(DescribeLogDamage(damage_));
    }
    damage_.clear();
    replay_ = nullptr;
    MutexLock lock(mutex_);
    synced_.clear();
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  IOStatus status = target()->NewWritableFile(path, options, &file, debug);
  if (status.ok()) status = SyncDirectory(options.io_options, debug);
  if (status.ok()) *result = std::make_unique<LogFile>(std::move(file), this, *log);
  return status;
}

IOStatus IndexFiles::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  if (const std::optional<uint64_t> log = LogNumber(path); log.has_value()) {
    IOStatus status = Forget(*log);
    if (!status.ok()) return status;  // RocksDB tries again when it is opened
  }
  return target()->DeleteFile(path, options, debug);
}

IOStatus IndexFiles::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  if (to.ends_with("/CURRENT")) {
    IOStatus status = SyncDirectory(options, debug);
    if (!status.ok()) return status;
  }
  return target()->RenameFile(from, to, options, debug);
}

IOStatus IndexFiles::Forget(uint64_t log) {
  MutexLock lock(mutex_);
  synced_.erase(log);
  if (!on_disk_.contains(log)) return IOStatus::OK();
  IOStatus status = WriteSynced();
  if (status.ok()) status = synced_file_->Sync(IOOptions(), nullptr);
  if (status.ok()) on_disk_ = synced_;
  return status;
}

void IndexFiles::NoteSynced(uint64_t log, uint64_t offset) {
  MutexLock lock(mutex_);
  uint64_t& known = synced_[log];
  if (offset <= known) return;
  known = offset;
  WriteSynced().PermitUncheckedError();
}

// An error leaves what was there, which is behind.
IOStatus IndexFiles::WriteSynced() {
  if (synced_file_ == nullptr) {
    if (!target()->FileExists(SyncedPath(), IOOptions(), nullptr).ok()) {
      std::unique_ptr<rocksdb::FSWritableFile> made;
      IOStatus status = target()->NewWritableFile(SyncedPath(), FileOptions(), &made, nullptr);
      if (status.ok()) status = made->Close(IOOptions(), nullptr);
      if (!status.ok()) return status;
    }
    IOStatus status =
        target()->NewRandomRWFile(SyncedPath(), FileOptions(), &synced_file_, nullptr);
    if (!status.ok()) return status;
  }
  // Until a sync, an older form may come back, with what that said.
  for (const auto& [log, offset] : synced_) on_disk_[log] = offset;
  return synced_file_->Write(0, EncodeSyncedLogs(synced_), IOOptions(), nullptr);
}

}  // namespace varve
