// Which files are open for reading: what is unlinked meanwhile gives its room back later.
// Thread-safe.
#ifndef VARVE_STORAGE_BLOB_OPEN_FILES_H_
#define VARVE_STORAGE_BLOB_OPEN_FILES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "storage/base/check.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"
#include "storage/index/keys.h"

namespace varve {

class OpenFiles {
 public:
  // `reader` counts as open until it is destroyed; it may outlive this object.
  std::unique_ptr<ReadableFile> Track(FileId id, std::unique_ptr<ReadableFile> reader) {
    return std::make_unique<Reader>(shards_, id, std::move(reader));
  }

  bool Contains(FileId id) {
    Shard& shard = ShardOf(*shards_, id);
    MutexLock lock(shard.mutex);
    return shard.readers.contains(id);
  }

 private:
  // Many pulls open files at once: neighbours do not wait for each other.
  static constexpr size_t kShards = 16;
  struct Shard {
    Mutex mutex;
    absl::flat_hash_map<FileId, size_t> readers ABSL_GUARDED_BY(mutex);
  };
  using Shards = std::array<Shard, kShards>;
  static Shard& ShardOf(Shards& shards, FileId id) { return shards[id % kShards]; }

  class Reader final : public ReadableFile {
   public:
    Reader(std::shared_ptr<Shards> shards, FileId id, std::unique_ptr<ReadableFile> file)
        : shards_(std::move(shards)), id_(id), file_(std::move(file)) {
      Shard& shard = ShardOf(*shards_, id_);
      MutexLock lock(shard.mutex);
      ++shard.readers[id_];
    }
    ~Reader() override {
      file_.reset();
      Shard& shard = ShardOf(*shards_, id_);
      MutexLock lock(shard.mutex);
      const auto found = shard.readers.find(id_);
      CheckInvariant(found != shard.readers.end() && found->second > 0,
                     "an open file is counted until it is closed");
      if (--found->second == 0) shard.readers.erase(found);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const override {
      return file_->ReadAt(offset, out);
    }
    absl::StatusOr<FileStat> Stat() const override { return file_->Stat(); }
    int descriptor() const override { return file_->descriptor(); }

   private:
    const std::shared_ptr<Shards> shards_;
    const FileId id_;
    std::unique_ptr<ReadableFile> file_;
  };

  const std::shared_ptr<Shards> shards_ = std::make_shared<Shards>();
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_OPEN_FILES_H_
