// What the disk space of the store is used for: walks every member and blob row, and reads nothing
// else but edges and the sizes of files. Exact while nothing changes; beside changes each row
// counts as it was met. Bounded memory (DanglingSearch). Thread-safe: no shared state.
#ifndef VARVE_STORAGE_RECLAIM_DISK_USAGE_H_
#define VARVE_STORAGE_RECLAIM_DISK_USAGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "storage/api/system.h"
#include "storage/base/file_system.h"
#include "storage/blob/orphans.h"
#include "storage/blob/upload_table.h"
#include "storage/reclaim/image_content.h"

namespace varve {

struct DiskUsageParts {
  ImageParts images;
  UploadTable& uploads;
  Orphans& orphans;
  FileSystem& file_system;
  std::string index_directory;
  std::string reserve_file;
};

// System::MeasureDiskUsage. Blobs in the index have no disk bytes of their own: those are part of
// index_disk_bytes. What is neither unreferenced nor kept by dangling images alone is kept by a
// tag, directly, through an index or as what refers to such an image: it counts as tagged. What is
// neither unreferenced nor unused counts as in use.
absl::StatusOr<DiskUsage> MeasureDiskUsage(const DiskUsageParts& parts);

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_DISK_USAGE_H_
