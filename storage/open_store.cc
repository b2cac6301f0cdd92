// Opens a data directory: STORE, index and blob files belong together, and nobody else has them.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine_parts.h"
#include "storage/index/counter.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/index_opening.h"
#include "storage/store_file.h"

namespace varve {
namespace {

std::string NewUuid(RandomSource& random) {
  // Version 4, variant 1.
  const uint64_t high = (random.Next() & ~0xf000ull) | 0x4000ull;
  const uint64_t low = (random.Next() & ~(3ull << 62)) | (2ull << 62);
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0xffff, low >> 48, low & 0xffffffffffffull);
}

std::string ParentOf(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Reads, or for a new store writes, STORE; checks that the index belongs to it.
absl::StatusOr<StoreFile> OpenStoreFile(const std::string& directory,
                                        const EngineOptions& options) {
  absl::StatusOr<StoreFile> store = ReadStoreFile(*options.file_system, directory);
  if (!absl::IsNotFound(store.status())) return store;
  ASSIGN_OR_RETURN(const std::vector<std::string> entries, options.file_system->List(directory));
  for (const std::string& entry : entries) {
    if (entry == "index" || entry == "blobs") {
      return absl::DataLossError(StrCat(directory,
                                        " holds a store without its STORE file; restore "
                                        "it from a backup, or choose another directory"));
    }
  }
  // The directory may have been made just now: a power cut must not take it with all that is in it.
  RETURN_IF_ERROR(options.file_system->SyncDirectory(ParentOf(directory)));
  StoreFile fresh;
  fresh.uuid = NewUuid(*options.random);
  fresh.created_nanos = options.clock->WallNanos();
  RETURN_IF_ERROR(WriteStoreFile(*options.file_system, directory, fresh));
  return fresh;
}

// Says in STORE that rows of this version may follow; before the first of them is written. A crash
// leaves the old STORE with old rows, or the new one, which allows both.
absl::Status UpgradeStoreFile(const std::string& directory, FileSystem& file_system,
                              StoreFile* store) {
  if (store->format_version == kStoreFormatVersion) return absl::OkStatus();
  store->format_version = kStoreFormatVersion;
  return WriteStoreFile(file_system, directory, *store);
}

absl::Status CheckIndexBelongs(Index& index, const StoreFile& store, FileSystem& file_system,
                               const std::string& blobs_directory) {
  const std::string key = MetaKey("uuid");
  ASSIGN_OR_RETURN(const std::optional<std::string> uuid, index.Get(key));
  if (uuid == store.uuid) return absl::OkStatus();
  if (uuid.has_value()) {
    return absl::DataLossError(StrCat("the index belongs to the store ", *uuid, ", but STORE says ",
                                      store.uuid, "; restore both together"));
  }
  // A fresh index beside blob files means that the old one was lost; opening would remove them all.
  ASSIGN_OR_RETURN(const std::vector<std::string> ranges, file_system.List(blobs_directory));
  if (!ranges.empty()) {
    return absl::DataLossError(
        StrCat("the index of ", blobs_directory, " is missing; restore it from a backup"));
  }
  return index.Run([&](Transaction& txn) { return txn.Put(key, store.uuid); });
}

absl::StatusOr<std::unique_ptr<Engine>> OpenOnce(const std::string& directory,
                                                 const EngineOptions& options) {
  FileSystem& file_system = *options.file_system;
  RETURN_IF_ERROR(file_system.CreateDirectory(directory));
  RETURN_IF_ERROR(file_system.CheckPrivate(directory));
  ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, file_system.Lock(StrCat(directory, "/LOCK")));
  ASSIGN_OR_RETURN(StoreFile store, OpenStoreFile(directory, options));
  const std::string blobs_directory = StrCat(directory, "/blobs");
  RETURN_IF_ERROR(file_system.CreateDirectory(blobs_directory));
  RETURN_IF_ERROR(file_system.SyncDirectory(directory));
  absl::StatusOr<std::unique_ptr<Index>> index = OpenIndexOf(directory, options);
  RETURN_IF_ERROR(index.status());
  RETURN_IF_ERROR(CheckIndexBelongs(**index, store, file_system, blobs_directory));
  RETURN_IF_ERROR(UpgradeStoreFile(directory, file_system, &store));

  ASSIGN_OR_RETURN(const std::optional<std::string> counted,
                   (*index)->Get(CounterKey("blob_bytes")));
  const int64_t stored_bytes = counted.has_value() ? DecodeCounter(*counted) : 0;
  auto parts = std::make_unique<EngineParts>(directory, options, store, std::move(lock),
                                             *std::move(index), stored_bytes);
  RETURN_IF_ERROR(parts->Recover());
  return std::make_unique<Engine>(std::move(parts));
}

}  // namespace

EngineParts::EngineParts(const std::string& in_directory, const EngineOptions& given,
                         StoreFile store_file, std::unique_ptr<FileLock> held,
                         std::unique_ptr<Index> opened, int64_t stored_bytes)
    : directory(in_directory),
      options(given),
      store(std::move(store_file)),
      lock(std::move(held)),
      index(std::move(opened)),
      ids(*index),
      unnamed(ids),
      files(*options.file_system, StrCat(directory, "/blobs")),
      removals(*index, {&files}, unnamed, *options.clock),
      space(*options.file_system, directory, {options.max_bytes, options.min_free_bytes},
            stored_bytes),
      reserve(directory, options),
      damage(*options.clock, options.alarm),
      blobs({*index, ids, files, unnamed, removals, space, *options.clock, damage,
             options.promise_nanos}),
      promises(*options.clock, options.promise_nanos, options.renew_nanos,
               [this] { return space.IsBelowMinFree(); }),
      pull_times(*options.clock),
      events(*options.clock, options.random->Next()),
      catalog({*index, blobs, ids, promises, pull_times, *options.clock,
               options.accept_sparse_index, options.names, events}),
      describer(
          {*index, blobs, catalog.repositories, catalog.members, catalog.finder, *options.clock}),
      holds({*index, blobs, catalog.repositories, *options.clock}),
      leases({*index, blobs, *options.clock, *options.random}),
      uploads({*index, blobs, files, unnamed, space, *options.clock, *options.random, catalog.blobs,
               options.upload_expiry_nanos, promises.note_upload_nanos(), options.large_blob_bytes,
               options.max_uploads}),
      orphans({*index, files, blobs, removals, space, *options.clock}),
      reclaimer({*index, blobs, removals, promises, space, *options.clock}) {
  if (stored_bytes >= 0) return;
  MutexLock lock_problems(problems_mutex);
  problems.push_back(StrCat("the statistics say that the store holds ", stored_bytes,
                            " bytes, which is taken as none; varve fsck tells more"));
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const std::string& directory,
                                                   const EngineOptions& options) {
  absl::StatusOr<std::unique_ptr<Engine>> engine = OpenOnce(directory, options);
  if (absl::IsResourceExhausted(engine.status()) &&
      options.file_system->Remove(DeletionReserve::PathIn(directory)).ok()) {
    options.Warn("the disk is full; the reserve was given up to open the store");
    engine = OpenOnce(directory, options);
  }
  if (absl::IsDataLoss(engine.status())) return AdviseBackup(engine.status(), directory);
  if (!absl::IsResourceExhausted(engine.status())) return engine;
  return AdviseRoom(engine.status(), *options.file_system, directory);
}

}  // namespace varve
