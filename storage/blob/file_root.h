// A directory of the store that holds files by their ids, in subdirectories of a layout of its own:
// as much of it as removing a file needs. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_FILE_ROOT_H_
#define VARVE_STORAGE_BLOB_FILE_ROOT_H_

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/file_system.h"
#include "storage/index/keys.h"

namespace varve {

class FileRoot {
 public:
  virtual ~FileRoot() = default;

  // "blobs/000003/d05": what the file of `id` is called below the data directory.
  virtual std::string PathOf(FileId id) const = 0;
  // The ids whose files share a subdirectory with that of `id`: first <= other < end.
  struct Ids {
    FileId first = 0;
    FileId end = 0;
  };
  virtual Ids DirectoryOf(FileId id) const = 0;

  virtual absl::StatusOr<FileStat> Stat(FileId id) = 0;
  virtual absl::Status Remove(FileId id) = 0;
  // Whether the file is open: unlinked, it takes its room until it is closed.
  virtual bool IsBeingRead(FileId id) = 0;
  // Makes the removals from the directory of `id` durable.
  virtual absl::Status SyncRemovals(FileId id) = 0;
  // Removes the directory of `id`, in which no file is or will be created; FailedPrecondition when
  // it is not empty.
  virtual absl::Status RemoveDirectoryOf(FileId id) = 0;
};

// A file and its root, by the number that removing rows call that: 0 is blobs/.
struct RootedFile {
  // NOLINTNEXTLINE(google-explicit-constructor): most are of blobs/.
  RootedFile(FileId file, uint8_t number = 0) : root(number), id(file) {}

  uint8_t root;
  FileId id;

  friend auto operator<=>(const RootedFile&, const RootedFile&) = default;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_FILE_ROOT_H_
