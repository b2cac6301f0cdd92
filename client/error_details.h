// What a call of the native API came to, in the vocabulary of storage/base/status.h. Private to
// this library; pure.
#ifndef VARVE_CLIENT_ERROR_DETAILS_H_
#define VARVE_CLIENT_ERROR_DETAILS_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace varve {

// Whether the daemon itself ended the call; otherwise the library did. After the end of the call.
bool EndedByDaemon(const grpc::ClientContext& context);

// `status` as the call of `context` ended. The daemon's sentence stays as it is, and its error
// details become the payloads kMissingDigestPayload and kRetryAfterPayload (storage/api/).
// What the library says of connections and frames becomes a sentence for a person.
absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace varve

#endif  // VARVE_CLIENT_ERROR_DETAILS_H_
