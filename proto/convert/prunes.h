// Prunes, and what keeps content from them, as messages of varve.v1, in both directions. Pure
// functions.
#ifndef VARVE_PROTO_CONVERT_PRUNES_H_
#define VARVE_PROTO_CONVERT_PRUNES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "varve/v1/images.pb.h"

namespace varve {

void ToMessage(const PruneRequest& request, v1::PruneRequest* message);
PruneRequest FromMessage(const v1::PruneRequest& message);

void ToMessage(const PruneReport& report, v1::PruneResponse::Report* message);
PruneReport FromMessage(const v1::PruneResponse::Report& message);

// One, or more when it has many tags: see PruneResponse.untagged.
std::vector<v1::PruneResponse> ToMessages(const PruneStep& step);
// Of any message but the report.
absl::StatusOr<PruneStep> FromMessage(const v1::PruneResponse& message);

void ToMessage(const PruneJob& job, v1::PruneJob* message);
PruneJob FromMessage(const v1::PruneJob& message);

void ToMessage(const KeeperReport& report, v1::ExplainResponse* message);
// Without the keepers of kinds that only a newer daemon knows.
absl::StatusOr<KeeperReport> FromMessage(const v1::ExplainResponse& message);

}  // namespace varve

#endif  // VARVE_PROTO_CONVERT_PRUNES_H_
