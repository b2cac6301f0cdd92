#include "tests/crash/crashing_store.h"

#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rocksdb_index.h"
#include "storage/limits.h"
#include "tests/support/memory_rocksdb_file_system.h"

namespace varve {
namespace {

// The largest blobs of the scenarios (kLargeBytes) go through the write pipeline.
constexpr uint64_t kPipelineBytes = 200'000;

}  // namespace

CrashingStore::CrashingStore(const Sabotage& sabotage, EngineOptions options)
    : sabotage_(sabotage),
      wrapped_(sabotage.file_system ? sabotage.file_system(disk_) : nullptr),
      options_(std::move(options)) {
  if (sabotage_.lies) sabotage_.lies(disk_);
  options_.large_blob_bytes = kPipelineBytes;
  options_.file_system = wrapped_ != nullptr ? wrapped_.get() : &disk_;
  options_.clock = &clock_;
  options_.random = &random_;
  options_.index = IndexOptions();
  if (sabotage_.index) {
    options_.open_index = [this](const std::string& path) { return OpenIndex(path); };
  }
}

EngineOptions CrashingStore::ShortPromises() {
  EngineOptions options;
  options.promise_nanos = 0;
  return options;
}

RocksdbIndexOptions CrashingStore::IndexOptions() {
  RocksdbIndexOptions options;
  options.cache_bytes = 4 * kMiB;
  options.file_system = NewMemoryRocksdbFileSystem(disk_);
  return options;
}

absl::StatusOr<std::unique_ptr<Index>> CrashingStore::OpenIndex(const std::string& path) {
  const RocksdbIndexOptions options = IndexOptions();
  ASSIGN_OR_RETURN(std::unique_ptr<Index> index, OpenRocksdbIndex(path, options));
  if (sabotage_.index) index = sabotage_.index(std::move(index), *options_.file_system);
  return index;
}

absl::Status CrashingStore::Open() {
  ASSIGN_OR_RETURN(store_, OpenEngine(kStoreDirectory, options_));
  return absl::OkStatus();
}

void CrashingStore::Close() {
  uploads_.clear();
  store_.reset();
}

void CrashingStore::PowerCycle(Survival survival, uint64_t seed) {
  disk_.CutPower();
  Close();
  disk_.PowerUp(survival, seed);
}

std::vector<std::string> CrashingStore::BlobFilesOnDisk() {
  std::vector<std::string> files;
  const absl::StatusOr<std::vector<std::string>> ranges = disk_.List(kBlobsDirectory);
  if (!ranges.ok()) return files;
  for (const std::string& range : *ranges) {
    const std::string directory = StrCat(kBlobsDirectory, "/", range);
    const absl::StatusOr<std::vector<std::string>> names = disk_.List(directory);
    if (!names.ok()) continue;
    for (const std::string& name : *names) files.push_back(StrCat(directory, "/", name));
  }
  return files;
}

absl::StatusOr<std::vector<KeyValue>> CrashingStore::IndexRows() {
  ASSIGN_OR_RETURN(const std::unique_ptr<Index> index, OpenIndex(kIndexDirectory));
  return index->Scan({"", ""}, 100'000);
}

}  // namespace varve
