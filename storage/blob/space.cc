#include "storage/blob/space.h"

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

std::string Space::Advice() const {
  const uint64_t bytes = orphan_bytes_.load(std::memory_order_relaxed);
  if (bytes == 0) return "";
  return StrCat("; ", bytes,
                " bytes are files that damage of the index left without a name, of which ",
                "`varve fsck --drop-orphans` removes those that nothing needs");
}

absl::Status Space::Take(uint64_t bytes) {
  Change(logical_bytes_, bytes);
  const uint64_t before = Change(physical_bytes_, bytes);
  if (limits_.max_bytes != 0 &&
      (before > limits_.max_bytes || bytes > limits_.max_bytes - before)) {
    Release(AsReceived(bytes));
    return absl::ResourceExhaustedError(StrCat(
        "the store is full: ", bytes, " more bytes would pass its limit of ", limits_.max_bytes,
        " ([store] max_bytes); prune images or raise the limit", Advice()));
  }
  if (limits_.min_free_bytes != 0) {
    const absl::StatusOr<uint64_t> free = file_system_.FreeBytes(directory_);
    const bool too_little =
        free.ok() && (*free < limits_.min_free_bytes || *free - limits_.min_free_bytes < bytes);
    if (too_little) {
      Release(AsReceived(bytes));
      return absl::ResourceExhaustedError(StrCat(
          "the disk is full: ", bytes, " more bytes would leave less than ", limits_.min_free_bytes,
          " free ([store] min_free); prune images or add space", Advice()));
    }
  }
  return absl::OkStatus();
}

bool Space::IsBelowMinFree() const {
  if (limits_.min_free_bytes == 0) return false;
  const absl::StatusOr<uint64_t> free = file_system_.FreeBytes(directory_);
  return free.ok() && *free < limits_.min_free_bytes;
}

}  // namespace varve
