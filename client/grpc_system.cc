// varve.v1.Repositories, varve.v1.System and the listing of blobs.
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "client/error_details.h"
#include "client/grpc_client.h"
#include "proto/convert/blobs.h"
#include "proto/convert/system.h"
#include "proto/convert/values.h"
#include "storage/base/status.h"

namespace varve {
namespace {

// How one stream of events went.
struct Watch {
  bool heard = false;   // the daemon sent something
  bool enough = false;  // the sink wants no more
};

// Reads one stream to its end. The request's token follows what came.
absl::Status WatchOnce(v1::System::Stub& system, const EventSink& sink, v1::EventsRequest* request,
                       Watch* watch) {
  grpc::ClientContext context;
  const std::unique_ptr<grpc::ClientReader<v1::EventsResponse>> stream =
      system.Events(&context, *request);
  v1::EventsResponse response;
  absl::Status malformed;
  while (malformed.ok() && !watch->enough && stream->Read(&response)) {
    watch->heard = true;
    const absl::StatusOr<std::optional<Event>> event = FromMessage(response.event());
    malformed = event.status();
    if (event.ok() && event->has_value()) watch->enough = !sink(**event, response.token());
    request->set_token(response.token());
  }
  if (watch->enough || !malformed.ok()) context.TryCancel();
  const absl::Status status = FromGrpc(stream->Finish(), context);
  return malformed.ok() ? status : malformed;
}

}  // namespace

absl::StatusOr<BlobPage> GrpcClient::ListBlobs(const std::string& page_token, size_t limit) {
  v1::ListBlobsRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListBlobsResponse response;
  RETURN_IF_ERROR(Unary(*blobs_, &v1::Blobs::Stub::List, request, &response));
  BlobPage page;
  for (const v1::StoredBlob& message : response.blobs()) {
    ASSIGN_OR_RETURN(BlobDetails blob, FromMessage(message));
    page.blobs.push_back(std::move(blob));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<RepositoryPage> GrpcClient::ListRepositories(const std::string& page_token,
                                                            size_t limit) {
  v1::ListRepositoriesRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListRepositoriesResponse response;
  RETURN_IF_ERROR(Unary(*repositories_, &v1::Repositories::Stub::List, request, &response));
  RepositoryPage page;
  for (const v1::Repository& message : response.repositories()) {
    page.repositories.push_back(FromMessage(message));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<RepositoryInfo> GrpcClient::DescribeRepository(std::string_view repository) {
  v1::DescribeRepositoryRequest request;
  request.set_repository(std::string(repository));
  v1::DescribeRepositoryResponse response;
  RETURN_IF_ERROR(Unary(*repositories_, &v1::Repositories::Stub::Describe, request, &response));
  return FromMessage(response.repository());
}

absl::StatusOr<RepositoryMerge> GrpcClient::MergeRepositories(std::string_view from,
                                                              std::string_view into, bool force) {
  v1::MergeRepositoriesRequest request;
  request.set_from(std::string(from));
  request.set_into(std::string(into));
  request.set_force(force);
  v1::MergeRepositoriesResponse response;
  // No deadline: it takes as long as the repository is large.
  RETURN_IF_ERROR(
      Unary(*repositories_, &v1::Repositories::Stub::Merge, request, &response, Deadline::kNone));
  return FromMessage(response);
}

absl::StatusOr<DaemonInfo> GrpcClient::Info() {
  v1::InfoResponse response;
  RETURN_IF_ERROR(Unary(*system_, &v1::System::Stub::Info, v1::InfoRequest(), &response));
  DaemonInfo info;
  info.version = response.version();
  info.started_nanos = Nanos(response.started());
  info.store = FromMessage(response);
  return info;
}

absl::StatusOr<RecentActivity> GrpcClient::ListActivity() {
  v1::ListActivityResponse response;
  RETURN_IF_ERROR(
      Unary(*system_, &v1::System::Stub::ListActivity, v1::ListActivityRequest(), &response));
  return FromMessage(response);
}

absl::StatusOr<DiskUsage> GrpcClient::MeasureDiskUsage() {
  // No deadline: it takes as long as the store is large.
  v1::DiskUsageResponse response;
  RETURN_IF_ERROR(Unary(*system_, &v1::System::Stub::DiskUsage, v1::DiskUsageRequest(), &response,
                        Deadline::kNone));
  return FromMessage(response);
}

absl::Status GrpcClient::WatchEvents(const WatchOptions& options, const EventSink& sink) {
  v1::EventsRequest request;
  request.set_token(options.token);
  request.set_from_oldest(options.from_oldest);
  request.set_no_follow(!options.follow);
  for (const Event::Type type : options.types) request.add_types(ToMessage(type));
  request.set_repository(options.repository);
  bool heard_before = false;
  int failures = 0;
  for (;;) {
    Watch watch;
    const absl::Status status = WatchOnce(*system_, sink, &request, &watch);
    if (watch.enough) return absl::OkStatus();
    // A daemon that was not there in the first place: waiting only delays the message.
    heard_before = heard_before || watch.heard;
    // Cancelled: by the daemon, because this side took nothing for too long.
    if ((!absl::IsUnavailable(status) && !absl::IsCancelled(status)) || !heard_before) {
      return status;
    }
    failures = watch.heard ? 1 : failures + 1;
    if (failures >= options_.attempts) return status;
    std::this_thread::sleep_for(options_.WaitAfter(failures));
  }
}

}  // namespace varve
