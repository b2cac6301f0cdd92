// The files under blobs/: one per loose blob, named by its file id from the first byte on. There is
// no rename and no reuse of a name, so removing an old copy can never remove a new one.
// Thread-safe.
//
// NotFound says that this file is not there, and nothing else. When blobs/ itself is gone, under
// the running daemon (a disk that was unmounted), or the directory in which a file is to be made,
// the answer is Internal and names it; it is private.
#ifndef VARVE_STORAGE_BLOB_BLOB_FILES_H_
#define VARVE_STORAGE_BLOB_BLOB_FILES_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"
#include "storage/blob/directory_syncs.h"
#include "storage/blob/file_root.h"
#include "storage/blob/open_files.h"
#include "storage/index/keys.h"

namespace varve {

class BlobFiles final : public FileRoot {
 public:
  // `directory` is the store's blobs/ directory; it must exist.
  BlobFiles(FileSystem& file_system, std::string directory)
      : file_system_(file_system), directory_(std::move(directory)), syncs_(file_system) {}

  // Creates the file of `id`. Its entry is durable only after SyncEntry(id).
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(FileId id);
  // DataLoss when it is not there: only unfinished files are written, and their writer needs them.
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(FileId id);
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(FileId id);
  absl::StatusOr<FileStat> Stat(FileId id) override;
  absl::Status Remove(FileId id) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsBeingRead(FileId id) override { return readers_.Contains(id); }

  // Makes the entry of the file, which Create made or which was there, durable. Calls for files of
  // one directory share syncs. A sync that failed may have lost the entries of all files that were
  // created before it: theirs can never be made durable, and their calls answer Unavailable.
  absl::Status SyncEntry(FileId id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status SyncRemovals(FileId id) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RemoveDirectoryOf(FileId id) override ABSL_LOCKS_EXCLUDED(mutex_);

  // "000003/d05": what the file of `id` is called under blobs/.
  static std::string Name(FileId id);
  std::string PathOf(FileId id) const override;
  Ids DirectoryOf(FileId id) const override;

  // Calls `visit` for each entry under blobs/, a directory at a time, with its id; 0: it is no file
  // of the store. An error of it ends the walk.
  absl::Status VisitEntries(
      const std::function<absl::Status(const std::string& name, FileId id)>& visit);

  // The first id above those of every directory under blobs/; 1 when there is none.
  absl::StatusOr<FileId> EndOfRanges();

  // Ids of the files that exist with first <= id < end; reads the directories of that range only.
  absl::StatusOr<std::vector<FileId>> List(FileId first, FileId end);

 private:
  std::string RangeDirectory(FileId id) const;
  std::string Path(FileId id) const;
  absl::Status EnsureRangeDirectory(const std::string& range)
      ABSL_LOCKS_EXCLUDED(mutex_, making_mutex_);
  absl::StatusOr<std::vector<std::string>> ListRanges();
  // What `status` of a file means: NotFound only while blobs/ is there.
  absl::Status OfFile(absl::Status status);
  // What `status` of work in a directory means, which `range` is: it must be there.
  absl::Status InDirectory(const std::string& range, absl::Status status);

  FileSystem& file_system_;
  const std::string directory_;
  DirectorySyncs syncs_;
  OpenFiles readers_;
  Mutex making_mutex_;  // held while a directory is made and its entry synced
  Mutex mutex_;
  // Directories known to exist durably: the highest ones that were asked for.
  std::set<std::string> durable_ranges_ ABSL_GUARDED_BY(mutex_);
  // Files that were created and whose entries no sync has covered; true: a sync that failed may
  // have lost the entry.
  std::map<FileId, bool> new_entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_BLOB_FILES_H_
