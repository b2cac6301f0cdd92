#include "benchmarks/floor/blob_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "storage/base/str_cat.h"

namespace varve::floor_server {

Upload::Upload(std::string path)
    : path_(std::move(path)),
      fd_(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {}

Upload::~Upload() {
  if (fd_ >= 0) close(fd_);
}

bool Upload::Append(std::string_view bytes) {
  hasher_.Update(bytes);
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::string Upload::Finish() { return fdatasync(fd_) == 0 ? hasher_.Current().ToString() : ""; }

BlobFolder::BlobFolder(std::string path)
    : path_(std::move(path)), directory_(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

BlobFolder::~BlobFolder() {
  if (directory_ >= 0) close(directory_);
}

std::string BlobFolder::Begin() {
  MutexLock lock(mutex_);
  const std::string id = StrCat(next_id_++);
  auto upload = std::make_shared<Upload>(StrCat(path_, "/", id));
  if (!upload->ok()) return "";
  uploads_[id] = std::move(upload);
  return id;
}

std::shared_ptr<Upload> BlobFolder::Find(const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = uploads_.find(id);
  return found == uploads_.end() ? nullptr : found->second;
}

bool BlobFolder::Commit(const std::string& id, const std::string& digest) {
  const std::shared_ptr<Upload> upload = Find(id);
  if (upload == nullptr) return false;
  const bool good = upload->Finish() == digest && fsync(directory_) == 0;
  MutexLock lock(mutex_);
  uploads_.erase(id);
  if (good) path_of_digest_[digest] = upload->path();
  return good;
}

int BlobFolder::Open(const std::string& digest) {
  std::string path;
  {
    MutexLock lock(mutex_);
    const auto found = path_of_digest_.find(digest);
    if (found == path_of_digest_.end()) return -1;
    path = found->second;
  }
  return open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

}  // namespace varve::floor_server
