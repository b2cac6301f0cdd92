// A call that names a lease: everything it adds or asks for is attached to the lease before the
// call does its work. A lease keeps what is not here yet as soon as it comes, so there is no moment
// in which the content is here and not kept. Both doors share this. Without a lease ("") each
// function is the call of Store and nothing more. Thread-safe.
//
// Errors: those of the calls of Store, and FailedPrecondition when there is no such lease (any
// more); NotFound would be about what was asked for.
//
// Attaching is a transaction of its own and not part of the one that makes content visible: a
// commit guards the content's row first, attaching guards the lease's row first, and one that did
// both would wait for the other in a circle. Uploads of one lease that end together would also
// hold each other up for the time of a sync.
#ifndef VARVE_DAEMON_LEASED_CALL_H_
#define VARVE_DAEMON_LEASED_CALL_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/manifests.h"
#include "storage/api/store.h"

namespace varve {

// Attaches `contents`; with none, checks that the lease is there.
absl::Status AttachNamed(Store& store, std::string_view lease, absl::Span<const Digest> contents);
inline absl::Status AttachTo(Store& store, std::string_view lease,
                             absl::Span<const Digest> contents) {
  return lease.empty() ? absl::OkStatus() : AttachNamed(store, lease, contents);
}

absl::StatusOr<ManifestInfo> PutManifest(Store& store, std::string_view lease,
                                         std::string_view repository,
                                         const PutManifestRequest& request);
// What a tag names is attached too: the answer is of a manifest that was attached before it was
// read.
absl::StatusOr<Manifest> GetManifest(Store& store, std::string_view lease,
                                     std::string_view repository,
                                     const ManifestReference& reference);
absl::StatusOr<ManifestInfo> StatManifest(Store& store, std::string_view lease,
                                          std::string_view repository,
                                          const ManifestReference& reference);

}  // namespace varve

#endif  // VARVE_DAEMON_LEASED_CALL_H_
