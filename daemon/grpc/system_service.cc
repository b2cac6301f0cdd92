// varve.v1.Repositories and varve.v1.System.
#include <atomic>
#include <string>

#include "daemon/grpc/check_stream.h"
#include "daemon/grpc/event_stream.h"
#include "daemon/grpc/messages.h"
#include "daemon/grpc/services.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "varve/v1/system.grpc.pb.h"

namespace varve {
namespace {

constexpr CallKind kListRepositories{"Repositories.List", Subject::kName, false};
constexpr CallKind kInfo{"System.Info", Subject::kName, false};
constexpr CallKind kDiskUsage{"System.DiskUsage", Subject::kName, false};

// Each walks the whole index and keeps a worker busy meanwhile.
constexpr int kMaxMeasurements = 4;

absl::Status ListRepositories(Store& store, const v1::ListRepositoriesRequest& request,
                              v1::ListRepositoriesResponse* response) {
  PageRequest page;
  page.after = request.page_token();
  if (request.page_size() != 0) page.limit = request.page_size();
  ASSIGN_OR_RETURN(const Page<std::string> names, store.ListRepositories(page));
  for (const std::string& name : names.rows) {
    const absl::StatusOr<RepositoryInfo> info = store.DescribeRepository(name);
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

absl::Status DescribeStore(Store& store, v1::InfoResponse* response) {
  ASSIGN_OR_RETURN(const StoreInfo info, store.Info());
  response->set_version(VARVE_VERSION);
  response->set_store_uuid(info.uuid);
  ToMessage(info.created_nanos, response->mutable_store_created());
  response->set_format_version(info.format_version);
  response->set_blob_bytes(info.blob_bytes);
  response->set_max_bytes(info.max_bytes);
  response->set_disk_total_bytes(info.disk_total_bytes);
  response->set_disk_free_bytes(info.disk_free_bytes);
  return absl::OkStatus();
}

void FillPart(const DiskUsage::Part& part, v1::DiskUsageResponse::Part* message) {
  message->set_count(part.count);
  message->set_logical_bytes(part.logical_bytes);
  message->set_disk_bytes(part.disk_bytes);
}

absl::Status MeasureDiskUsage(Store& store, v1::DiskUsageResponse* response) {
  ASSIGN_OR_RETURN(const DiskUsage usage, store.MeasureDiskUsage());
  response->set_repositories(usage.repositories);
  response->set_tags(usage.tags);
  FillPart(usage.tagged, response->mutable_tagged());
  FillPart(usage.dangling, response->mutable_dangling());
  FillPart(usage.loose, response->mutable_loose());
  FillPart(usage.inlined, response->mutable_inlined());
  FillPart(usage.unreferenced, response->mutable_unreferenced());
  FillPart(usage.uploads, response->mutable_uploads());
  response->set_index_disk_bytes(usage.index_disk_bytes);
  return absl::OkStatus();
}

class RepositoriesService final : public v1::Repositories::CallbackService {
 public:
  explicit RepositoriesService(GrpcDoor& door) : door_(door) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRepositoriesRequest* request,
                                 v1::ListRepositoriesResponse* response) override {
    return AnswerUnary(door_, kListRepositories, context, request, response,
                       [&store = door_.store](const auto& in, auto* out) {
                         return ListRepositories(store, in, out);
                       });
  }

 private:
  GrpcDoor& door_;
};

class SystemService final : public v1::System::CallbackService {
 public:
  explicit SystemService(GrpcDoor& door) : door_(door), started_nanos_(SystemClock().WallNanos()) {}

  grpc::ServerUnaryReactor* Info(grpc::CallbackServerContext* context,
                                 const v1::InfoRequest* request,
                                 v1::InfoResponse* response) override {
    return AnswerUnary(door_, kInfo, context, request, response, [this](const auto&, auto* out) {
      ToMessage(started_nanos_, out->mutable_started());
      return DescribeStore(door_.store, out);
    });
  }

  grpc::ServerUnaryReactor* DiskUsage(grpc::CallbackServerContext* context,
                                      const v1::DiskUsageRequest* request,
                                      v1::DiskUsageResponse* response) override {
    return AnswerUnary(door_, kDiskUsage, context, request, response,
                       [this](const auto&, auto* out) { return Measure(out); });
  }

  grpc::ServerWriteReactor<v1::CheckResponse>* Check(grpc::CallbackServerContext* context,
                                                     const v1::CheckRequest* request) override {
    return NewCheckStream(door_, *request, context);
  }

  grpc::ServerWriteReactor<v1::EventsResponse>* Events(grpc::CallbackServerContext* context,
                                                       const v1::EventsRequest* request) override {
    return NewEventStream(door_, context, request);
  }

 private:
  absl::Status Measure(v1::DiskUsageResponse* response) {
    absl::Status status = absl::ResourceExhaustedError(
        "others are measuring the disk usage already; try again when they are done");
    if (measurements_.fetch_add(1) < kMaxMeasurements) {
      status = MeasureDiskUsage(door_.store, response);
    }
    measurements_.fetch_sub(1);
    return status;
  }

  GrpcDoor& door_;
  const int64_t started_nanos_;
  std::atomic<int> measurements_{0};
};

}  // namespace

std::unique_ptr<grpc::Service> NewRepositoriesService(GrpcDoor& door) {
  return std::make_unique<RepositoriesService>(door);
}

std::unique_ptr<grpc::Service> NewSystemService(GrpcDoor& door) {
  return std::make_unique<SystemService>(door);
}

}  // namespace varve
