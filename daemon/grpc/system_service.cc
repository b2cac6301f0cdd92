// varve.v1.Repositories and varve.v1.System.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/grpc/check_stream.h"
#include "daemon/grpc/event_stream.h"
#include "daemon/grpc/paging.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/shared_walk.h"
#include "daemon/grpc/unary.h"
#include "proto/convert/system.h"
#include "proto/convert/values.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/image/names.h"
#include "varve/v1/system.grpc.pb.h"

namespace varve {
namespace {

absl::Status ListRepositories(Manifests& manifests, const v1::ListRepositoriesRequest& request,
                              v1::ListRepositoriesResponse* response) {
  ASSIGN_OR_RETURN(const PageRequest asked, PageOfNames(request, ValidateRepositoryName));
  ASSIGN_OR_RETURN(const Page<std::string> names, manifests.ListRepositories(asked));
  for (const std::string& name : names.rows) {
    const absl::StatusOr<RepositoryInfo> info = manifests.DescribeRepository(name);
    if (absl::IsNotFound(info.status())) continue;  // its last image went meanwhile
    RETURN_IF_ERROR(info.status());
    ToMessage(*info, response->add_repositories());
  }
  if (names.more && !(names.next.empty() && names.rows.empty())) {
    response->set_next_page_token(names.next.empty() ? names.rows.back() : names.next);
  }
  return absl::OkStatus();
}

absl::Status DescribeRepository(Manifests& manifests, const v1::DescribeRepositoryRequest& request,
                                v1::DescribeRepositoryResponse* response) {
  ASSIGN_OR_RETURN(const RepositoryInfo info, manifests.DescribeRepository(request.repository()));
  ToMessage(info, response->mutable_repository());
  return absl::OkStatus();
}

absl::Status MergeRepositories(Manifests& manifests, const v1::MergeRepositoriesRequest& request,
                               v1::MergeRepositoriesResponse* response) {
  ASSIGN_OR_RETURN(const RepositoryMerge merge,
                   manifests.MergeRepositories(request.from(), request.into(), request.force()));
  ToMessage(merge, response);
  return absl::OkStatus();
}

absl::Status DescribeDaemon(System& system, const v1::InfoRequest& /*request*/,
                            v1::InfoResponse* response, const UnaryCall& call) {
  ASSIGN_OR_RETURN(const StoreInfo info, system.Info());
  ToMessage(call.door().started_nanos, response->mutable_started());
  response->set_version(VARVE_VERSION);
  ToMessage(info, response);
  return absl::OkStatus();
}

absl::Status ListActivity(System& system, const v1::ListActivityRequest& /*request*/,
                          v1::ListActivityResponse* response) {
  ASSIGN_OR_RETURN(const RecentActivity activity, system.ListActivity());
  ToMessage(activity, response);
  return absl::OkStatus();
}

absl::Status DropOrphans(System& system, const v1::DropOrphansRequest& /*request*/,
                         v1::OrphansResponse* response, const UnaryCall& call) {
  ASSIGN_OR_RETURN(const OrphanReport report,
                   system.DropOrphans([&call] { return !call.cancelled(); }));
  ToMessage(report, response);
  return absl::OkStatus();
}

absl::Status AdoptOrphans(System& system, const v1::AdoptOrphansRequest& /*request*/,
                          v1::OrphansResponse* response, const UnaryCall& call) {
  ASSIGN_OR_RETURN(const OrphanReport report,
                   system.AdoptOrphans([&call] { return !call.cancelled(); }));
  ToMessage(report, response);
  return absl::OkStatus();
}

absl::Status MeasureDiskUsage(System& system, v1::DiskUsageResponse* response) {
  ASSIGN_OR_RETURN(const DiskUsage usage, system.MeasureDiskUsage());
  ToMessage(usage, response);
  return absl::OkStatus();
}

// One measurement for all who wait for it.
void MeasureForAll(System& system, std::vector<UnaryCall> calls) {
  const bool wanted = std::any_of(calls.begin(), calls.end(),
                                  [](const UnaryCall& call) { return !call.cancelled(); });
  v1::DiskUsageResponse usage;
  const absl::Status status =
      wanted ? MeasureDiskUsage(system, &usage) : absl::CancelledError("the client went away");
  for (UnaryCall& call : calls) call.Finish(status, {}, usage);
}

constexpr UnaryMethod kRepositoryMethods[] = {
    Reads<ListRepositories>("List", About::kName),
    Reads<DescribeRepository>("Describe", About::kName),
    Changes<MergeRepositories>("Merge", About::kName),
};

constexpr UnaryMethod kSystemMethods[] = {
    Reads<DescribeDaemon>("Info", About::kName),
    Reads<ListActivity>("ListActivity", About::kName),
    Reads<DropOrphans>("DropOrphans", About::kName),
    Reads<AdoptOrphans>("AdoptOrphans", About::kName),
};

// Each call joins the others that wait.
CallHandler NewDiskUsageHandler(GrpcDoor& door) {
  const auto measurements = std::make_shared<SharedWalk<UnaryCall>>(
      door.workers, [&system = door.store.system](std::vector<UnaryCall> calls) {
        MeasureForAll(system, std::move(calls));
      });
  return NewUnaryHandler(door, {"System.DiskUsage", About::kName}, [measurements](UnaryCall call) {
    v1::DiskUsageRequest request;
    absl::Status joined = call.Take(&request);
    if (joined.ok()) joined = measurements->Join(call);
    if (!joined.ok()) call.Finish(joined);
  });
}

}  // namespace

std::unique_ptr<grpc::Service> NewRepositoriesService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Repositories>>(door, kRepositoryMethods);
}

std::unique_ptr<grpc::Service> NewSystemService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::System>>(
      door, kSystemMethods,
      std::vector{NewDiskUsageHandler(door), NewCheckHandler(door), NewEventsHandler(door)});
}

}  // namespace varve
