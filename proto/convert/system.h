// Repositories, and the store as a whole, as messages of varve.v1, in both directions. Pure
// functions.
#ifndef VARVE_PROTO_CONVERT_SYSTEM_H_
#define VARVE_PROTO_CONVERT_SYSTEM_H_

#include <optional>

#include "absl/status/statusor.h"
#include "storage/api/event_log.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "varve/v1/system.pb.h"

namespace varve {

void ToMessage(const RepositoryInfo& info, v1::Repository* message);
RepositoryInfo FromMessage(const v1::Repository& message);

void ToMessage(const RepositoryMerge& merge, v1::MergeRepositoriesResponse* message);
absl::StatusOr<RepositoryMerge> FromMessage(const v1::MergeRepositoriesResponse& message);

// What the message says of the store; the daemon's version and start are not looked at.
void ToMessage(const StoreInfo& info, v1::InfoResponse* message);
StoreInfo FromMessage(const v1::InfoResponse& message);

void ToMessage(const RecentActivity& activity, v1::ListActivityResponse* message);
RecentActivity FromMessage(const v1::ListActivityResponse& message);

void ToMessage(const DiskUsage& usage, v1::DiskUsageResponse* message);
DiskUsage FromMessage(const v1::DiskUsageResponse& message);

void ToMessage(const OrphanReport& report, v1::OrphansResponse* message);
OrphanReport FromMessage(const v1::OrphansResponse& message);

void ToMessage(const CheckFinding& finding, v1::CheckResponse::Finding* message);
// Of a kind that only a newer daemon knows: kDamagedRow.
absl::StatusOr<CheckFinding> FromMessage(const v1::CheckResponse::Finding& message);

void ToMessage(const CheckReport& report, v1::CheckResponse::Report* message);
CheckReport FromMessage(const v1::CheckResponse::Report& message);

v1::Event::Type ToMessage(Event::Type type);
void ToMessage(const Event& event, v1::Event* message);
// nullopt for one of a type that only a newer daemon knows.
absl::StatusOr<std::optional<Event>> FromMessage(const v1::Event& message);

}  // namespace varve

#endif  // VARVE_PROTO_CONVERT_SYSTEM_H_
