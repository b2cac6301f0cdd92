#include "storage/blob/removals.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 500;
constexpr int64_t kFirstPauseNanos = kNanosPerSecond;
constexpr int64_t kLongestPauseNanos = 600 * kNanosPerSecond;

int64_t PauseAfter(int failures) {
  int64_t pause = kFirstPauseNanos;
  for (int i = 1; i < failures && pause < kLongestPauseNanos; ++i) pause *= 2;
  return std::min(pause, kLongestPauseNanos);
}

// The value of a removing row: nothing for a file of the first root, else the number of its own.
std::string RowOf(const RootedFile& file) {
  return file.root == 0 ? std::string() : std::string(1, static_cast<char>(file.root));
}

uint8_t RootOfRow(std::string_view value) {
  return value.empty() ? uint8_t{0} : static_cast<uint8_t>(value[0]);
}

}  // namespace

absl::Status Removals::Stage(Transaction& txn, const RootedFile& file) {
  return file.id == 0 ? absl::OkStatus() : txn.Put(RemovingKey(file.id), RowOf(file));
}

absl::StatusOr<uint64_t> Removals::Unlink(const RootedFile& file) {
  if (file.id == 0) return 0;
  FileRoot& root = *roots_[file.root];
  absl::StatusOr<FileStat> stat = root.Stat(file.id);
  absl::Status status = stat.status();
  uint64_t freed = 0;
  if (status.ok()) {
    // Asked before the name goes: whoever opens it later meets no file.
    freed = root.IsBeingRead(file.id) ? 0 : stat->allocated_bytes;
    status = root.Remove(file.id);
  }
  if (!status.ok() && !absl::IsNotFound(status)) {
    KeepAside(file, status);
    return status;
  }
  MutexLock lock(mutex_);
  staged_.push_back(file);
  return status.ok() ? freed : 0;
}

void Removals::Add(const RootedFile& file) {
  if (file.id == 0) return;
  MutexLock lock(mutex_);
  added_.push_back(file);
}

absl::StatusOr<uint64_t> Removals::UnlinkAdded() {
  std::vector<RootedFile> files;
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
  for (const RootedFile& file : files) {
    const absl::StatusOr<uint64_t> bytes = Unlink(file);
    if (bytes.ok()) freed += *bytes;  // else it is kept aside
  }
  return freed;
}

