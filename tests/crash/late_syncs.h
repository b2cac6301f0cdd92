// A file system for a mutant: syncs under one directory are put off until SyncNow. Owned by the
// store under test; one thread.
#ifndef VARVE_TESTS_CRASH_LATE_SYNCS_H_
#define VARVE_TESTS_CRASH_LATE_SYNCS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/status.h"
#include "storage/index/keys.h"
#include "storage/limits.h"
#include "tests/crash/crashing_store.h"

namespace varve {

// Where the file of `id` lies (storage/FORMAT.md).
inline std::string BlobPath(FileId id) {
  return absl::StrFormat("%s/%06x/%x", kBlobsDirectory, id / kFilesPerDirectory, id);
}

class LateSyncs final : public FileSystem {
 public:
  LateSyncs(FileSystem& disk, std::string_view directory)
      : disk_(disk), put_off_(Under(directory)) {}

  // Does what was put off. A file that is gone by now needs no sync.
  void SyncNow() {
    std::vector<std::function<absl::Status()>> syncs;
    syncs.swap(waiting_);
    for (const std::function<absl::Status()>& sync : syncs) sync().IgnoreError();
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    return Wrap(path, disk_.Create(path));
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path) override {
    return Wrap(path, disk_.OpenForWrite(path));
  }
  absl::Status SyncDirectory(const std::string& path) override {
    if (!put_off_(path)) return disk_.SyncDirectory(path);
    waiting_.push_back([this, path] { return disk_.SyncDirectory(path); });
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override {
    return disk_.OpenForRead(path);
  }
  absl::StatusOr<FileStat> Stat(const std::string& path) override { return disk_.Stat(path); }
  absl::Status Remove(const std::string& path) override { return disk_.Remove(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return disk_.Rename(from, to);
  }
  absl::Status CreateDirectory(const std::string& path) override {
    return disk_.CreateDirectory(path);
  }
  absl::Status RemoveDirectory(const std::string& path) override {
    return disk_.RemoveDirectory(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return disk_.List(directory);
  }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override {
    return disk_.FreeBytes(path);
  }
  absl::StatusOr<uint64_t> TotalBytes(const std::string& path) override {
    return disk_.TotalBytes(path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return disk_.Lock(path);
  }

 private:
  class File final : public WritableFile {
   public:
    File(LateSyncs& owner, std::string path, std::unique_ptr<WritableFile> file)
        : owner_(owner), path_(std::move(path)), file_(std::move(file)) {}

    absl::Status WriteAt(uint64_t offset, std::string_view data) override {
      return file_->WriteAt(offset, data);
    }
    absl::Status Reserve(uint64_t size_bytes) override { return file_->Reserve(size_bytes); }
    absl::Status Truncate(uint64_t size_bytes) override { return file_->Truncate(size_bytes); }
    void StartWriteback(Extent extent) override { file_->StartWriteback(extent); }
    absl::Status Sync() override {
      owner_.waiting_.push_back([&disk = owner_.disk_, path = path_]() -> absl::Status {
        ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, disk.OpenForWrite(path));
        return file->Sync();
      });
      return absl::OkStatus();
    }

   private:
    LateSyncs& owner_;
    const std::string path_;
    const std::unique_ptr<WritableFile> file_;
  };

  absl::StatusOr<std::unique_ptr<WritableFile>> Wrap(
      const std::string& path, absl::StatusOr<std::unique_ptr<WritableFile>> file) {
    if (!file.ok() || !put_off_(path)) return file;
    return std::make_unique<File>(*this, path, *std::move(file));
  }

  FileSystem& disk_;
  const PathPredicate put_off_;
  std::vector<std::function<absl::Status()>> waiting_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CRASH_LATE_SYNCS_H_
