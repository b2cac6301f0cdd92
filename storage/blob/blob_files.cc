#include "storage/blob/blob_files.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kMaxRememberedRanges = 1024;

std::string RangeName(FileId id) { return absl::StrFormat("%06x", id / kFilesPerDirectory); }

// Which directory of ids this is; nullopt for anything else.
std::optional<uint64_t> ParseRangeName(std::string_view name) {
  constexpr uint64_t kMaxRange = std::numeric_limits<FileId>::max() / kFilesPerDirectory - 1;
  uint64_t range = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), range, 16);
  const bool number = error == std::errc() && end == name.data() + name.size();
  if (!number || range > kMaxRange || RangeName(range * kFilesPerDirectory) != name) {
    return std::nullopt;
  }
  return range;
}

// The id that a file name written by Path() stands for; 0 for anything else.
FileId ParseFileName(std::string_view name) {
  FileId id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  return error == std::errc() && end == name.data() + name.size() ? id : 0;
}

absl::Status DirectoryIsGone(std::string_view directory) {
  return Private(absl::InternalError(
      StrCat("the directory ", directory,
             " is gone, under the running daemon; put it back, or start the daemon again, which "
             "goes on without what was in it, and run varve fsck")));
}

}  // namespace

absl::Status BlobFiles::OfFile(absl::Status status) {
  // Stat is of files; the free space of a directory is known while it is there.
  const bool gone =
      absl::IsNotFound(status) && absl::IsNotFound(file_system_.FreeBytes(directory_).status());
  return gone ? DirectoryIsGone(directory_) : status;
}

absl::Status BlobFiles::InDirectory(const std::string& range, absl::Status status) {
  const absl::Status meant = OfFile(std::move(status));
  return absl::IsNotFound(meant) ? DirectoryIsGone(range) : meant;
}

std::string BlobFiles::RangeDirectory(FileId id) const {
  return StrCat(directory_, "/", RangeName(id));
}

std::string BlobFiles::Path(FileId id) const { return StrCat(directory_, "/", Name(id)); }

std::string BlobFiles::Name(FileId id) {
  return StrCat(RangeName(id), "/", absl::StrFormat("%x", id));
}

std::string BlobFiles::PathOf(FileId id) const { return StrCat("blobs/", Name(id)); }

FileRoot::Ids BlobFiles::DirectoryOf(FileId id) const {
  const FileId first = id - id % kFilesPerDirectory;
  return {first, first + kFilesPerDirectory};
}

