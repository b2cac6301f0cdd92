#include "tests/support/memory_file_system.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();

absl::Status Failed(int error, std::string_view operation, std::string_view path) {
  return ErrnoToStatus(error, StrCat(operation, " ", path));
}

std::string ParentOf(const std::string& normalised) {
  const size_t slash = normalised.rfind('/');
  return slash == 0 ? "/" : normalised.substr(0, slash);
}

FileStat StatOf(const MemoryNode& node) {
  if (node.is_directory) return {.size_bytes = kDiskPageBytes, .allocated_bytes = kDiskPageBytes};
  return {.size_bytes = node.file.size_bytes(), .allocated_bytes = node.file.allocated_bytes()};
}

}  // namespace

struct MemoryFileSystem::Place {
  MemoryNodePtr parent;
  std::string name;
  MemoryNodePtr node;  // nullptr when the name is free
};

// What writers and readers share: which file, and whether the power was cut since it was opened.
class MemoryFileSystem::OpenFile {
 protected:
  OpenFile(MemoryFileSystem& fs, std::string path, MemoryNodePtr node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs.mutex_)
      : fs_(fs), path_(std::move(path)), node_(std::move(node)), power_ups_(fs.power_ups_) {
    fs_.Refer(*node_);
  }
  ~OpenFile() {
    const MutexLock lock(fs_.mutex_);
    if (!stale()) fs_.Release(*node_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool stale() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_.mutex_) {
    return power_ups_ != fs_.power_ups_;
  }
  absl::Status Admit(FileCall call) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_.mutex_) {
    if (!stale()) return fs_.Admit(call, path_);
    return absl::UnavailableError(StrCat("power cut since ", path_, " was opened"));
  }
  MemoryFile& file() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_.mutex_) { return node_->file; }

  MemoryFileSystem& fs_;
  const std::string path_;

 private:
  const MemoryNodePtr node_;
  const uint64_t power_ups_;
};

class MemoryFileSystem::Writer final : public WritableFile, private OpenFile {
 public:
  Writer(MemoryFileSystem& fs, std::string path, MemoryNodePtr node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs.mutex_)
      : OpenFile(fs, std::move(path), std::move(node)) {}

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    const MutexLock lock(fs_.mutex_);
    const bool powered = fs_.powered_;
    const absl::Status admitted = Admit(FileCall::kWrite);
    if (!admitted.ok()) {
      const bool torn = powered && !fs_.powered_ && fs_.tear_ == Tear::kHalf;
      if (torn) (void)Write(offset, data.substr(0, data.size() / 2));
      return admitted;
    }
    return Write(offset, data);
  }

  absl::Status Reserve(uint64_t size_bytes) override {
    const MutexLock lock(fs_.mutex_);
    RETURN_IF_ERROR(Admit(FileCall::kReserve));
    const uint64_t before = file().allocated_bytes();
    if (!file().Reserve(size_bytes, fs_.Room())) {
      return Failed(ENOSPC, "reserve space for", path_);
    }
    fs_.used_bytes_ += file().allocated_bytes() - before;
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size_bytes) override {
    const MutexLock lock(fs_.mutex_);
    RETURN_IF_ERROR(Admit(FileCall::kTruncate));
    if (size_bytes > kMaxFileBytes) return Failed(EFBIG, "truncate", path_);
    fs_.used_bytes_ -= file().allocated_bytes();
    file().Truncate(size_bytes);
    fs_.used_bytes_ += file().allocated_bytes();
    return absl::OkStatus();
  }

  void StartWriteback(Extent) override {}  // promises nothing, so nothing becomes durable

  absl::Status Sync() override {
    const MutexLock lock(fs_.mutex_);
    const absl::Status admitted = Admit(FileCall::kSync);
    if (!admitted.ok()) {
      if (fs_.powered_ && !stale()) file().LoseChanges();
      return admitted;
    }
    for (const PathPredicate& ignored : fs_.ignored_file_syncs_) {
      if (Matches(ignored, path_)) return absl::OkStatus();
    }
    file().Sync();
    return absl::OkStatus();
  }

 private:
  absl::Status Write(uint64_t offset, std::string_view data)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_.mutex_) {
    if (offset > kMaxFileBytes - data.size()) return Failed(EFBIG, "write", path_);
    const uint64_t before = file().allocated_bytes();
    const size_t written = file().Write(offset, data, fs_.Room());
    fs_.used_bytes_ += file().allocated_bytes() - before;
    fs_.counters_[path_].bytes_written += written;
    return written == data.size() ? absl::OkStatus() : Failed(ENOSPC, "write", path_);
  }
};

