// The files under blobs/: one per loose blob, named by its file id from the first byte on. There is
// no rename and no reuse of a name, so removing an old copy can never remove a new one.
// Thread-safe.
#ifndef VARVE_STORAGE_BLOB_BLOB_FILES_H_
#define VARVE_STORAGE_BLOB_BLOB_FILES_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"
#include "storage/blob/directory_syncs.h"
#include "storage/index/keys.h"

namespace varve {

class BlobFiles {
 public:
  // `directory` is the store's blobs/ directory; it must exist.
  BlobFiles(FileSystem& file_system, std::string directory)
      : file_system_(file_system), directory_(std::move(directory)), syncs_(file_system) {}

  // Creates the file of `id`. Its entry is durable only after SyncEntry(id).
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(FileId id);
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(FileId id);
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(FileId id);
  absl::StatusOr<FileStat> Stat(FileId id);
  absl::Status Remove(FileId id);

  // Makes the presence or absence of the file of `id` durable. Calls for files of one directory
  // share syncs.
  absl::Status SyncEntry(FileId id);

  // "000003/d05": what the file of `id` is called under blobs/.
  static std::string Name(FileId id);

  // Calls `visit` for each entry under blobs/, a directory at a time, with its id; 0: it is no file
  // of the store. An error of it ends the walk.
  absl::Status VisitEntries(
      const std::function<absl::Status(const std::string& name, FileId id)>& visit);

  // Ids of the files that exist with first <= id < end; reads the directories of that range only.
  absl::StatusOr<std::vector<FileId>> List(FileId first, FileId end);

 private:
  std::string RangeDirectory(FileId id) const;
  std::string Path(FileId id) const;
  absl::Status EnsureRangeDirectory(const std::string& range) ABSL_LOCKS_EXCLUDED(mutex_);

  FileSystem& file_system_;
  const std::string directory_;
  DirectorySyncs syncs_;
  Mutex mutex_;
  // Directories known to exist durably; at most the one or two in use, the rest is forgotten.
  absl::flat_hash_set<std::string> durable_ranges_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_BLOB_FILES_H_
