#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "storage/base/file_system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;
constexpr uint64_t kMaxFileBytes = std::numeric_limits<off_t>::max();
constexpr uint64_t kStatBlockBytes = 512;  // the unit of st_blocks, whatever the file system

absl::Status Failed(int error, std::string_view operation, std::string_view path) {
  return ErrnoToStatus(error, StrCat(operation, " ", path));
}

// Repeats a call that a signal interrupted before it did anything.
template <typename Call>
auto Uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Owns a descriptor and remembers the path that its errors name.
class Descriptor {
 public:
  Descriptor(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  Descriptor(Descriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  int fd_;
  std::string path_;
};

absl::StatusOr<Descriptor> Open(const std::string& path, int flags, std::string_view operation) {
  const int fd = Uninterrupted([&] { return open(path.c_str(), flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return Failed(errno, operation, path);
  return Descriptor(fd, path);
}

absl::Status NotAFile(std::string_view path) {
  return absl::DataLossError(
      StrCat(path, " is no regular file, or a symbolic link to one; remove it"));
}

// Opens a regular file. Neither follows a link that somebody put in its place nor waits for the
// other end of a pipe.
absl::StatusOr<Descriptor> OpenFile(const std::string& path, int flags,
                                    std::string_view operation) {
  const int fd = Uninterrupted(
      [&] { return open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kFileMode); });
  const int error = errno;
  if (fd < 0) {
    // A link; a pipe that nobody reads, or a socket; a directory, for writing.
    const bool strange = error == ELOOP || error == ENXIO || error == EISDIR;
    return strange ? NotAFile(path) : Failed(error, operation, path);
  }
  Descriptor file(fd, path);
  struct stat info {};
  if (fstat(fd, &info) != 0) return Failed(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) return NotAFile(path);
  return file;
}

FileStat ToFileStat(const struct stat& info) {
  return {.size_bytes = static_cast<uint64_t>(info.st_size),
          .allocated_bytes = static_cast<uint64_t>(info.st_blocks) * kStatBlockBytes};
}

uint64_t FreeBytesOf(const struct statvfs& disk) {
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
}

class PosixWritableFile final : public WritableFile {
 public:
  explicit PosixWritableFile(Descriptor file) : file_(std::move(file)) {}

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      const bool direct = direct_.has_value() && IsAligned(offset, data);
      const int fd = direct ? direct_->fd() : file_.fd();
      const ssize_t written = Uninterrupted(
          [&] { return pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
      if (written < 0 && direct && errno == EINVAL) {
        direct_.reset();  // this disk wants another alignment
        continue;
      }
      if (written < 0) return Failed(errno, "write", file_.path());
      if (written == 0) return Failed(EIO, "write", file_.path());
      data.remove_prefix(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    }
    return absl::OkStatus();
  }

  absl::Status Reserve(uint64_t size_bytes) override {
    if (size_bytes == 0) return absl::OkStatus();
    // fallocate of more than there is takes all of it before it fails, from everybody else.
    struct stat info {};
    struct statvfs disk {};
    if (fstat(file_.fd(), &info) == 0 && fstatvfs(file_.fd(), &disk) == 0) {
      const uint64_t allocated = ToFileStat(info).allocated_bytes;
      if (size_bytes > allocated && size_bytes - allocated > FreeBytesOf(disk)) {
        return Failed(ENOSPC, "reserve space for", file_.path());
      }
    }
    const int result = Uninterrupted([&] {
      return fallocate(file_.fd(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_bytes));
    });
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return absl::OkStatus();
    return Failed(errno, "reserve space for", file_.path());
  }

  // ext4, XFS and btrfs free blocks past the end of file even when the size stays the same, so no
  // more is needed to give a reservation back; the contract suite checks it on the disk it runs on.
  absl::Status Truncate(uint64_t size_bytes) override {
    const int result =
        Uninterrupted([&] { return ftruncate(file_.fd(), static_cast<off_t>(size_bytes)); });
    return result == 0 ? absl::OkStatus() : Failed(errno, "truncate", file_.path());
  }

  void StartWriteback(Extent extent) override {
    if (extent.length_bytes == 0) return;  // the kernel would take 0 for "to the end of file"
    // Without the WAIT flags: waiting would also collect a write error that Sync has to report.
    (void)sync_file_range(file_.fd(), static_cast<off_t>(extent.offset_bytes),
                          static_cast<off_t>(extent.length_bytes), SYNC_FILE_RANGE_WRITE);
  }

  void BypassPageCache() override {
    if (direct_.has_value()) return;
    // Some file systems have no direct writes; the page cache serves them.
    absl::StatusOr<Descriptor> direct = OpenFile(file_.path(), O_WRONLY | O_DIRECT, "open");
    if (direct.ok()) direct_.emplace(*std::move(direct));
  }

  // Not repeated on any error, EINTR included: a second call may answer OK for lost pages.
  absl::Status Sync() override {
    return fdatasync(file_.fd()) == 0 ? absl::OkStatus() : Failed(errno, "sync", file_.path());
  }

 private:
  static bool IsAligned(uint64_t offset, std::string_view data) {
    const auto address = reinterpret_cast<uintptr_t>(data.data());
    return ((offset | data.size() | address) & (kDirectAlignment - 1)) == 0;
  }

  const Descriptor file_;
  std::optional<Descriptor> direct_;  // the same file, opened with O_DIRECT
};

class PosixReadableFile final : public ReadableFile {
 public:
  explicit PosixReadableFile(Descriptor file) : file_(std::move(file)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const override {
    size_t filled = 0;
    if (offset > kMaxFileBytes) return filled;
    while (filled < out.size()) {
      const ssize_t count = Uninterrupted([&] {
        return pread(file_.fd(), out.data() + filled, out.size() - filled,
                     static_cast<off_t>(offset + filled));
      });
      // Past the page cache only aligned reads are taken, and of none of what follows a short one.
      if (count < 0 && errno == EINVAL && EndDirectReads()) continue;
      if (count < 0) return Failed(errno, "read", file_.path());
      if (count == 0) break;
      filled += static_cast<size_t>(count);
    }
    return filled;
  }

  absl::StatusOr<FileStat> Stat() const override {
    struct stat info {};
    if (fstat(file_.fd(), &info) != 0) return Failed(errno, "stat", file_.path());
    return ToFileStat(info);
  }

  // Some file systems have no direct reads; the page cache serves them.
  void BypassPageCache() override {
    const int flags = fcntl(file_.fd(), F_GETFL);
    if (flags >= 0) (void)fcntl(file_.fd(), F_SETFL, flags | O_DIRECT);
  }

  int descriptor() const override { return file_.fd(); }

 private:
  // False when they had ended before.
  bool EndDirectReads() const {
    const int flags = fcntl(file_.fd(), F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0 &&
           fcntl(file_.fd(), F_SETFL, flags & ~O_DIRECT) == 0;
  }

  const Descriptor file_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor file) : file_(std::move(file)) {}

 private:
  const Descriptor file_;  // closing it releases the lock
};

// Who holds the lock file, for the error message: "process 123", or less when it cannot be read.
std::string LockHolder(const Descriptor& file) {
  std::array<char, 24> text{};
  const ssize_t size = Uninterrupted([&] { return pread(file.fd(), text.data(), text.size(), 0); });
  int64_t pid = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, pid).ec != std::errc()) {
    return "another process";
  }
  return StrCat("process ", pid);
}

absl::Status LockConflict(const Descriptor& file) {
  const std::string& path = file.path();
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  return absl::FailedPreconditionError(StrCat("the store ", directory, " is in use by ",
                                              LockHolder(file),
                                              "; stop it first, or choose another --data-dir"));
}

class MachineFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    ASSIGN_OR_RETURN(Descriptor file, OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, "create"));
    return std::make_unique<PosixWritableFile>(std::move(file));
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path) override {
    ASSIGN_OR_RETURN(Descriptor file, OpenFile(path, O_WRONLY, "open for writing"));
    return std::make_unique<PosixWritableFile>(std::move(file));
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override {
    ASSIGN_OR_RETURN(Descriptor file, OpenFile(path, O_RDONLY, "open"));
    return std::make_unique<PosixReadableFile>(std::move(file));
  }

  absl::StatusOr<FileStat> Stat(const std::string& path) override {
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) return Failed(errno, "stat", path);
    if (!S_ISREG(info.st_mode)) return NotAFile(path);
    return ToFileStat(info);
  }

  absl::Status Remove(const std::string& path) override {
    return unlink(path.c_str()) == 0 ? absl::OkStatus() : Failed(errno, "remove", path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return Failed(errno, "rename", StrCat(from, " to ", to));
  }

  absl::Status CreateDirectory(const std::string& path) override {
    if (mkdir(path.c_str(), kDirectoryMode) == 0) return absl::OkStatus();
    const int error = errno;
    struct stat info {};
    if (error == EEXIST && stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      return absl::OkStatus();
    }
    return Failed(error, "create directory", path);
  }

  absl::Status RemoveDirectory(const std::string& path) override {
    if (rmdir(path.c_str()) == 0) return absl::OkStatus();
    return Failed(errno, "remove directory", path);
  }

  absl::Status CheckPrivate(const std::string& directory) override {
    struct stat info {};
    if (stat(directory.c_str(), &info) != 0) return Failed(errno, "stat", directory);
    if (info.st_uid != geteuid()) {
      return absl::FailedPreconditionError(
          StrCat("the directory ", directory, " belongs to user ", info.st_uid,
                 ", but this process runs as user ", geteuid(),
                 "; run it as that user, change the owner of the directory, or choose another"));
    }
    if ((info.st_mode & S_IWOTH) != 0) {
      return absl::FailedPreconditionError(
          StrCat("every user of this machine may change what is in the directory ", directory,
                 "; take that right away (chmod o-w), or choose a directory inside it"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(directory.c_str()), closedir);
    if (stream == nullptr) return Failed(errno, "list", directory);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(stream.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return Failed(errno, "list", directory);
    return names;
  }

  absl::Status SyncDirectory(const std::string& path) override {
    ASSIGN_OR_RETURN(const Descriptor directory, Open(path, O_RDONLY | O_DIRECTORY, "open"));
    if (fsync(directory.fd()) == 0) return absl::OkStatus();
    return Failed(errno, "sync directory", path);
  }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs info {};
    if (statvfs(path.c_str(), &info) != 0) return Failed(errno, "read the free space of", path);
    return FreeBytesOf(info);
  }

  absl::StatusOr<uint64_t> TotalBytes(const std::string& path) override {
    struct statvfs info {};
    if (statvfs(path.c_str(), &info) != 0) return Failed(errno, "read the size of", path);
    return static_cast<uint64_t>(info.f_blocks) * info.f_frsize;
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    ASSIGN_OR_RETURN(Descriptor file, OpenFile(path, O_RDWR | O_CREAT, "open lock file"));
    // flock belongs to the open file, not to the process (as fcntl locks do), so that a second
    // store opened by this process conflicts too.
    if (Uninterrupted([&] { return flock(file.fd(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno == EWOULDBLOCK) return LockConflict(file);
      return Failed(errno, "lock", path);
    }
    if (Uninterrupted([&] { return ftruncate(file.fd(), 0); }) != 0) {
      return Failed(errno, "truncate lock file", path);
    }
    const std::string pid = StrCat(getpid(), "\n");
    if (Uninterrupted([&] { return pwrite(file.fd(), pid.data(), pid.size(), 0); }) < 0) {
      // The lock is held all the same; a full disk must not keep the store from opening.
      if (errno != ENOSPC && errno != EDQUOT) return Failed(errno, "write lock file", path);
    }
    return std::make_unique<PosixFileLock>(std::move(file));
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static MachineFileSystem* const file_system = new MachineFileSystem;
  return *file_system;
}

}  // namespace varve
