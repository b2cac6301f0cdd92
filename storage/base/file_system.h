// The operating-system seam: the only way from the engine to the disk for blobs and packs.
//
// Implementations: PosixFileSystem (below) and, in tests, a file system that forgets at a power cut
// what was not synced. Paths are absolute or relative to the working directory; "/" separates.
// FileSystem is thread-safe. A WritableFile belongs to one thread at a time; a ReadableFile may be
// read by many threads at once.
//
// Durability: bytes are durable after WritableFile::Sync; the existence, absence or name of a file
// is durable after SyncDirectory of its directory. A failed Sync is final: the kernel may have
// dropped the dirty pages, so the file must be discarded, never synced again.
//
// Errors are those of ErrnoToStatus: NotFound, AlreadyExists, ResourceExhausted (no space),
// Unavailable (I/O error, no file descriptors).
#ifndef VARVE_STORAGE_BASE_FILE_SYSTEM_H_
#define VARVE_STORAGE_BASE_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/readable_bytes.h"

namespace varve {

struct FileStat {
  uint64_t size_bytes = 0;
  uint64_t allocated_bytes = 0;  // st_blocks * 512: what the disk gets back when the file goes
};

struct Extent {
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;
};

// Of memory, offset and length that go past the page cache; suits every disk.
inline constexpr uint64_t kDirectAlignment = 4096;

class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes; unsynced bytes may be lost

  // Writes all of `data` at `offset`, extending the file as needed.
  virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;
  // Asks the disk for room for `size_bytes` from the start without changing the file's size. A file
  // system that cannot reserve answers OK; a full disk answers ResourceExhausted.
  virtual absl::Status Reserve(uint64_t size_bytes) = 0;
  // Cuts or extends (with zeros) the file; gives back reserved room past `size_bytes`.
  virtual absl::Status Truncate(uint64_t size_bytes) = 0;
  // Hint: begin writing these bytes back now, so that a later Sync is short. Never fails.
  virtual void StartWriteback(Extent extent) = 0;
  // Hint: from now on, what is written from memory, at an offset and with a length that are
  // multiples of kDirectAlignment need not be kept in the page cache. Never fails.
  virtual void BypassPageCache() {}
  // Makes bytes and size durable (fdatasync).
  virtual absl::Status Sync() = 0;
};

class ReadableFile : public ReadableBytes {
 public:
  virtual absl::StatusOr<FileStat> Stat() const = 0;
  // Hint: from now on, what is read into memory, at an offset and with a length that are multiples
  // of kDirectAlignment, is to come from the disk itself and not from the page cache. Never fails.
  virtual void BypassPageCache() {}
};

// Held while it lives; see FileSystem::Lock.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Files are opened only when they are regular ones, reached by no symbolic link as the last part
  // of their path: anything else in their place is DataLoss, at once, and Stat answers the same.

  // AlreadyExists when `path` exists.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // Opens an existing file for writing, keeping its bytes.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) = 0;

  virtual absl::StatusOr<FileStat> Stat(const std::string& path) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Replaces `to` atomically. Only the STORE file is ever renamed.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // OK when it is there already; the parent must exist.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Of an empty one; else FailedPrecondition.
  virtual absl::Status RemoveDirectory(const std::string& path) = 0;
  // FailedPrecondition, with what to do, when others than the user of this process can change what
  // the directory holds: it belongs to another user, or every user may write to it.
  virtual absl::Status CheckPrivate(const std::string& /*directory*/) { return absl::OkStatus(); }
  // Names (not paths) of the entries, unordered, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Bytes that an unprivileged writer may still use on the disk that holds `path`.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& path) = 0;
  // The size of that disk.
  virtual absl::StatusOr<uint64_t> TotalBytes(const std::string& path) = 0;

  // Takes `path` (created when absent) for this process and writes its pid into it. When another
  // process, or another open store of this one, holds it: FailedPrecondition, naming that pid.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

// The machine's file system; never destroyed.
FileSystem& PosixFileSystem();

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_FILE_SYSTEM_H_
