// Reads every blob back from the disk and hashes it (varve fsck --content). What is found bad is
// quarantined; what is good is marked as proven, so that a check which was broken off goes on after
// the blobs that it has read: until it is done, a meta row says when it began. Rests while clients
// push. Belongs to one call; one thread. Two at a time share the work.
#ifndef VARVE_STORAGE_CHECK_CONTENT_CHECK_H_
#define VARVE_STORAGE_CHECK_CONTENT_CHECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/index/index.h"
#include "storage/jobs/work_pace.h"
#include "storage/promises/promises.h"

namespace varve {

class ContentCheck {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    const Promises& promises;
    Clock& clock;
  };

  ContentCheck(const Parts& parts, const CheckObserver& observer)
      : parts_(parts), observer_(observer), pace_(parts.promises) {}

  // Cancelled when the observer says no.
  absl::StatusOr<CheckReport> Run();

 private:
  // When the check began that is to be done or to be gone on with.
  absl::StatusOr<int64_t> Begin();
  absl::Status Visit(const KeyValue& row, int64_t begun_nanos);
  // Tells how far the check is; with `finding`, what it has found.
  absl::Status Say(std::optional<CheckFinding> finding = std::nullopt);
  absl::Status TellBad(const Digest& digest, std::string_view fault);

  const Parts parts_;
  const CheckObserver& observer_;
  WorkPace pace_;
  CheckReport report_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CHECK_CONTENT_CHECK_H_
