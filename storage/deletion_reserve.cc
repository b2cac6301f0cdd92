#include "storage/deletion_reserve.h"

#include <cstdint>
#include <utility>

#include "storage/base/str_cat.h"

namespace varve {

DeletionReserve::DeletionReserve(const std::string& directory, const EngineOptions& options)
    : directory_(directory),
      options_(options),
      file_(*options.file_system, PathIn(directory), options.reserve_bytes) {}

std::string DeletionReserve::PathIn(const std::string& directory) {
  return StrCat(directory, "/RESERVE");
}

void DeletionReserve::Take() {
  MutexLock lock(mutex_);
  file_.Take();
  const uint64_t missing = file_.missing_bytes();
  if ((missing > 0) == told_) return;
  told_ = missing > 0;
  if (missing == 0) {
    return options_.Warn("the reserve for deletions on a full disk is set aside again");
  }
  const std::string until =
      file_.bytes_to_free() > 0
          ? StrCat(file_.bytes_to_free(), " more bytes have to be free for that on the disk of ",
                   directory_)
          : StrCat("the file system of ", directory_, " does not set them aside");
  options_.Warn(StrCat("of the reserve of ", options_.reserve_bytes, " bytes ([store] reserve), ",
                       missing, " are missing: ", until,
                       "; without them, deletions may be refused once the disk is full"));
}

void DeletionReserve::GiveUp() {
  MutexLock lock(mutex_);
  const bool held = file_.missing_bytes() < options_.reserve_bytes;
  file_.GiveUp();
  if (!held || std::exchange(told_, true)) return;
  options_.Warn("the disk is full: the reserve was given up, so that deletions go on");
}

}  // namespace varve
