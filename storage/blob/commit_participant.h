// Who takes part in the commit of an upload: what it adds becomes visible together with the blob,
// or not at all. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_COMMIT_PARTICIPANT_H_
#define VARVE_STORAGE_BLOB_COMMIT_PARTICIPANT_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"

namespace varve {

class CommitParticipant {
 public:
  virtual ~CommitParticipant() = default;
  // Before the transaction. `repository` may be empty: the whole store.
  virtual absl::Status BeforeCommit(std::string_view repository, const Digest& digest) = 0;
  // Inside it; may run several times. OutOfRange: the repository was removed since BeforeCommit,
  // because it had been empty for long; begin again with that.
  virtual absl::Status InCommit(Transaction& txn, std::string_view repository,
                                const Digest& digest) = 0;
  // While bytes of an upload arrive, which began at `began_nanos` (monotonic).
  virtual void WhileUploading(std::string_view repository, int64_t began_nanos) = 0;
  // Two names of one repository have the same.
  virtual std::string_view CanonicalOf(std::string_view repository) const = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_COMMIT_PARTICIPANT_H_
