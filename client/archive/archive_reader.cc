#include "client/archive/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "client/archive/entry_name.h"
#include "client/archive/inflated_digest.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

// What libarchive reads from; its errors are kept, since libarchive has no place for a status.
struct ArchiveReader::Input {
  explicit Input(int input_fd) : fd(input_fd), buffer(kMiB) {
    struct stat info {};
    regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!regular) return;
    file_bytes = info.st_size;
    static_cast<void>(lseek(fd, 0, SEEK_SET));
  }

  static la_ssize_t Read(struct archive* archive, void* self, const void** bytes) {
    auto* const input = static_cast<Input*>(self);
    if (input->looked_at == 0) input->Fill();
    if (!input->status.ok()) {
      archive_set_error(archive, EIO, "read failed");
      return ARCHIVE_FATAL;
    }
    *bytes = input->buffer.data();
    return static_cast<la_ssize_t>(std::exchange(input->looked_at, 0));
  }

  // The first bytes, which Read gives again: at least four, unless there are no more.
  std::string_view Look() {
    constexpr size_t kLookBytes = 18;
    size_t before = 1;
    while (looked_at < kLookBytes && looked_at != before) {
      before = looked_at;
      Fill();
    }
    return {buffer.data(), looked_at};
  }

  // Reads more into the buffer, behind what is in it.
  void Fill() {
    ssize_t got = -1;
    do {
      got = read(fd, buffer.data() + looked_at, buffer.size() - looked_at);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      status = FileError(errno, "read the archive");
      return;
    }
    looked_at += static_cast<size_t>(got);
    bytes_read += static_cast<uint64_t>(got);
  }

  // At most to the end, so that a file that is cut off is noticed as a pipe would be.
  static la_int64_t Skip(struct archive*, void* self, la_int64_t bytes) {
    auto* const input = static_cast<Input*>(self);
    if (!input->regular) return 0;  // then it is read
    const off_t begin = lseek(input->fd, 0, SEEK_CUR);
    const la_int64_t skipped = std::min<la_int64_t>(bytes, input->file_bytes - begin);
    if (begin < 0 || skipped <= 0 || lseek(input->fd, skipped, SEEK_CUR) < 0) return 0;
    input->bytes_read += static_cast<uint64_t>(skipped);
    return skipped;
  }

  const int fd;
  bool regular = false;
  off_t file_bytes = 0;  // of a regular file
  std::vector<char> buffer;
  size_t looked_at = 0;  // bytes of the buffer that the library did not get yet
  uint64_t bytes_read = 0;
  absl::Status status;
};

namespace {

ArchiveEntry::Kind KindOf(struct archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return ArchiveEntry::Kind::kHardLink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return ArchiveEntry::Kind::kFile;
    case AE_IFDIR:
      return ArchiveEntry::Kind::kDirectory;
    case AE_IFLNK:
      return ArchiveEntry::Kind::kSymbolicLink;
    default:
      return ArchiveEntry::Kind::kOther;
  }
}

std::string TextOrEmpty(const char* text) { return text == nullptr ? std::string() : text; }

