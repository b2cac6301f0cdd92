// The files of the floor server: each upload one file, hashed while it is written, synced with its
// directory before it counts. What a digest names is known in memory only. Thread-safe; one upload
// is used by one thread at a time.
#ifndef VARVE_BENCHMARKS_FLOOR_BLOB_FOLDER_H_
#define VARVE_BENCHMARKS_FLOOR_BLOB_FOLDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/mutex.h"
#include "storage/image/hasher.h"

namespace varve::floor_server {

class Upload {
 public:
  // Creates the file; ok() tells whether that went well.
  explicit Upload(std::string path);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  bool ok() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }
  // False when the disk did not take it.
  bool Append(std::string_view bytes);
  // Syncs the data; the digest of all of it, or an empty string when the sync failed.
  std::string Finish();

 private:
  const std::string path_;
  const int fd_;
  Hasher hasher_{DigestAlgorithm::kSha256};
};

class BlobFolder {
 public:
  // `path` must be a directory.
  explicit BlobFolder(std::string path);
  ~BlobFolder();
  BlobFolder(const BlobFolder&) = delete;
  BlobFolder& operator=(const BlobFolder&) = delete;

  // A new upload's id; empty when there can be no file for it.
  std::string Begin();
  // Null when there is no such upload.
  std::shared_ptr<Upload> Find(const std::string& id);
  // Ends the upload. Durable when it returns true; false when the digest is another one or a sync
  // failed.
  bool Commit(const std::string& id, const std::string& digest);
  // A descriptor that the caller closes; -1 when nothing has the digest.
  int Open(const std::string& digest);

 private:
  const std::string path_;
  const int directory_;
  Mutex mutex_;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::shared_ptr<Upload>> uploads_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> path_of_digest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve::floor_server

#endif  // VARVE_BENCHMARKS_FLOOR_BLOB_FOLDER_H_
