// The room that deletions have on a full disk: gives up the reserve when one finds none, takes it
// again later, and says once, to the operator, that it is missing, or there again. Thread-safe.
#ifndef VARVE_STORAGE_DELETION_RESERVE_H_
#define VARVE_STORAGE_DELETION_RESERVE_H_

#include <string>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/blob/reserve_file.h"
#include "storage/engine.h"

namespace varve {

class DeletionReserve {
 public:
  // Of the store in `directory`; `options` must outlive it.
  DeletionReserve(const std::string& directory, const EngineOptions& options);

  static std::string PathIn(const std::string& directory);

  // Takes what is missing of it, if the disk has it.
  void Take() ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs a deletion; on a full disk once more with the reserve given up.
  template <typename Deletion>
  absl::Status Run(const Deletion& deletion) {
    const absl::Status status = deletion();
    if (!absl::IsResourceExhausted(status)) return status;
    GiveUp();
    return deletion();
  }

 private:
  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string directory_;
  const EngineOptions& options_;
  Mutex mutex_;
  ReserveFile file_ ABSL_GUARDED_BY(mutex_);
  bool told_ ABSL_GUARDED_BY(mutex_) = false;  // that it is missing
};

}  // namespace varve

#endif  // VARVE_STORAGE_DELETION_RESERVE_H_
