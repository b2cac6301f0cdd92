// varve.v1.Uploads.
#include <algorithm>
#include <memory>

#include "daemon/grpc/messages.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/unary.h"
#include "storage/api/blobs.h"
#include "storage/base/status.h"
#include "storage/limits.h"
#include "varve/v1/uploads.grpc.pb.h"

namespace varve {
namespace {

constexpr size_t kDefaultPageRows = 100;  // as uploads.proto says

void Fill(const UploadInfo& info, v1::Upload* message) {
  message->set_id(info.id);
  message->set_repository(info.repository);
  message->set_client(info.client);
  message->set_received_bytes(info.received_bytes);
  ToMessage(info.started_nanos, message->mutable_started());
  ToMessage(info.updated_nanos, message->mutable_updated());
  ToMessage(info.expires_nanos, message->mutable_expires());
  message->set_in_request(info.in_request);
}

absl::Status ListUploads(Blobs& blobs, const v1::ListUploadsRequest& request,
                         v1::ListUploadsResponse* response) {
  const size_t rows = request.page_size() == 0
                          ? kDefaultPageRows
                          : std::min<size_t>(request.page_size(), kMaxPageRows);
  ASSIGN_OR_RETURN(const Page<UploadInfo> page, blobs.ListUploads({request.page_token(), rows}));
  for (const UploadInfo& upload : page.rows) Fill(upload, response->add_uploads());
  if (page.more) response->set_next_page_token(page.rows.back().id);
  return absl::OkStatus();
}

absl::Status AbortUpload(Blobs& blobs, const v1::AbortUploadRequest& request,
                         v1::AbortUploadResponse* /*response*/) {
  return blobs.AbortUpload(request.id());
}

constexpr UnaryMethod kMethods[] = {
    Reads<ListUploads>("List", Subject::kUpload),
    Changes<AbortUpload>("Abort", Subject::kUpload),
};

}  // namespace

std::unique_ptr<grpc::Service> NewUploadsService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Uploads>>(door, kMethods);
}

}  // namespace varve