absl::Status Removals::Finish() {
  RETURN_IF_ERROR(UnlinkAdded().status());
  std::vector<RootedFile> files;
  {
    MutexLock lock(mutex_);
    files.swap(staged_);
    const int64_t now = clock_.MonotonicNanos();
    for (const auto& [file, aside] : aside_) {
      if (aside.due_nanos <= now) files.emplace_back(file, aside.root);
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  for (size_t begin = 0; begin < files.size(); begin += kPageRows) {
    const absl::Span<const RootedFile> page =
        absl::MakeConstSpan(files).subspan(begin, std::min(kPageRows, files.size() - begin));
    const absl::Status dropped = DropRows(Settle(page));
    if (!dropped.ok()) {
      MutexLock lock(mutex_);
      staged_.insert(staged_.end(), files.begin() + static_cast<std::ptrdiff_t>(begin),
                     files.end());
      return dropped;
    }
  }
  RemoveEmptyDirectories();
  return absl::OkStatus();
}

std::vector<RootedFile> Removals::Settle(absl::Span<const RootedFile> files) {
  CheckInvariant(std::is_sorted(files.begin(), files.end()),
                 "files are unlinked a directory at a time");
  std::vector<RootedFile> settled;
  for (size_t begin = 0; begin < files.size();) {
    size_t end = begin;
    FileRoot& root = *roots_[files[begin].root];
    const FileRoot::Ids ids = root.DirectoryOf(files[begin].id);
    std::vector<RootedFile> unlinked;
    for (; end < files.size() && files[end] < RootedFile(ids.end, files[begin].root); ++end) {
      const absl::Status status = root.Remove(files[end].id);
      if (status.ok() || absl::IsNotFound(status)) {
        unlinked.push_back(files[end]);
      } else {
        KeepAside(files[end], status);
      }
    }
    absl::Status synced =
        unlinked.empty() ? absl::OkStatus() : root.SyncRemovals(unlinked.front().id);
    // A directory that was never durable may be gone with the files that were in it.
    if (absl::IsNotFound(synced)) synced = absl::OkStatus();
    for (const RootedFile& file : unlinked) {
      if (!synced.ok()) KeepAside(file, synced);
    }
    if (synced.ok()) settled.insert(settled.end(), unlinked.begin(), unlinked.end());
    begin = end;
  }
  MutexLock lock(mutex_);
  for (const RootedFile& file : settled) {
    aside_.erase(file.id);
    emptied_.emplace(roots_[file.root]->DirectoryOf(file.id).first, file.root);
  }
  return settled;
}

absl::Status Removals::DropRows(absl::Span<const RootedFile> files) {
  if (files.empty()) return absl::OkStatus();
  return index_.Run(
      [&](Transaction& txn) -> absl::Status {
        for (const RootedFile& file : files) RETURN_IF_ERROR(txn.Delete(RemovingKey(file.id)));
        return absl::OkStatus();
      },
      Durability::kBuffered);
}

void Removals::KeepAside(const RootedFile& file, const absl::Status& why) {
  MutexLock lock(mutex_);
  Aside& aside = aside_[file.id];
  aside.root = file.root;
  const bool is_new = aside.failures++ == 0;
  aside.due_nanos = clock_.MonotonicNanos() + PauseAfter(aside.failures);
  aside.reason = std::string(why.message());
  // Once a file: not with every attempt.
  if (is_new && problems_.size() < kMaxReclaimProblems) {
    problems_.push_back(StrCat("the file ", roots_[file.root]->PathOf(file.id),
                               " is garbage and cannot be unlinked: ", aside.reason));
  }
}

void Removals::RemoveEmptyDirectories() {
  // Nobody writes a file whose id is below the mark any more.
  const absl::StatusOr<FileId> low_water = unnamed_.LowWater();
  if (!low_water.ok()) return;  // the next time
  std::vector<RootedFile> directories;
  {
    MutexLock lock(mutex_);
    const auto is_left = [&](const RootedFile& first) {
      return roots_[first.root]->DirectoryOf(first.id).end <= *low_water;
    };
    std::copy_if(emptied_.begin(), emptied_.end(), std::back_inserter(directories), is_left);
    for (const RootedFile& directory : directories) emptied_.erase(directory);
  }
  // One that is not empty stays, as does one that cannot be removed: it costs a page of the disk.
  for (const RootedFile& directory : directories) {
    roots_[directory.root]->RemoveDirectoryOf(directory.id).IgnoreError();
  }
}

absl::Status Removals::Recover() {
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     index_.Scan(PrefixRange(RemovingPrefix(), after), kPageRows));
    for (const KeyValue& row : rows) {
      RootedFile file(0, RootOfRow(row.value));
      const bool readable = ParseRemovingKey(row.key, &file.id) && file.root < roots_.size();
      MutexLock lock(mutex_);
      if (readable) {
        staged_.push_back(file);
      } else if (problems_.size() < kMaxReclaimProblems) {
        problems_.push_back("a removing row of the index is damaged; the file it names stays");
      }
    }
    RETURN_IF_ERROR(Finish());
    if (rows.size() < kPageRows) return absl::OkStatus();
    after = rows.back().key.substr(RemovingPrefix().size());
  }
}

absl::Status Removals::RemoveUnnamed(std::vector<RootedFile> files) {
  std::sort(files.begin(), files.end());
  std::vector<RootedFile> failed = files;
  for (const RootedFile& file : Settle(files)) {
    failed.erase(std::lower_bound(failed.begin(), failed.end(), file));
  }
  for (size_t begin = 0; begin < failed.size(); begin += kPageRows) {
    const size_t end = std::min(failed.size(), begin + kPageRows);
    RETURN_IF_ERROR(index_.Run([&](Transaction& txn) -> absl::Status {
      for (size_t i = begin; i < end; ++i) RETURN_IF_ERROR(Stage(txn, failed[i]));
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

size_t Removals::kept_aside() {
  MutexLock lock(mutex_);
  return aside_.size();
}

std::string Removals::ReasonKeptAside(FileId file) {
  MutexLock lock(mutex_);
  const auto found = aside_.find(file);
  return found == aside_.end() ? std::string() : found->second.reason;
}

std::vector<std::string> Removals::TakeProblems() {
  MutexLock lock(mutex_);
  return std::exchange(problems_, {});
}

}  // namespace varve
