#include "client/byte_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Of a regular file.
std::optional<uint64_t> LengthOf(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

ByteReader ReaderOf(int fd) {
  const bool regular = LengthOf(fd).has_value();
  return [fd, regular](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
    for (;;) {
      const ssize_t got =
          regular ? pread(fd, out, limit, static_cast<off_t>(offset)) : read(fd, out, limit);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return FileError(errno, "read the input");
    }
  };
}

}  // namespace

ByteSource::ByteSource(int fd, DigestAlgorithm algorithm)
    : ByteSource(ReaderOf(fd), LengthOf(fd), algorithm) {}

ByteSource::ByteSource(ByteReader read, std::optional<uint64_t> size_bytes,
                       DigestAlgorithm algorithm)
    : reader_(std::move(read)), size_bytes_(size_bytes), hasher_(algorithm) {}

absl::Status ByteSource::SeekTo(uint64_t offset) {
  if (offset < offset_) {
    if (!size_bytes_ && offset < hasher_.bytes_hashed() - last_read_.size()) {
      return absl::FailedPreconditionError(
          "the input cannot be read a second time, so the upload cannot go on; start it again, or "
          "put the input into a file");
    }
    offset_ = offset;
    return absl::OkStatus();
  }
  std::string passed;
  while (offset_ < offset) {
    RETURN_IF_ERROR(Read(static_cast<size_t>(std::min<uint64_t>(kMiB, offset - offset_)), &passed));
    if (passed.empty()) {
      return absl::FailedPreconditionError("the input is shorter than what was uploaded of it");
    }
  }
  return absl::OkStatus();
}

absl::Status ByteSource::Read(size_t limit, std::string* bytes) {
  const uint64_t hashed = hasher_.bytes_hashed();
  if (!size_bytes_ && offset_ < hashed) {
    *bytes = last_read_.substr(last_read_.size() - static_cast<size_t>(hashed - offset_), limit);
    offset_ += bytes->size();
    return absl::OkStatus();
  }
  read_status_ = FillFromReader(limit, bytes);
  RETURN_IF_ERROR(read_status_);
  const uint64_t end = offset_ + bytes->size();
  if (end > hashed) {
    hasher_.Update(std::string_view(*bytes).substr(static_cast<size_t>(hashed - offset_)));
    if (!size_bytes_) last_read_ = *bytes;
  }
  offset_ = end;
  return absl::OkStatus();
}

absl::Status ByteSource::FillFromReader(size_t limit, std::string* bytes) {
  bytes->resize(limit);
  size_t filled = 0;
  while (filled < limit) {
    ASSIGN_OR_RETURN(const size_t got,
                     reader_(offset_ + filled, bytes->data() + filled, limit - filled));
    if (got == 0) break;
    filled += got;
  }
  bytes->resize(filled);
  return absl::OkStatus();
}

std::string UploadIdOfFile(int fd, std::string_view repository) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const std::string identity = StrCat(
      repository, "\n", info.st_dev, ".", info.st_ino, ".", info.st_size, ".", info.st_mtim.tv_sec,
      ".", info.st_mtim.tv_nsec, ".", info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec);
  const std::string digest = HashBytes(DigestAlgorithm::kSha256, identity).ToString();
  return "file-" + digest.substr(digest.find(':') + 1, 32);
}

}  // namespace varve
