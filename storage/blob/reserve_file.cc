#include "storage/blob/reserve_file.h"

#include <algorithm>
#include <memory>

namespace varve {

void ReserveFile::Take() {
  if (taken_ || size_bytes_ == 0) return;
  // One of an earlier version is smaller, and grows.
  const absl::StatusOr<FileStat> there = file_system_.Stat(path_);
  const uint64_t had = there.ok() ? std::min(there->allocated_bytes, size_bytes_) : 0;
  taken_ = had == size_bytes_;
  if (taken_) return;
  // As much as it has must stay free beside it: the reserve must not be what fills the disk.
  const absl::StatusOr<uint64_t> free = file_system_.FreeBytes(path_.substr(0, path_.rfind('/')));
  if (!free.ok() || *free < 2 * size_bytes_ - had) return;
  absl::StatusOr<std::unique_ptr<WritableFile>> file = file_system_.Create(path_);
  if (absl::IsAlreadyExists(file.status())) file = file_system_.OpenForWrite(path_);
  if (!file.ok()) return;
  taken_ = (*file)->Reserve(size_bytes_).ok() && (*file)->Sync().ok();
  if (!taken_ && had == 0) GiveUp();
}

void ReserveFile::GiveUp() {
  // When it cannot be removed there is nothing to give back either.
  file_system_.Remove(path_).IgnoreError();
  taken_ = false;
}

}  // namespace varve
