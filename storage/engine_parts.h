// The parts of an open store, in order of construction, and what is done with all of them; see
// ARCHITECTURE.md for who calls whom. For the files directly in storage/ alone. Thread-safe.
#ifndef VARVE_STORAGE_ENGINE_PARTS_H_
#define VARVE_STORAGE_ENGINE_PARTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/event_log.h"
#include "storage/api/system.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/damage_reports.h"
#include "storage/blob/id_allocator.h"
#include "storage/blob/orphans.h"
#include "storage/blob/removals.h"
#include "storage/blob/space.h"
#include "storage/blob/unnamed_files.h"
#include "storage/blob/upload_table.h"
#include "storage/catalog/catalog.h"
#include "storage/catalog/pull_times.h"
#include "storage/claims/holds.h"
#include "storage/claims/leases.h"
#include "storage/deletion_reserve.h"
#include "storage/engine.h"
#include "storage/images/image_describer.h"
#include "storage/index/index.h"
#include "storage/promises/promises.h"
#include "storage/reclaim/reclaimer.h"
#include "storage/store_file.h"

namespace varve {

struct EngineParts {
  // `stored_bytes`: what the statistics of the index say that blobs take. (open_store.cc)
  EngineParts(const std::string& directory, const EngineOptions& options, StoreFile store,
              std::unique_ptr<FileLock> lock, std::unique_ptr<Index> index, int64_t stored_bytes);

  // Finds what a crash left; looks only at rows and files that can be unfinished. (recovery.cc)
  absl::Status Recover();
  absl::Status SaveLowWater();

  // System::Reclaim: every step of a pass. (sweep.cc)
  absl::StatusOr<ReclaimReport> Reclaim();
  absl::Status ExpireClaims();

  const std::string directory;
  const EngineOptions options;
  const StoreFile store;
  const std::unique_ptr<FileLock> lock;
  const std::unique_ptr<Index> index;
  IdAllocator ids;
  UnnamedFiles unnamed;
  BlobFiles files;
  Removals removals;
  Mutex problems_mutex;
  std::vector<std::string> problems ABSL_GUARDED_BY(problems_mutex);  // of the start
  Space space;
  DeletionReserve reserve;
  DamageReports damage;
  BlobStore blobs;
  Promises promises;
  PullTimes pull_times;
  EventLog events;
  Catalog catalog;
  ImageDescriber describer;
  Holds holds;
  Leases leases;
  UploadTable uploads;
  Orphans orphans;
  Reclaimer reclaimer;

 private:
  // Files that no row names, and that this process did not make: a crash left them.
  // `reserved`: the id up to which the index had reserved them.
  absl::Status SettleUnnamedFiles(FileId reserved);
  absl::Status Sweep(ReclaimReport* report);
  void TakeProblems(ReclaimReport* report) ABSL_LOCKS_EXCLUDED(problems_mutex);
};

}  // namespace varve

#endif  // VARVE_STORAGE_ENGINE_PARTS_H_
