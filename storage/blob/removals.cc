#include "storage/blob/removals.h"

#include <algorithm>
#include <string>
#include <utility>

#include "storage/base/status.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 500;

}  // namespace

absl::Status Removals::Stage(Transaction& txn, FileId file) {
  return txn.Put(RemovingKey(file), "");
}

absl::StatusOr<uint64_t> Removals::Unlink(FileId file) {
  {
    MutexLock lock(mutex_);
    staged_.push_back(file);
  }
  const absl::StatusOr<FileStat> stat = files_.Stat(file);
  if (absl::IsNotFound(stat.status())) return 0;
  RETURN_IF_ERROR(stat.status());
  RETURN_IF_ERROR(files_.Remove(file));
  return stat->allocated_bytes;
}

void Removals::Add(FileId file) {
  MutexLock lock(mutex_);
  added_.push_back(file);
}

absl::StatusOr<uint64_t> Removals::UnlinkAdded() {
  std::vector<FileId> files;
  {
    MutexLock lock(mutex_);
    files.swap(added_);
  }
  if (files.empty()) return 0;
  // The log is synced up to this commit, which writes a row that is there.
  const absl::Status synced =
      index_.Run([&](Transaction& txn) { return Stage(txn, files.front()); });
  if (!synced.ok()) {
    MutexLock lock(mutex_);
    added_.insert(added_.end(), files.begin(), files.end());
    return synced;
  }
  uint64_t freed = 0;
  for (const FileId file : files) {
    const absl::StatusOr<uint64_t> bytes = Unlink(file);
    if (bytes.ok()) freed += *bytes;  // else Finish tries again
  }
  return freed;
}

absl::Status Removals::Finish() {
  RETURN_IF_ERROR(UnlinkAdded().status());
  std::vector<FileId> files;
  {
    MutexLock lock(mutex_);
    files.swap(staged_);
  }
  std::sort(files.begin(), files.end());
  for (size_t begin = 0; begin < files.size(); begin += kPageRows) {
    const size_t end = std::min(files.size(), begin + kPageRows);
    absl::Status status;
    for (size_t i = begin; i < end && status.ok(); ++i) {
      status = files_.Remove(files[i]);  // again: an Unlink may have failed
      if (absl::IsNotFound(status)) status = absl::OkStatus();
      const bool last_of_directory =
          i + 1 == end || files[i + 1] / kFilesPerDirectory != files[i] / kFilesPerDirectory;
      if (status.ok() && last_of_directory) status = files_.SyncEntry(files[i]);
      // A directory that was never durable may be gone with the files that were in it.
      if (absl::IsNotFound(status)) status = absl::OkStatus();
    }
    if (status.ok()) {
      status = index_.Run(
          [&](Transaction& txn) -> absl::Status {
            for (size_t i = begin; i < end; ++i) {
              RETURN_IF_ERROR(txn.Delete(RemovingKey(files[i])));
            }
            return absl::OkStatus();
          },
          Durability::kBuffered);
    }
    if (!status.ok()) {
      MutexLock lock(mutex_);
      staged_.insert(staged_.end(), files.begin() + static_cast<std::ptrdiff_t>(begin),
                     files.end());
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status Removals::Recover() {
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     index_.Scan(PrefixRange(RemovingPrefix(), after), kPageRows));
    for (const KeyValue& row : rows) {
      FileId file = 0;
      if (!ParseRemovingKey(row.key, &file))
        return absl::DataLossError("a removing row is damaged");
      MutexLock lock(mutex_);
      staged_.push_back(file);
    }
    RETURN_IF_ERROR(Finish());
    if (rows.size() < kPageRows) return absl::OkStatus();
    after = rows.back().key.substr(RemovingPrefix().size());
  }
}

}  // namespace varve
