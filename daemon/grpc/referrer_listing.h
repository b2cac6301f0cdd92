// The pages of Images.ListReferrers. Thread-safe: a pure function of the store.
#ifndef VARVE_DAEMON_GRPC_REFERRER_LISTING_H_
#define VARVE_DAEMON_GRPC_REFERRER_LISTING_H_

#include "absl/status/status.h"
#include "storage/api/manifests.h"
#include "varve/v1/images.pb.h"

namespace varve {

// InvalidArgument for a digest or a page token that is none; NotFound when the repository does not
// exist.
absl::Status ListReferrers(Manifests& manifests, const v1::ListReferrersRequest& request,
                           v1::ListReferrersResponse* response);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_REFERRER_LISTING_H_
