#include "storage/blob/reserve_file.h"

#include <algorithm>
#include <memory>

namespace varve {

void ReserveFile::Take() {
  if (missing_bytes() == 0 || refused_) return;
  const auto look = [this] {
    const absl::StatusOr<FileStat> there = file_system_.Stat(path_);
    held_bytes_ = there.ok() ? std::min(there->allocated_bytes, size_bytes_) : 0;
  };
  // One of an earlier version is smaller, and grows.
  look();
  bytes_to_free_ = 0;
  if (missing_bytes() == 0) return;
  // As much as it has must stay free beside it: the reserve must not be what fills the disk.
  const absl::StatusOr<uint64_t> free = file_system_.FreeBytes(path_.substr(0, path_.rfind('/')));
  if (!free.ok()) return;
  const uint64_t wanted = size_bytes_ + missing_bytes();
  if (*free < wanted) {
    bytes_to_free_ = wanted - *free;
    return;
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> file = file_system_.Create(path_);
  if (absl::IsAlreadyExists(file.status())) file = file_system_.OpenForWrite(path_);
  if (!file.ok()) return;
  const bool had_none = held_bytes_ == 0;
  if ((*file)->Reserve(size_bytes_).ok() && (*file)->Sync().ok()) {
    look();
    refused_ = missing_bytes() > 0;
  } else if (had_none) {
    GiveUp();
  }
}

void ReserveFile::GiveUp() {
  // When it cannot be removed there is nothing to give back either.
  file_system_.Remove(path_).IgnoreError();
  held_bytes_ = 0;
}

}  // namespace varve
