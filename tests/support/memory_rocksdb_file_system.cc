#include "tests/support/memory_rocksdb_file_system.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdarg>
#include <utility>

#include "storage/base/status.h"

namespace varve {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// The codes that RocksDB's own file system uses, full disks being worth another attempt.
IOStatus ToIoStatus(const absl::Status& status) {
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return IOStatus::OK();
    case absl::StatusCode::kNotFound:
      return IOStatus::PathNotFound(message);
    case absl::StatusCode::kResourceExhausted: {
      IOStatus no_space = IOStatus::NoSpace(message);
      no_space.SetRetryable(true);
      return no_space;
    }
    default:
      return IOStatus::IOError(message);
  }
}

// For the calls that answer NotFound, not an I/O error, when there is nothing at the path.
IOStatus ToLookupStatus(const absl::Status& status) {
  if (absl::IsNotFound(status)) return IOStatus::NotFound(std::string(status.message()));
  return ToIoStatus(status);
}

IOStatus ReadInto(const ReadableFile& file, uint64_t offset, size_t size, Slice* result,
                  char* scratch) {
  const absl::StatusOr<size_t> count = file.ReadAt(offset, absl::MakeSpan(scratch, size));
  *result = Slice(scratch, count.ok() ? *count : 0);
  return ToIoStatus(count.status());
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}

  IOStatus Read(size_t size, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    IOStatus status = ReadInto(*file_, offset_, size, result, scratch);
    offset_ += result->size();
    return status;
  }
  IOStatus Skip(uint64_t size) override {
    offset_ += size;
    return IOStatus::OK();
  }

 private:
  const std::unique_ptr<ReadableFile> file_;
  uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}

  IOStatus Read(uint64_t offset, size_t size, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return ReadInto(*file_, offset, size, result, scratch);
  }

 private:
  const std::unique_ptr<ReadableFile> file_;
};

class AppendedFile final : public rocksdb::FSWritableFile {
 public:
  AppendedFile(std::unique_ptr<WritableFile> file, uint64_t size_bytes, const FileOptions& options)
      : FSWritableFile(options), file_(std::move(file)), size_bytes_(size_bytes) {}

  using FSWritableFile::Append;  // the form with a checksum, which calls the one below
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    IOStatus status =
        ToIoStatus(file_->WriteAt(size_bytes_, std::string_view(data.data(), data.size())));
    if (status.ok()) size_bytes_ += data.size();
    return status;
  }
  IOStatus Truncate(uint64_t size_bytes, const IOOptions&, IODebugContext*) override {
    IOStatus status = ToIoStatus(file_->Truncate(size_bytes));
    if (status.ok()) size_bytes_ = size_bytes;
    return status;
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return ToIoStatus(file_->Sync()); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_bytes_; }

 private:
  const std::unique_ptr<WritableFile> file_;
  uint64_t size_bytes_;
};

// Overwritten in place: the file SYNCED of the index.
class RewrittenFile final : public rocksdb::FSRandomRWFile {
 public:
  explicit RewrittenFile(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions&, IODebugContext*) override {
    return ToIoStatus(file_->WriteAt(offset, std::string_view(data.data(), data.size())));
  }
  IOStatus Read(uint64_t, size_t, const IOOptions&, Slice*, char*, IODebugContext*) const override {
    return IOStatus::NotSupported("only written");
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return ToIoStatus(file_->Sync()); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  const std::unique_ptr<WritableFile> file_;
};

class SyncedDirectory final : public rocksdb::FSDirectory {
 public:
  SyncedDirectory(MemoryFileSystem& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_.SyncDirectory(path_));
  }

 private:
  MemoryFileSystem& disk_;
  const std::string path_;
};

class HeldFileLock final : public rocksdb::FileLock {
 public:
  explicit HeldFileLock(std::unique_ptr<varve::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  const std::unique_ptr<varve::FileLock> lock_;
};

class SilentLogger final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class MemoryRocksdbFileSystem final : public rocksdb::FileSystem {
 public:
  explicit MemoryRocksdbFileSystem(MemoryFileSystem& disk) : disk_(disk) {}