absl::Status BlobFiles::EnsureRangeDirectory(const std::string& range) {
  const auto is_durable = [&] {
    MutexLock lock(mutex_);
    return durable_ranges_.contains(range);
  };
  if (is_durable()) return absl::OkStatus();
  MutexLock making(making_mutex_);
  if (is_durable()) return absl::OkStatus();
  // One that is there may be what a failed sync left, which no later sync makes durable: it is made
  // anew. If it has files, some earlier sync of it succeeded: none is created before.
  const absl::Status removed = file_system_.RemoveDirectory(range);
  if (removed.ok() || absl::IsNotFound(removed)) {
    RETURN_IF_ERROR(InDirectory(directory_, file_system_.CreateDirectory(range)));
    RETURN_IF_ERROR(InDirectory(directory_, syncs_.Sync(directory_)));
  } else if (removed.code() != absl::StatusCode::kFailedPrecondition) {
    return removed;
  }
  MutexLock lock(mutex_);
  durable_ranges_.insert(range);
  // The lowest: files are created in the highest ones.
  if (durable_ranges_.size() > kMaxRememberedRanges) durable_ranges_.erase(durable_ranges_.begin());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WritableFile>> BlobFiles::Create(FileId id) {
  const std::string range = RangeDirectory(id);
  RETURN_IF_ERROR(EnsureRangeDirectory(range));
  absl::StatusOr<std::unique_ptr<WritableFile>> file = file_system_.Create(Path(id));
  if (!file.ok()) return InDirectory(range, file.status());
  MutexLock lock(mutex_);
  const bool first = new_entries_.emplace(id, false).second;
  CheckInvariant(first, "a file is made once");
  return *std::move(file);
}

absl::StatusOr<std::unique_ptr<WritableFile>> BlobFiles::OpenForWrite(FileId id) {
  absl::StatusOr<std::unique_ptr<WritableFile>> file = file_system_.OpenForWrite(Path(id));
  if (file.ok()) return file;
  absl::Status failed = OfFile(file.status());
  if (!absl::IsNotFound(failed)) return failed;
  return Private(absl::DataLossError(StrCat("the file ", PathOf(id), " is gone")));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> BlobFiles::OpenForRead(FileId id) {
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = file_system_.OpenForRead(Path(id));
  if (!file.ok()) return OfFile(file.status());
  return readers_.Track(id, *std::move(file));
}

absl::StatusOr<FileStat> BlobFiles::Stat(FileId id) {
  absl::StatusOr<FileStat> stat = file_system_.Stat(Path(id));
  if (!stat.ok()) return OfFile(stat.status());
  return stat;
}

absl::Status BlobFiles::Remove(FileId id) {
  {
    MutexLock lock(mutex_);
    new_entries_.erase(id);
  }
  return OfFile(file_system_.Remove(Path(id)));
}

absl::Status BlobFiles::SyncEntry(FileId id) {
  RETURN_IF_ERROR(InDirectory(RangeDirectory(id), SyncRemovals(id)));
  MutexLock lock(mutex_);
  const auto entry = new_entries_.find(id);
  if (entry == new_entries_.end()) return absl::OkStatus();
  if (entry->second) {
    return absl::UnavailableError(
        StrCat("a sync of the directory of ", PathOf(id), " failed; push again"));
  }
  new_entries_.erase(entry);
  return absl::OkStatus();
}

absl::Status BlobFiles::SyncRemovals(FileId id) {
  const absl::Status synced = syncs_.Sync(RangeDirectory(id), [&] {
    MutexLock lock(mutex_);
    const Ids ids = DirectoryOf(id);
    for (auto entry = new_entries_.lower_bound(ids.first);
         entry != new_entries_.end() && entry->first < ids.end; ++entry) {
      entry->second = true;
    }
  });
  return OfFile(synced);
}

absl::Status BlobFiles::RemoveDirectoryOf(FileId id) {
  const std::string range = RangeDirectory(id);
  {
    MutexLock lock(mutex_);
    durable_ranges_.erase(range);
  }
  return file_system_.RemoveDirectory(range);
}

absl::StatusOr<std::vector<std::string>> BlobFiles::ListRanges() {
  absl::StatusOr<std::vector<std::string>> names = file_system_.List(directory_);
  if (!names.ok()) return InDirectory(directory_, names.status());
  return names;
}

absl::Status BlobFiles::VisitEntries(
    const std::function<absl::Status(const std::string& name, FileId id)>& visit) {
  ASSIGN_OR_RETURN(std::vector<std::string> ranges, ListRanges());
  std::sort(ranges.begin(), ranges.end());
  for (const std::string& range : ranges) {
    const absl::StatusOr<std::vector<std::string>> files =
        file_system_.List(StrCat(directory_, "/", range));
    const bool is_range = ParseRangeName(range).has_value();
    if (is_range && absl::IsNotFound(files.status())) continue;  // empty, and removed meanwhile
    if (is_range) RETURN_IF_ERROR(files.status());
    if (!files.ok()) {  // nothing of the store
      RETURN_IF_ERROR(visit(range, 0));
      continue;
    }
    for (const std::string& file : *files) {
      const std::string name = StrCat(range, "/", file);
      const FileId id = ParseFileName(file);
      RETURN_IF_ERROR(visit(name, id != 0 && Name(id) == name ? id : 0));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FileId> BlobFiles::EndOfRanges() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListRanges());
  FileId end = 1;
  for (const std::string& name : names) {
    const std::optional<uint64_t> range = ParseRangeName(name);
    if (range.has_value()) end = std::max(end, (*range + 1) * kFilesPerDirectory);
  }
  return end;
}

absl::StatusOr<std::vector<FileId>> BlobFiles::List(FileId first, FileId end) {
  std::vector<FileId> files;
  for (FileId range = first / kFilesPerDirectory; range * kFilesPerDirectory < end; ++range) {
    absl::StatusOr<std::vector<std::string>> names =
        file_system_.List(RangeDirectory(range * kFilesPerDirectory));
    if (absl::IsNotFound(names.status())) continue;
    RETURN_IF_ERROR(names.status());
    for (const std::string& name : *names) {
      const FileId id = ParseFileName(name);
      if (id >= first && id < end && id != 0) files.push_back(id);
    }
  }
  return files;
}

}  // namespace varve