class MemoryFileSystem::Reader final : public ReadableFile, private OpenFile {
 public:
  Reader(MemoryFileSystem& fs, std::string path, MemoryNodePtr node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs.mutex_)
      : OpenFile(fs, std::move(path), std::move(node)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const override {
    const MutexLock lock(fs_.mutex_);
    RETURN_IF_ERROR(Admit(FileCall::kRead));
    const size_t count = file().Read(offset, out);
    fs_.counters_[path_].bytes_read += count;
    return count;
  }

  absl::StatusOr<FileStat> Stat() const override {
    const MutexLock lock(fs_.mutex_);
    RETURN_IF_ERROR(Admit(FileCall::kStat));
    return FileStat{.size_bytes = file().size_bytes(), .allocated_bytes = file().allocated_bytes()};
  }

  int descriptor() const override { return -1; }
};

class MemoryFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(MemoryFileSystem& fs, std::string path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs.mutex_)
      : fs_(fs), path_(std::move(path)), power_ups_(fs.power_ups_) {
    fs_.locks_.insert(path_);
  }
  ~HeldLock() override {
    const MutexLock lock(fs_.mutex_);
    if (power_ups_ == fs_.power_ups_) fs_.locks_.erase(path_);
  }

 private:
  MemoryFileSystem& fs_;
  const std::string path_;
  const uint64_t power_ups_;
};

MemoryFileSystem::MemoryFileSystem() : root_(std::make_shared<MemoryNode>(true)) {}
MemoryFileSystem::~MemoryFileSystem() = default;

absl::StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::Create(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kCreate, path));
  ASSIGN_OR_RETURN(const Place place, Locate(path));
  if (place.node != nullptr) return Failed(EEXIST, "create", path);
  auto node = std::make_shared<MemoryNode>(false);
  place.parent->directory.Link(place.name, node);
  Refer(*node);
  return std::make_unique<Writer>(*this, Normalised(path), std::move(node));
}

absl::StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::OpenForWrite(
    const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kOpen, path));
  ASSIGN_OR_RETURN(MemoryNodePtr node, FindFile(path));
  return std::make_unique<Writer>(*this, Normalised(path), std::move(node));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> MemoryFileSystem::OpenForRead(
    const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kOpen, path));
  ASSIGN_OR_RETURN(MemoryNodePtr node, FindFile(path));
  return std::make_unique<Reader>(*this, Normalised(path), std::move(node));
}

absl::StatusOr<FileStat> MemoryFileSystem::Stat(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kStat, path));
  ASSIGN_OR_RETURN(const MemoryNodePtr node, FindNode(path));
  return StatOf(*node);
}

absl::StatusOr<bool> MemoryFileSystem::IsDirectory(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kStat, path));
  ASSIGN_OR_RETURN(const MemoryNodePtr node, FindNode(path));
  return node->is_directory;
}

absl::Status MemoryFileSystem::Remove(const std::string& path) {
  const MutexLock lock(mutex_);
  return RemoveName(path, /*directory=*/false);
}

absl::Status MemoryFileSystem::RemoveDirectory(const std::string& path) {
  const MutexLock lock(mutex_);
  return RemoveName(path, /*directory=*/true);
}

absl::Status MemoryFileSystem::RemoveName(const std::string& path, bool directory) {
  RETURN_IF_ERROR(Admit(FileCall::kRemove, path));
  ASSIGN_OR_RETURN(const Place place, Locate(path));
  if (place.node == nullptr) return Failed(ENOENT, "remove", path);
  if (place.node->is_directory != directory) {
    return Failed(directory ? ENOTDIR : EISDIR, "remove", path);
  }
  if (!place.node->directory.entries().empty()) return Failed(ENOTEMPTY, "remove", path);
  place.parent->directory.Unlink(place.name);
  Release(*place.node);
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kRename, from));
  ASSIGN_OR_RETURN(const Place source, Locate(from));
  ASSIGN_OR_RETURN(const Place target, Locate(to));
  const std::string names = StrCat(from, " to ", to);
  if (source.node == nullptr) return Failed(ENOENT, "rename", names);
  if (source.parent != target.parent) {
    return absl::InvalidArgumentError(StrCat("rename ", names, ": not in the same directory"));
  }
  if (source.node == target.node) return absl::OkStatus();
  if (target.node != nullptr) {
    if (target.node->is_directory != source.node->is_directory) {
      return Failed(source.node->is_directory ? ENOTDIR : EISDIR, "rename", names);
    }
    if (!target.node->directory.entries().empty()) return Failed(ENOTEMPTY, "rename", names);
    Release(*target.node);
  }
  source.parent->directory.Rename(source.name, target.name);
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::CreateDirectory(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kCreateDirectory, path));
  if (Components(path).empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Place place, Locate(path));
  if (place.node != nullptr) {
    if (place.node->is_directory) return absl::OkStatus();
    return Failed(EEXIST, "create directory", path);
  }
  auto node = std::make_shared<MemoryNode>(true);
  Refer(*node);
  place.parent->directory.Link(place.name, std::move(node));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& directory) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kList, directory));
  ASSIGN_OR_RETURN(const MemoryNodePtr node, FindDirectory(directory));
  std::vector<std::string> names;
  for (const auto& [name, entry] : node->directory.entries()) names.push_back(name);
  return names;
}

