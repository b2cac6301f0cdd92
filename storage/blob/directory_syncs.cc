#include "storage/blob/directory_syncs.h"

#include "storage/base/check.h"

namespace varve {

absl::Status DirectorySyncs::Sync(const std::string& directory,
                                  const std::function<void()>& on_failure) {
  MutexLock lock(mutex_);
  std::unique_ptr<Group>& slot = groups_[directory];
  if (slot == nullptr) slot = std::make_unique<Group>();
  Group& group = *slot;
  ++group.waiting;
  const std::shared_ptr<Round> round = group.next;
  while (!round->finished) {
    if (group.running) {
      finished_.Wait(mutex_);
      continue;
    }
    // Nobody syncs: this caller does, for everyone who has asked so far.
    group.running = true;
    group.next = std::make_shared<Round>();
    mutex_.Unlock();
    const absl::Status status = file_system_.SyncDirectory(directory);
    if (!status.ok() && on_failure != nullptr) on_failure();
    mutex_.Lock();
    group.running = false;
    CheckInvariant(!round->finished, "a sync has one outcome");
    round->finished = true;
    round->outcome = status;
    finished_.NotifyAll();
  }
  CheckInvariant(group.waiting > 0, "who waits for a sync is counted");
  if (--group.waiting == 0) groups_.erase(directory);
  return round->outcome;
}

}  // namespace varve
