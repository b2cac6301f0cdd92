// Holds and leases as messages of varve.v1, in both directions. Pure functions.
#ifndef VARVE_PROTO_CONVERT_CLAIMS_H_
#define VARVE_PROTO_CONVERT_CLAIMS_H_

#include "absl/status/statusor.h"
#include "proto/convert/values.h"
#include "storage/api/claims.h"
#include "varve/v1/claims.pb.h"

namespace varve {

void ToMessage(const HoldRequest& request, v1::CreateHoldRequest* message);
// InvalidArgument for a digest that is none, and for an end at once.
absl::StatusOr<HoldRequest> FromMessage(const v1::CreateHoldRequest& message);

void ToMessage(const HoldInfo& info, v1::Hold* message);
absl::StatusOr<HoldInfo> FromMessage(const v1::Hold& message);

void ToMessage(const LeaseRequest& request, v1::CreateLeaseRequest* message);
LeaseRequest FromMessage(const v1::CreateLeaseRequest& message);

void ToMessage(const LeaseInfo& info, v1::Lease* message);
LeaseInfo FromMessage(const v1::Lease& message);

}  // namespace varve

#endif  // VARVE_PROTO_CONVERT_CLAIMS_H_
