#include "client/archive/archive_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

ArchiveWriter::ArchiveWriter(ByteSink sink)
    : sink_(std::move(sink)), archive_(archive_write_new()) {
  archive_write_set_format_pax_restricted(archive_);
  // Pieces go to the sink as they come, instead of being copied into blocks of a tape.
  archive_write_set_bytes_per_block(archive_, 0);
  archive_write_open(archive_, this, nullptr, WriteToSink, nullptr);
}

ArchiveWriter::~ArchiveWriter() {
  // Not archive_write_fail, which leaks in libarchive 3.6: the end that is written now, with zeros
  // for what is missing of the open file, goes nowhere.
  if (sink_status_.ok()) sink_status_ = absl::CancelledError("the archive was abandoned");
  archive_write_free(archive_);
}

absl::Status ArchiveWriter::AddDirectory(const std::string& path) {
  return BeginEntry(path + "/", true, 0);
}

absl::Status ArchiveWriter::AddFile(const std::string& path, std::string_view bytes) {
  RETURN_IF_ERROR(BeginFile(path, bytes.size()));
  return Append(bytes);
}

absl::Status ArchiveWriter::BeginFile(const std::string& path, uint64_t size_bytes) {
  return BeginEntry(path, false, size_bytes);
}

absl::Status ArchiveWriter::Append(std::string_view bytes) {
  if (bytes.size() > missing_bytes_) {
    return absl::FailedPreconditionError("a file of the archive got more bytes than announced");
  }
  if (bytes.empty()) return absl::OkStatus();
  const la_ssize_t written = archive_write_data(archive_, bytes.data(), bytes.size());
  if (written != static_cast<la_ssize_t>(bytes.size())) return Check(ARCHIVE_FATAL);
  missing_bytes_ -= bytes.size();
  return absl::OkStatus();
}

absl::Status ArchiveWriter::Complete() {
  if (missing_bytes_ != 0) {
    return absl::FailedPreconditionError("a file of the archive got fewer bytes than announced");
  }
  return Check(archive_write_close(archive_));
}

ssize_t ArchiveWriter::WriteToSink(struct archive* archive, void* writer, const void* bytes,
                                   size_t size) {
  ArchiveWriter& self = *static_cast<ArchiveWriter*>(writer);
  if (self.sink_status_.ok()) {
    self.sink_status_ = self.sink_({static_cast<const char*>(bytes), size});
  }
  if (self.sink_status_.ok()) return static_cast<ssize_t>(size);
  archive_set_error(archive, EIO, "the sink failed");
  return -1;
}

absl::Status ArchiveWriter::BeginEntry(const std::string& path, bool directory,
                                       uint64_t size_bytes) {
  if (missing_bytes_ != 0) {
    return absl::FailedPreconditionError("a file of the archive got fewer bytes than announced");
  }
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_filetype(entry.get(), directory ? AE_IFDIR : AE_IFREG);
  archive_entry_set_perm(entry.get(), directory ? 0755 : 0644);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size_bytes));
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  archive_entry_set_mtime(entry.get(), 0, 0);
  RETURN_IF_ERROR(Check(archive_write_header(archive_, entry.get())));
  missing_bytes_ = size_bytes;
  return absl::OkStatus();
}

absl::Status ArchiveWriter::Check(int result) {
  if (result == ARCHIVE_OK) return absl::OkStatus();
  RETURN_IF_ERROR(sink_status_);
  const char* const reason = archive_error_string(archive_);
  return absl::InternalError(
      StrCat("the archive cannot be written: ", reason == nullptr ? "no reason given" : reason));
}

}  // namespace varve
