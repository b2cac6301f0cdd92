// varve.v1.Repositories, varve.v1.System and the listing of blobs.
#include <utility>

#include "client/grpc_client.h"
#include "client/messages.h"
#include "storage/base/status.h"

namespace varve {
namespace {

DiskUsage::Part FromMessage(const v1::DiskUsageResponse::Part& message) {
  return {message.count(), message.logical_bytes(), message.disk_bytes()};
}

}  // namespace

absl::StatusOr<BlobPage> GrpcClient::ListBlobs(const std::string& page_token, size_t limit) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ListBlobsRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListBlobsResponse response;
  RETURN_IF_ERROR(FromGrpc(blobs_->List(&context, request, &response)));
  BlobPage page;
  for (const v1::StoredBlob& message : response.blobs()) {
    BlobDetails& blob = page.blobs.emplace_back();
    ASSIGN_OR_RETURN(blob.blob, varve::FromMessage(message.blob()));
    blob.inlined = message.inlined();
    blob.referenced = message.referenced();
    blob.quarantined = message.quarantined();
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<RepositoryPage> GrpcClient::ListRepositories(const std::string& page_token,
                                                            size_t limit) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ListRepositoriesRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListRepositoriesResponse response;
  RETURN_IF_ERROR(FromGrpc(repositories_->List(&context, request, &response)));
  RepositoryPage page;
  for (const v1::Repository& message : response.repositories()) {
    page.repositories.push_back(
        {message.name(), message.tags(), message.manifests(), Nanos(message.created())});
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<DaemonInfo> GrpcClient::Info() {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::InfoResponse response;
  RETURN_IF_ERROR(FromGrpc(system_->Info(&context, v1::InfoRequest(), &response)));
  DaemonInfo info;
  info.version = response.version();
  info.started_nanos = Nanos(response.started());
  info.store = {response.store_uuid(),     Nanos(response.store_created()),
                response.format_version(), response.blob_bytes(),
                response.max_bytes(),      response.disk_total_bytes(),
                response.disk_free_bytes()};
  return info;
}

absl::StatusOr<DiskUsage> GrpcClient::MeasureDiskUsage() {
  // No deadline: it takes as long as the store is large.
  grpc::ClientContext context;
  v1::DiskUsageResponse response;
  RETURN_IF_ERROR(FromGrpc(system_->DiskUsage(&context, v1::DiskUsageRequest(), &response)));
  DiskUsage usage;
  usage.repositories = response.repositories();
  usage.tags = response.tags();
  usage.tagged = FromMessage(response.tagged());
  usage.dangling = FromMessage(response.dangling());
  usage.loose = FromMessage(response.loose());
  usage.inlined = FromMessage(response.inlined());
  usage.unreferenced = FromMessage(response.unreferenced());
  usage.uploads = FromMessage(response.uploads());
  usage.index_disk_bytes = response.index_disk_bytes();
  return usage;
}

absl::Status GrpcClient::WatchEvents(const WatchOptions&, const EventSink&) {
  return absl::UnimplementedError("not yet");
}

}  // namespace varve
