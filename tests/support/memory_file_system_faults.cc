// Power, faults, lies and figures of MemoryFileSystem; its calls are in memory_file_system.cc.
#include <utility>

#include "storage/base/str_cat.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

constexpr bool IsMutating(FileCall call) { return call <= FileCall::kSyncDirectory; }

}  // namespace

PathPredicate Under(std::string_view directory) {
  const std::string prefix = MemoryFileSystem::Normalised(std::string(directory));
  return [prefix](const std::string& path) {
    return path == prefix || path.compare(0, prefix.size() + 1, prefix + "/") == 0;
  };
}

void MemoryFileSystem::CutPowerAfter(uint64_t calls, Tear tear) {
  const MutexLock lock(mutex_);
  cut_armed_ = true;
  calls_until_cut_ = calls;
  tear_ = tear;
}

void MemoryFileSystem::CutPower() {
  const MutexLock lock(mutex_);
  powered_ = false;
}

bool MemoryFileSystem::powered() const {
  const MutexLock lock(mutex_);
  return powered_;
}

void MemoryFileSystem::PowerUp(Survival survival, uint64_t seed) {
  const MutexLock lock(mutex_);
  SeededRandom random(seed);
  used_bytes_ = 0;
  Survive(*root_, survival, random);
  locks_.clear();
  ++power_ups_;
  powered_ = true;
  cut_armed_ = false;
}

// Rolls `node` and what is below it back to what survives, and counts names and room anew.
void MemoryFileSystem::Survive(MemoryNode& node, Survival survival, SeededRandom& random) {
  node.references = 0;
  if (!node.is_directory) {
    if (survival == Survival::kOnlySynced) node.file.KeepOnlySynced();
    if (survival == Survival::kRandom) node.file.KeepSome(random);
    return;
  }
  if (survival == Survival::kOnlySynced) node.directory.KeepOnlySynced();
  if (survival == Survival::kRandom) node.directory.KeepSome(random);
  for (const auto& [name, entry] : node.directory.entries()) {
    Survive(*entry, survival, random);
    Refer(*entry);
  }
}

uint64_t MemoryFileSystem::mutating_calls() const {
  const MutexLock lock(mutex_);
  return mutating_calls_;
}

void MemoryFileSystem::Inject(FileFault fault) {
  const MutexLock lock(mutex_);
  faults_.push_back(std::move(fault));
}

void MemoryFileSystem::ClearFaults() {
  const MutexLock lock(mutex_);
  faults_.clear();
  ignored_file_syncs_.clear();
  ignored_directory_syncs_.clear();
}

void MemoryFileSystem::IgnoreFileSyncs(PathPredicate path) {
  const MutexLock lock(mutex_);
  ignored_file_syncs_.push_back(std::move(path));
}

void MemoryFileSystem::IgnoreDirectorySyncs(PathPredicate path) {
  const MutexLock lock(mutex_);
  ignored_directory_syncs_.push_back(std::move(path));
}

void MemoryFileSystem::SetCapacity(uint64_t bytes) {
  const MutexLock lock(mutex_);
  capacity_bytes_ = bytes;
}

FileCounters MemoryFileSystem::Counters(const PathPredicate& path) const {
  const MutexLock lock(mutex_);
  FileCounters sum;
  for (const auto& [counted, counters] : counters_) {
    if (!Matches(path, counted)) continue;
    for (size_t i = 0; i < kFileCallKinds; ++i) sum.calls[i] += counters.calls[i];
    sum.bytes_written += counters.bytes_written;
    sum.bytes_read += counters.bytes_read;
  }
  return sum;
}

uint64_t MemoryFileSystem::used_bytes() const {
  const MutexLock lock(mutex_);
  return used_bytes_;
}

bool MemoryFileSystem::Matches(const PathPredicate& predicate, const std::string& path) {
  return !predicate || predicate(path);
}

absl::Status MemoryFileSystem::Admit(FileCall call, const std::string& path) {
  if (powered_ && cut_armed_ && IsMutating(call)) {
    if (calls_until_cut_ == 0) powered_ = false;
    --calls_until_cut_;
  }
  if (!powered_) return absl::UnavailableError(StrCat("power cut: ", path));
  const std::string normalised = Normalised(path);
  if (IsMutating(call)) ++mutating_calls_;
  ++counters_[normalised].calls[static_cast<size_t>(call)];
  return TakeFault(call, normalised);
}

absl::Status MemoryFileSystem::TakeFault(FileCall call, const std::string& path) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->call != call || !Matches(fault->path, path)) continue;
    if (fault->nth > 1) {
      --fault->nth;
      continue;
    }
    const absl::Status status = fault->status;
    if (!fault->repeats) faults_.erase(fault);
    return status;
  }
  return absl::OkStatus();
}

void MemoryFileSystem::Refer(MemoryNode& node) {
  if (node.references++ == 0) used_bytes_ += node.file.allocated_bytes();
}

void MemoryFileSystem::Release(MemoryNode& node) {
  if (--node.references == 0) used_bytes_ -= node.file.allocated_bytes();
}

uint64_t MemoryFileSystem::Room() const {
  return capacity_bytes_ > used_bytes_ ? capacity_bytes_ - used_bytes_ : 0;
}

}  // namespace varve
