// varve.v1.Repositories and varve.v1.System.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/grpc/check_stream.h"
#include "daemon/grpc/event_stream.h"
#include "daemon/grpc/messages.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/shared_walk.h"
#include "daemon/grpc/unary.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "varve/v1/system.grpc.pb.h"

namespace varve {
namespace {

absl::Status ListRepositories(Manifests& manifests, const v1::ListRepositoriesRequest& request,
                              v1::ListRepositoriesResponse* response) {
  PageRequest page;
  page.after = request.page_token();
  if (request.page_size() != 0) page.limit = request.page_size();
  ASSIGN_OR_RETURN(const Page<std::string> names, manifests.ListRepositories(page));
  for (const std::string& name : names.rows) {
    const absl::StatusOr<RepositoryInfo> info = manifests.DescribeRepository(name);
    if (absl::IsNotFound(info.status())) continue;  // its last image went meanwhile
    RETURN_IF_ERROR(info.status());
    v1::Repository* const message = response->add_repositories();
    message->set_name(info->name);
    message->set_tags(info->tags);
    message->set_manifests(info->manifests);
    ToMessage(info->created_nanos, message->mutable_created());
  }
  if (names.more && !(names.next.empty() && names.rows.empty())) {
    response->set_next_page_token(names.next.empty() ? names.rows.back() : names.next);
  }
  return absl::OkStatus();
}

absl::Status MergeRepositories(Manifests& manifests, const v1::MergeRepositoriesRequest& request,
                               v1::MergeRepositoriesResponse* response) {
  ASSIGN_OR_RETURN(const RepositoryMerge merge,
                   manifests.MergeRepositories(request.from(), request.into(), request.force()));
  response->set_from(merge.from);
  response->set_into(merge.into);
  response->set_merged(merge.merged);
  for (const RepositoryMerge::Collision& collision : merge.collisions) {
    v1::MergeRepositoriesResponse::Collision* const message = response->add_collisions();
    message->set_tag(collision.tag);
    message->set_from_digest(collision.from.ToString());
    message->set_into_digest(collision.into.ToString());
    message->set_from_stays(collision.from_stays);
  }
  response->set_more_collisions(merge.more_collisions);
  response->set_manifests(merge.manifests);
  return absl::OkStatus();
}

void SetDuration(int64_t nanos, google::protobuf::Duration* message) {
  message->set_seconds(nanos / kNanosPerSecond);
  message->set_nanos(static_cast<int32_t>(nanos % kNanosPerSecond));
}

absl::Status DescribeDaemon(System& system, const v1::InfoRequest& /*request*/,
                            v1::InfoResponse* response, const UnaryCall& call) {
  ASSIGN_OR_RETURN(const StoreInfo info, system.Info());
  ToMessage(call.door().started_nanos, response->mutable_started());
  response->set_version(VARVE_VERSION);
  response->set_store_uuid(info.uuid);
  ToMessage(info.created_nanos, response->mutable_store_created());
  response->set_format_version(info.format_version);
  response->set_blob_bytes(info.blob_bytes);
  response->set_max_bytes(info.max_bytes);
  response->set_disk_total_bytes(info.disk_total_bytes);
  response->set_disk_free_bytes(info.disk_free_bytes);
  SetDuration(info.promise_nanos, response->mutable_promise());
  SetDuration(info.renew_nanos, response->mutable_renew());
  response->set_canonical_names(info.names.canonical);
  for (const std::string& host : info.names.own_hosts) response->add_own_hosts(host);
  return absl::OkStatus();
}

absl::Status ListActivity(System& system, const v1::ListActivityRequest& /*request*/,
                          v1::ListActivityResponse* response) {
  ASSIGN_OR_RETURN(const RecentActivity activity, system.ListActivity());
  for (const RecentActivity::Upload& upload : activity.uploads) {
    v1::ListActivityResponse::Upload* const message = response->add_uploads();
    message->set_repository(upload.repository);
    message->set_id(upload.id);
    message->set_received_bytes(upload.received_bytes);
    ToMessage(upload.updated_nanos, message->mutable_updated());
  }
  response->set_more_uploads(activity.more_uploads);
  for (const std::string& name : activity.repositories) response->add_repositories(name);
  response->set_more_repositories(activity.more_repositories);
  return absl::OkStatus();
}

void FillPart(const DiskUsage::Part& part, v1::DiskUsageResponse::Part* message) {
  message->set_count(part.count);
  message->set_logical_bytes(part.logical_bytes);
  message->set_disk_bytes(part.disk_bytes);
}

absl::Status MeasureDiskUsage(System& system, v1::DiskUsageResponse* response) {
  ASSIGN_OR_RETURN(const DiskUsage usage, system.MeasureDiskUsage());
  response->set_repositories(usage.repositories);
  response->set_tags(usage.tags);
  response->set_images(usage.images);
  FillPart(usage.tagged, response->mutable_tagged());
  FillPart(usage.dangling, response->mutable_dangling());
  FillPart(usage.in_use, response->mutable_in_use());
  FillPart(usage.unused, response->mutable_unused());
  FillPart(usage.loose, response->mutable_loose());
  FillPart(usage.inlined, response->mutable_inlined());
  FillPart(usage.unreferenced, response->mutable_unreferenced());
  FillPart(usage.uploads, response->mutable_uploads());
  FillPart(usage.orphans, response->mutable_orphans());
  response->set_index_disk_bytes(usage.index_disk_bytes);
  response->set_reserve_disk_bytes(usage.reserve_disk_bytes);
  return absl::OkStatus();
}

absl::Status FillOrphans(const absl::StatusOr<OrphanReport>& report,
                         v1::OrphansResponse* response) {
  RETURN_IF_ERROR(report.status());
  response->set_adopted(report->adopted);
  response->set_adopted_bytes(report->adopted_bytes);
  response->set_kept(report->kept);
  response->set_kept_bytes(report->kept_bytes);
  response->set_removed(report->removed);
  response->set_removed_bytes(report->removed_bytes);
  response->set_failed(report->failed);
  response->set_failed_bytes(report->failed_bytes);
  response->set_problem(report->problem);
  return absl::OkStatus();
}

absl::Status DropOrphans(System& system, const v1::DropOrphansRequest& /*request*/,
                         v1::OrphansResponse* response, const UnaryCall& call) {
  return FillOrphans(system.DropOrphans([&call] { return !call.cancelled(); }), response);
}

absl::Status AdoptOrphans(System& system, const v1::AdoptOrphansRequest& /*request*/,
                          v1::OrphansResponse* response, const UnaryCall& call) {
  return FillOrphans(system.AdoptOrphans([&call] { return !call.cancelled(); }), response);
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
    Reads<ListRepositories>("List", Subject::kName),
    Changes<MergeRepositories>("Merge", Subject::kName),
};

constexpr UnaryMethod kSystemMethods[] = {
    Reads<DescribeDaemon>("Info", Subject::kName),
    Reads<ListActivity>("ListActivity", Subject::kName),
    Reads<DropOrphans>("DropOrphans", Subject::kName),
    Reads<AdoptOrphans>("AdoptOrphans", Subject::kName),
};

using SystemStreams = v1::System::WithCallbackMethod_Check<
    v1::System::WithCallbackMethod_Events<v1::System::Service>>;

class SystemService final : public TableService<v1::System, SystemStreams> {
 public:
  explicit SystemService(GrpcDoor& door)
      : TableService(door, kSystemMethods),
        measurements_(std::make_shared<SharedWalk<UnaryCall>>(
            door.workers,
            [&system = door.store.system](std::vector<UnaryCall> calls) {
              MeasureForAll(system, std::move(calls));
            })),
        checks_(NewSharedChecks(door, CheckKind::kReferences)),
        content_checks_(NewSharedChecks(door, CheckKind::kContent)) {
    Register(NewUnaryHandler(door, v1::System::service_full_name(), "DiskUsage", Subject::kName,
                             /*changes=*/false, [this](UnaryCall call) { Measure(call); }));
  }

  grpc::ServerWriteReactor<v1::CheckResponse>* Check(grpc::CallbackServerContext* context,
                                                     const v1::CheckRequest* request) override {
    return NewCheckStream(door_, request->content() ? *content_checks_ : *checks_, context);
  }
  grpc::ServerWriteReactor<v1::EventsResponse>* Events(grpc::CallbackServerContext* context,
                                                       const v1::EventsRequest* request) override {
    return NewEventStream(door_, context, request);
  }

 private:
  void Measure(UnaryCall& call) {
    v1::DiskUsageRequest request;
    absl::Status joined = call.Take(&request);
    if (joined.ok()) joined = measurements_->Join(call);
    if (!joined.ok()) call.Finish(joined);
  }

  const std::shared_ptr<SharedWalk<UnaryCall>> measurements_;
  const std::shared_ptr<SharedChecks> checks_;
  const std::shared_ptr<SharedChecks> content_checks_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewRepositoriesService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Repositories>>(door, kRepositoryMethods);
}

std::unique_ptr<grpc::Service> NewSystemService(GrpcDoor& door) {
  return std::make_unique<SystemService>(door);
}

}  // namespace varve
