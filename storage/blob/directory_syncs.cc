#include "storage/blob/directory_syncs.h"

namespace varve {

absl::Status DirectorySyncs::Sync(const std::string& directory) {
  MutexLock lock(mutex_);
  std::unique_ptr<Group>& slot = groups_[directory];
  if (slot == nullptr) slot = std::make_unique<Group>();
  Group& group = *slot;
  const uint64_t ticket = ++group.requested;
  ++group.waiting;
  while (group.finished < ticket) {
    if (group.running) {
      finished_.Wait(mutex_);
      continue;
    }
    // Nobody syncs: this caller does, for everyone who has asked so far.
    group.running = true;
    const uint64_t first = group.finished + 1;
    const uint64_t last = group.requested;
    mutex_.Unlock();
    const absl::Status status = file_system_.SyncDirectory(directory);
    mutex_.Lock();
    group.running = false;
    group.finished = last;
    if (!status.ok()) {
      group.failed_from = first;
      group.failed_to = last;
      group.failure = status;
    }
    finished_.NotifyAll();
  }
  const absl::Status outcome = Outcome(group, ticket);
  if (--group.waiting == 0) groups_.erase(directory);
  return outcome;
}

absl::Status DirectorySyncs::Outcome(const Group& group, uint64_t ticket) {
  const bool failed = ticket >= group.failed_from && ticket <= group.failed_to;
  return failed ? group.failure : absl::OkStatus();
}

}  // namespace varve