absl::Status MemoryFileSystem::SyncDirectory(const std::string& path) {
  const MutexLock lock(mutex_);
  const absl::Status admitted = Admit(FileCall::kSyncDirectory, path);
  ASSIGN_OR_RETURN(const MemoryNodePtr node, FindDirectory(path));
  if (!admitted.ok()) {
    if (powered_) node->directory.LoseChanges();
    return admitted;
  }
  for (const PathPredicate& ignored : ignored_directory_syncs_) {
    if (Matches(ignored, Normalised(path))) return absl::OkStatus();
  }
  node->directory.Sync();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> MemoryFileSystem::FreeBytes(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kFreeBytes, path));
  RETURN_IF_ERROR(FindNode(path).status());
  return Room();
}

absl::StatusOr<uint64_t> MemoryFileSystem::TotalBytes(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kTotalBytes, path));
  RETURN_IF_ERROR(FindNode(path).status());
  return capacity_bytes_;
}

absl::StatusOr<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(FileCall::kLock, path));
  ASSIGN_OR_RETURN(const Place place, Locate(path));
  const std::string normalised = Normalised(path);
  if (locks_.contains(normalised)) {
    return absl::FailedPreconditionError(StrCat("the store ", ParentOf(normalised),
                                                " is in use by process ", getpid(),
                                                "; stop it first, or choose another --data-dir"));
  }
  MemoryNodePtr node = place.node;
  if (node == nullptr) {
    node = std::make_shared<MemoryNode>(false);
    Refer(*node);
    place.parent->directory.Link(place.name, node);
  }
  used_bytes_ -= node->file.allocated_bytes();
  node->file.Truncate(0);
  (void)node->file.Write(0, StrCat(getpid(), "\n"), Room());
  used_bytes_ += node->file.allocated_bytes();
  return std::make_unique<HeldLock>(*this, normalised);
}

std::vector<std::string> MemoryFileSystem::Components(const std::string& path) {
  std::vector<std::string> components;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string component = path.substr(begin, end - begin);
    if (!component.empty() && component != ".") components.push_back(component);
    begin = end + 1;
  }
  return components;
}

std::string MemoryFileSystem::Normalised(const std::string& path) {
  std::string normalised;
  for (const std::string& component : Components(path)) {
    normalised += '/';
    normalised += component;
  }
  return normalised.empty() ? "/" : normalised;
}

absl::StatusOr<MemoryFileSystem::Place> MemoryFileSystem::Locate(const std::string& path) const {
  std::vector<std::string> components = Components(path);
  if (components.empty()) return Failed(EISDIR, "open", path);
  Place place{.parent = root_, .name = std::move(components.back()), .node = nullptr};
  components.pop_back();
  for (const std::string& component : components) {
    if (component == "..") return absl::InvalidArgumentError(StrCat("not supported: ", path));
    place.parent = place.parent->directory.Find(component);
    if (place.parent == nullptr) return Failed(ENOENT, "open", path);
    if (!place.parent->is_directory) return Failed(ENOTDIR, "open", path);
  }
  if (place.name == "..") return absl::InvalidArgumentError(StrCat("not supported: ", path));
  place.node = place.parent->directory.Find(place.name);
  return place;
}

absl::StatusOr<MemoryNodePtr> MemoryFileSystem::FindNode(const std::string& path) const {
  if (Components(path).empty()) return root_;
  ASSIGN_OR_RETURN(Place place, Locate(path));
  if (place.node == nullptr) return Failed(ENOENT, "open", path);
  return std::move(place.node);
}

absl::StatusOr<MemoryNodePtr> MemoryFileSystem::FindFile(const std::string& path) const {
  ASSIGN_OR_RETURN(MemoryNodePtr node, FindNode(path));
  if (node->is_directory) return absl::DataLossError(StrCat(path, " is no regular file"));
  return node;
}

absl::StatusOr<MemoryNodePtr> MemoryFileSystem::FindDirectory(const std::string& path) const {
  ASSIGN_OR_RETURN(MemoryNodePtr node, FindNode(path));
  if (!node->is_directory) return Failed(ENOTDIR, "open", path);
  return node;
}

}  // namespace varve