absl::Status SparseError(std::string_view name) {
  return absl::InvalidArgumentError(
      StrCat("the archive holds ", Quoted(name),
             " as a sparse file, which image archives never do; pack it again without --sparse"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArchiveReader>> ArchiveReader::Open(
    int fd, const ArchiveReaderOptions& options) {
  std::unique_ptr<ArchiveReader> reader(new ArchiveReader(fd, options));
  if (reader->archive_ == nullptr) return absl::ResourceExhaustedError("there is no memory");
  RETURN_IF_ERROR(reader->Start());
  return reader;
}

ArchiveReader::ArchiveReader(int fd, const ArchiveReaderOptions& options)
    : options_(options), input_(std::make_unique<Input>(fd)), archive_(archive_read_new()) {}

ArchiveReader::~ArchiveReader() {
  if (archive_ != nullptr) archive_read_free(archive_);
}

absl::Status ArchiveReader::Start() {
  archive_read_support_filter_gzip(archive_);
  archive_read_support_filter_zstd(archive_);
  archive_read_support_filter_xz(archive_);
  archive_read_support_filter_bzip2(archive_);
  archive_read_support_format_tar(archive_);
  archive_read_set_read_callback(archive_, &Input::Read);
  archive_read_set_skip_callback(archive_, &Input::Skip);
  archive_read_set_callback_data(archive_, input_.get());
  const absl::Status window = CheckZstdWindow(input_->Look());
  if (!window.ok()) {
    return absl::InvalidArgumentError(StrCat("the archive: ", ToStd(window.message())));
  }
  if (BeginsWithSkippableFrame(input_->Look())) {
    archive_read_append_filter(archive_, ARCHIVE_FILTER_ZSTD);
  }
  if (archive_read_open1(archive_) != ARCHIVE_OK) return Failure();
  // Its own entry for "none" is counted too.
  const int filters = archive_filter_count(archive_);
  compressed_ = filters > 1;
  if (filters > 2) {
    return absl::InvalidArgumentError("the archive is compressed more than once; unpack it first");
  }
  return absl::OkStatus();
}

absl::Status ArchiveReader::Failure() const {
  if (!input_->status.ok()) return input_->status;
  const std::string reason = TextOrEmpty(archive_error_string(archive_));
  if (!started_) {
    return absl::InvalidArgumentError(
        StrCat("the input is not a tar archive, compressed with gzip, zstd, xz, bzip2 or not (",
               reason, ")"));
  }
  // Of an uncompressed archive it depends on how it is read what the library says.
  return absl::DataLossError(StrCat("the archive is damaged or cut off at ", Quoted(name_),
                                    compressed_ ? StrCat(" (", reason, ")") : std::string()));
}

absl::Status ArchiveReader::CheckExpansion() const {
  if (!compressed_) return absl::OkStatus();
  const auto unpacked = static_cast<uint64_t>(archive_filter_bytes(archive_, 0));
  if (unpacked <= options_.free_bytes || unpacked / options_.max_expansion <= input_->bytes_read) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      StrCat("the archive unpacks to more than ", options_.max_expansion,
             " times its size; if that is meant to be so, unpack it and load the result"));
}

absl::Status ArchiveReader::FinishEntry() {
  // libarchive itself skips the rest of a file; of a compressed archive that means unpacking it.
  if (!reading_file_ || !compressed_) return absl::OkStatus();
  do {
    RETURN_IF_ERROR(NextPiece());
  } while (!piece_.empty());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<ArchiveEntry>> ArchiveReader::Next() {
  RETURN_IF_ERROR(FinishEntry());
  reading_file_ = false;
  piece_ = {};
  struct archive_entry* entry = nullptr;
  const int result = archive_read_next_header(archive_, &entry);
  if (result == ARCHIVE_EOF) {
    Drain();
    return std::nullopt;
  }
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return Failure();
  started_ = true;
  RETURN_IF_ERROR(CheckExpansion());
  ASSIGN_OR_RETURN(ArchiveEntry read, ReadEntry(entry));
  return read;
}

absl::StatusOr<ArchiveEntry> ArchiveReader::ReadEntry(struct archive_entry* entry) {
  ArchiveEntry read;
  read.kind = KindOf(entry);
  // Null when the name cannot be converted: then it is none that an image archive uses.
  read.name = TextOrEmpty(archive_entry_pathname(entry));
  name_ = read.name;
  if (read.kind == ArchiveEntry::Kind::kHardLink) {
    read.link_target = TextOrEmpty(archive_entry_hardlink(entry));
  } else if (read.kind == ArchiveEntry::Kind::kSymbolicLink) {
    read.link_target = TextOrEmpty(archive_entry_symlink(entry));
  } else if (read.kind == ArchiveEntry::Kind::kFile) {
    const int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<uint64_t>(size) > kMaxBlobBytes) {
      return absl::InvalidArgumentError(StrCat("the archive states ", size, " bytes for ",
                                               Quoted(read.name), ", more than a blob can have"));
    }
    if (archive_entry_sparse_count(entry) > 0) return SparseError(read.name);
    read.size_bytes = static_cast<uint64_t>(size);
    read.data_offset = static_cast<uint64_t>(archive_filter_bytes(archive_, 0));
    reading_file_ = true;
    file_bytes_ = read.size_bytes;
    file_offset_ = 0;
  }
  return read;
}

absl::Status ArchiveReader::NextPiece() {
  const void* bytes = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  do {
    const int result = archive_read_data_block(archive_, &bytes, &size, &offset);
    if (result == ARCHIVE_EOF) {
      piece_ = {};
      if (file_offset_ == file_bytes_) return absl::OkStatus();
      return Failure();
    }
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return Failure();
    // A hole would be as many zero bytes as it says, for nothing in the archive.
    if (offset < 0 || static_cast<uint64_t>(offset) != file_offset_) return SparseError("a file");
    RETURN_IF_ERROR(CheckExpansion());
  } while (size == 0);
  piece_ = {static_cast<const char*>(bytes), size};
  file_offset_ += size;
  return absl::OkStatus();
}

absl::StatusOr<size_t> ArchiveReader::Read(char* out, size_t limit) {
  if (!reading_file_ || limit == 0) return 0;
  if (piece_.empty()) RETURN_IF_ERROR(NextPiece());
  const size_t size = std::min(limit, piece_.size());
  if (size == 0) return 0;
  std::memcpy(out, piece_.data(), size);
  piece_.remove_prefix(size);
  return size;
}

void ArchiveReader::Drain() {
  // Writers pad by some kilobytes; what goes on for longer may see its pipe closed.
  constexpr uint64_t kMaxPaddingBytes = kMiB;
  if (input_->regular) return;
  const uint64_t end = input_->bytes_read + kMaxPaddingBytes;
  const void* bytes = nullptr;
  while (input_->bytes_read < end && Input::Read(archive_, input_.get(), &bytes) > 0) {
  }
}

}  // namespace varve
