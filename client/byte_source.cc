#include "client/byte_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {

ByteSource::ByteSource(int fd, DigestAlgorithm algorithm) : fd_(fd), hasher_(algorithm) {
  struct stat info {};
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    size_bytes_ = static_cast<uint64_t>(info.st_size);
  }
}

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
  RETURN_IF_ERROR(ReadDescriptor(limit, bytes));
  const uint64_t end = offset_ + bytes->size();
  if (end > hashed) {
    hasher_.Update(std::string_view(*bytes).substr(static_cast<size_t>(hashed - offset_)));
    if (!size_bytes_) last_read_ = *bytes;
  }
  offset_ = end;
  return absl::OkStatus();
}

absl::Status ByteSource::ReadDescriptor(size_t limit, std::string* bytes) {
  bytes->resize(limit);
  size_t filled = 0;
  while (filled < limit) {
    char* const out = bytes->data() + filled;
    const ssize_t got = size_bytes_
                            ? pread(fd_, out, limit - filled, static_cast<off_t>(offset_ + filled))
                            : read(fd_, out, limit - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoToStatus(errno, "read the input");
    if (got == 0) break;
    filled += static_cast<size_t>(got);
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
