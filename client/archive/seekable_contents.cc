#include "client/archive/seekable_contents.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "client/archive/entry_name.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

// A layout has three levels: blobs/sha256/<hex>.
constexpr int kMaxDirectoryDepth = 8;
constexpr uint64_t kCompareBytes = 256 * kKiB;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::StatusOr<size_t> ReadAt(int fd, uint64_t offset, char* out, size_t limit) {
  for (;;) {
    const ssize_t got = pread(fd, out, limit, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return FileError(errno, "read the archive");
  }
}

// Opens `name`, a normal name below `top`, component by component, following no link.
absl::StatusOr<int> OpenBelow(int top, std::string_view name, int flags) {
  int parent = top;
  std::unique_ptr<Descriptor> opened;
  for (;;) {
    const size_t slash = name.find('/');
    const bool last = slash == std::string_view::npos;
    const std::string component(name.substr(0, slash));
    const int wanted = last ? flags : O_RDONLY | O_DIRECTORY;
    const int fd = openat(parent, component.c_str(), wanted | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return FileError(errno, StrCat("open ", Quoted(name)));
    if (last) return fd;
    opened = std::make_unique<Descriptor>(fd);
    parent = fd;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

absl::StatusOr<std::string> SeekableContents::ReadFirst(const Entry& entry, size_t limit) {
  ASSIGN_OR_RETURN(const OpenFile file, OpenEntry(entry));
  std::string bytes(static_cast<size_t>(std::min<uint64_t>(limit, entry.size_bytes)), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    ASSIGN_OR_RETURN(const size_t got,
                     file.read(filled, bytes.data() + filled, bytes.size() - filled));
    if (got == 0) return absl::DataLossError(StrCat(Quoted(entry.name), " is cut off"));
    filled += got;
  }
  return bytes;
}

absl::Status SeekableContents::Look(Entry& entry) {
  if (entry.judged) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string first_bytes, ReadFirst(entry, kJudgedBytes));
  Judge(entry, first_bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::string> SeekableContents::ReadAll(const Entry& entry) {
  return ReadFirst(entry, static_cast<size_t>(entry.size_bytes));
}

absl::StatusOr<Digest> SeekableContents::Hash(const Entry& entry, DigestAlgorithm algorithm) {
  ASSIGN_OR_RETURN(const OpenFile file, OpenEntry(entry));
  Hasher hasher(algorithm);
  std::string buffer(kCompareBytes, '\0');
  for (uint64_t at = 0; at < entry.size_bytes;) {
    ASSIGN_OR_RETURN(const size_t got, file.read(at, buffer.data(), buffer.size()));
    if (got == 0) return absl::DataLossError(StrCat(Quoted(entry.name), " is cut off"));
    hasher.Update(std::string_view(buffer).substr(0, got));
    at += got;
  }
  return hasher.Current();
}

absl::StatusOr<Digest> SeekableContents::Upload(const Entry& entry,
                                                const std::optional<Digest>& expected) {
  ASSIGN_OR_RETURN(OpenFile file, OpenEntry(entry));
  ByteSource source(std::move(file.read), entry.size_bytes,
                    expected ? expected->algorithm() : DigestAlgorithm::kSha256);
  return uploader_.Upload({.name = entry.name,
                           .expected = expected,
                           .size_bytes = entry.size_bytes,
                           .upload_id = std::move(file.upload_id)},
                          source);
}

absl::StatusOr<std::unique_ptr<ArchiveContents>> FileContents::Open(int fd, ArchiveReader& reader,
                                                                    const ContentLimits& limits,
                                                                    BlobUploader& uploader) {
  std::unique_ptr<FileContents> contents(new FileContents(fd, limits, uploader));
  for (;;) {
    ASSIGN_OR_RETURN(const std::optional<ArchiveEntry> read, reader.Next());
    if (!read) return contents;
    ASSIGN_OR_RETURN(const Added added, contents->Add(*read));
    if (added.again) RETURN_IF_ERROR(contents->CheckSame(*added.entry, read->data_offset));
  }
}

absl::Status FileContents::CheckSame(const Entry& entry, uint64_t again) {
  std::string first(kCompareBytes, '\0');
  std::string second(kCompareBytes, '\0');
  if (entry.size_bytes > 0) {
    ASSIGN_OR_RETURN(const size_t last, ReadAt(fd_, again + entry.size_bytes - 1, first.data(), 1));
    if (last == 0) return absl::OkStatus();  // it is cut off, which the reader will find
  }
  for (uint64_t at = 0; at < entry.size_bytes;) {
    const auto wanted = static_cast<size_t>(std::min(kCompareBytes, entry.size_bytes - at));
    ASSIGN_OR_RETURN(const size_t got, ReadAt(fd_, entry.data_offset + at, first.data(), wanted));
    ASSIGN_OR_RETURN(const size_t same, ReadAt(fd_, again + at, second.data(), got));
    if (got == 0 || same != got || first.compare(0, got, second, 0, got) != 0) {
      return TwiceError(entry.name);
    }
    at += got;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FileContents::StoreUnnamed(const Digest& digest) {
  if (!unnamed_) {
    ASSIGN_OR_RETURN(const std::vector<const Entry*> blobs, UnnamedBlobs());
    unnamed_.emplace();
    for (const Entry* const blob : blobs) {
      uploader_.RenewPromises();
      ASSIGN_OR_RETURN(const Digest found, Hash(*blob, DigestAlgorithm::kSha256));
      unnamed_->try_emplace(found, blob->name);
    }
  }
  const auto found = unnamed_->find(digest);
  if (found == unnamed_->end()) return false;
  RETURN_IF_ERROR(Store(found->second, digest).status());
  return true;
}

absl::StatusOr<SeekableContents::OpenFile> FileContents::OpenEntry(const Entry& entry) {
  OpenFile file;
  file.read = [fd = fd_, begin = entry.data_offset, size = entry.size_bytes](
                  uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
    if (offset >= size) return 0;
    return ReadAt(fd, begin + offset, out,
                  static_cast<size_t>(std::min<uint64_t>(limit, size - offset)));
  };
  file.upload_id = UploadIdOfFile(fd_, entry.name);
  return file;
}

absl::StatusOr<std::unique_ptr<ArchiveContents>> DirectoryContents::Open(
    int fd, const ContentLimits& limits, BlobUploader& uploader) {
  std::unique_ptr<DirectoryContents> contents(new DirectoryContents(fd, limits, uploader));
  RETURN_IF_ERROR(contents->List("", 0));
  return contents;
}

absl::Status DirectoryContents::List(const std::string& name, int depth) {
  if (depth > kMaxDirectoryDepth) {
    return absl::InvalidArgumentError(
        StrCat("the directory ", Quoted(name), " lies too deep for an image layout"));
  }
  ASSIGN_OR_RETURN(const int fd, OpenBelow(fd_, name.empty() ? "." : name, O_RDONLY | O_DIRECTORY));
  const auto close_directory = [](DIR* directory) { closedir(directory); };
  const std::unique_ptr<DIR, decltype(close_directory)> directory(fdopendir(fd), close_directory);
  if (directory == nullptr) {
    const int error = errno;
    close(fd);
    return FileError(error, "list the directory");
  }
  for (;;) {
    errno = 0;
    const dirent* const found = readdir(directory.get());
    if (found == nullptr) {
      return errno == 0 ? absl::OkStatus() : FileError(errno, "list the directory");
    }
    const std::string leaf = found->d_name;
    if (leaf == "." || leaf == "..") continue;
    RETURN_IF_ERROR(
        AddFound(fd, leaf.c_str(), name.empty() ? leaf : StrCat(name, "/", leaf), depth));
  }
}

absl::Status DirectoryContents::AddFound(int directory_fd, const char* leaf,
                                         const std::string& name, int depth) {
  struct stat info {};
  if (fstatat(directory_fd, leaf, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return FileError(errno, StrCat("look at ", Quoted(name)));
  }
  if (S_ISDIR(info.st_mode)) return List(name, depth + 1);
  ArchiveEntry entry;
  entry.name = name;
  if (S_ISREG(info.st_mode)) {
    entry.kind = ArchiveEntry::Kind::kFile;
    entry.size_bytes = static_cast<uint64_t>(info.st_size);
  } else if (S_ISLNK(info.st_mode)) {
    entry.kind = ArchiveEntry::Kind::kSymbolicLink;
    std::string target(PATH_MAX, '\0');
    const ssize_t length = readlinkat(directory_fd, leaf, target.data(), target.size());
    if (length < 0) return FileError(errno, StrCat("read the link ", Quoted(name)));
    target.resize(static_cast<size_t>(length));
    entry.link_target = std::move(target);
  }
  return Add(entry).status();
}

absl::Status DirectoryContents::Look(Entry& entry) {
  if (entry.judged) return absl::OkStatus();
  RETURN_IF_ERROR(SeekableContents::Look(entry));
  entry.problem = absl::OkStatus();
  return absl::OkStatus();
}

absl::StatusOr<SeekableContents::OpenFile> DirectoryContents::OpenEntry(const Entry& entry) {
  ASSIGN_OR_RETURN(const int fd, OpenBelow(fd_, entry.name, O_RDONLY));
  const auto file = std::make_shared<Descriptor>(fd);
  struct stat info {};
  if (fstat(fd, &info) != 0) return FileError(errno, StrCat("look at ", Quoted(entry.name)));
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) != entry.size_bytes) {
    return absl::FailedPreconditionError(
        StrCat(Quoted(entry.name), " changed while the directory was read; load it again"));
  }
  const auto read = [file, size = entry.size_bytes](uint64_t offset, char* out,
                                                    size_t limit) -> absl::StatusOr<size_t> {
    if (offset >= size) return 0;
    return ReadAt(file->get(), offset, out,
                  static_cast<size_t>(std::min<uint64_t>(limit, size - offset)));
  };
  return OpenFile{.read = read, .upload_id = UploadIdOfFile(fd, "")};
}

}  // namespace varve
