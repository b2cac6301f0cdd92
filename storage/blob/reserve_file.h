// Disk space set aside for deletions: on a full disk the index needs some room to write down what
// goes. Given up when a deletion finds no room, taken again when there is some. Not thread-safe.
#ifndef VARVE_STORAGE_BLOB_RESERVE_FILE_H_
#define VARVE_STORAGE_BLOB_RESERVE_FILE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "storage/base/file_system.h"

namespace varve {

class ReserveFile {
 public:
  // `size_bytes` 0: nothing is set aside.
  ReserveFile(FileSystem& file_system, std::string path, uint64_t size_bytes)
      : file_system_(file_system), path_(std::move(path)), size_bytes_(size_bytes) {}

  // Takes the space if it is not taken, or what is missing of it; a disk that has none is no error,
  // the next call tries again. A file system that sets nothing aside is asked once.
  void Take();
  // Gives the space back to the disk.
  void GiveUp();

  // What the last of those calls left: the part of size_bytes that is not set aside, and how much
  // more has to be free on the disk before Take sets it aside; 0 when that would not help.
  uint64_t missing_bytes() const { return size_bytes_ - held_bytes_; }
  uint64_t bytes_to_free() const { return bytes_to_free_; }

 private:
  FileSystem& file_system_;
  const std::string path_;
  const uint64_t size_bytes_;
  uint64_t held_bytes_ = 0;
  uint64_t bytes_to_free_ = 0;
  bool refused_ = false;  // the file system sets nothing aside
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_RESERVE_FILE_H_