  const char* Name() const override { return "MemoryRocksdbFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return OpenForRead<SequentialFile>(path, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return OpenForRead<RandomAccessFile>(path, result);
  }
  // Empties a file that is there, as open with O_TRUNC does.
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    result->reset();
    absl::StatusOr<std::unique_ptr<WritableFile>> file = disk_.Create(path);
    if (absl::IsAlreadyExists(file.status())) {
      file = disk_.OpenForWrite(path);
      const absl::Status emptied = file.ok() ? (*file)->Truncate(0) : file.status();
      if (!emptied.ok()) return ToIoStatus(emptied);
    }
    if (file.ok()) *result = std::make_unique<AppendedFile>(*std::move(file), 0, options);
    return ToIoStatus(file.status());
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* debug) override {
    result->reset();
    const absl::StatusOr<FileStat> stat = disk_.Stat(path);
    if (absl::IsNotFound(stat.status())) return NewWritableFile(path, options, result, debug);
    if (!stat.ok()) return ToIoStatus(stat.status());
    absl::StatusOr<std::unique_ptr<WritableFile>> file = disk_.OpenForWrite(path);
    if (file.ok()) {
      *result = std::make_unique<AppendedFile>(*std::move(file), stat->size_bytes, options);
    }
    return ToIoStatus(file.status());
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                           IODebugContext*) override {
    result->reset();
    absl::StatusOr<std::unique_ptr<WritableFile>> file = disk_.OpenForWrite(path);
    if (file.ok()) *result = std::make_unique<RewrittenFile>(*std::move(file));
    return ToIoStatus(file.status());
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    result->reset();
    const IOStatus status = ToIoStatus(disk_.List(path).status());
    if (status.ok()) *result = std::make_unique<SyncedDirectory>(disk_, path);
    return status;
  }

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToLookupStatus(disk_.Stat(path).status());
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    return ToLookupStatus(Take(disk_.List(path), result));
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_.Remove(path));
  }
  IOStatus Truncate(const std::string& path, size_t size_bytes, const IOOptions&,
                    IODebugContext*) override {
    absl::StatusOr<std::unique_ptr<WritableFile>> file = disk_.OpenForWrite(path);
    return ToIoStatus(file.ok() ? (*file)->Truncate(size_bytes) : file.status());
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return ToIoStatus(disk_.Rename(from, to));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size_bytes,
                       IODebugContext*) override {
    const absl::StatusOr<FileStat> stat = disk_.Stat(path);
    *size_bytes = stat.ok() ? stat->size_bytes : 0;
    return ToIoStatus(stat.status());
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* seconds,
                                   IODebugContext*) override {
    *seconds = 0;
    return ToIoStatus(disk_.Stat(path).status());
  }

  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    if (disk_.Stat(path).ok()) return IOStatus::IOError("directory exists", path);
    return ToIoStatus(disk_.CreateDirectory(path));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_.CreateDirectory(path));
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_.RemoveDirectory(path));
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* result,
                       IODebugContext*) override {
    return ToIoStatus(Take(disk_.IsDirectory(path), result));
  }

  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** result,
                    IODebugContext*) override {
    *result = nullptr;
    absl::StatusOr<std::unique_ptr<varve::FileLock>> lock = disk_.Lock(path);
    if (lock.ok()) *result = new HeldFileLock(*std::move(lock));
    return ToIoStatus(lock.status());
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }

  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* result,
                     IODebugContext*) override {
    *result = std::make_shared<SilentLogger>();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                           IODebugContext*) override {
    *result = MemoryFileSystem::Normalised(path);
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    *path = "/rocksdb-test";
    return ToIoStatus(disk_.CreateDirectory(*path));
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, uint64_t* bytes,
                        IODebugContext*) override {
    return ToIoStatus(Take(disk_.FreeBytes(path), bytes));
  }

 private:
  template <typename Value>
  static absl::Status Take(absl::StatusOr<Value> value, Value* result) {
    *result = value.ok() ? *std::move(value) : Value{};
    return value.status();
  }

  template <typename File, typename Interface>
  IOStatus OpenForRead(const std::string& path, std::unique_ptr<Interface>* result) {
    result->reset();
    absl::StatusOr<std::unique_ptr<ReadableFile>> file = disk_.OpenForRead(path);
    if (file.ok()) *result = std::make_unique<File>(*std::move(file));
    return ToIoStatus(file.status());
  }

  MemoryFileSystem& disk_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> NewMemoryRocksdbFileSystem(MemoryFileSystem& disk) {
  return std::make_shared<MemoryRocksdbFileSystem>(disk);
}

}  // namespace varve
