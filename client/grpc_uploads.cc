// The calls of varve.v1.Uploads.
#include "client/grpc_client.h"
#include "client/messages.h"
#include "storage/base/status.h"

namespace varve {

absl::StatusOr<UploadPage> GrpcClient::ListUploads(const std::string& page_token, size_t limit) {
  v1::ListUploadsRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListUploadsResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return uploads_->List(context, request, &response); }));
  UploadPage page;
  for (const v1::Upload& message : response.uploads()) {
    UploadInfo upload;
    upload.id = message.id();
    upload.repository = message.repository();
    upload.client = message.client();
    upload.received_bytes = message.received_bytes();
    upload.started_nanos = Nanos(message.started());
    upload.updated_nanos = Nanos(message.updated());
    upload.expires_nanos = Nanos(message.expires());
    upload.in_request = message.in_request();
    page.uploads.push_back(std::move(upload));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::Status GrpcClient::AbortUpload(std::string_view id) {
  v1::AbortUploadRequest request;
  request.set_id(std::string(id));
  v1::AbortUploadResponse response;
  return Unary(
      [&](grpc::ClientContext* context) { return uploads_->Abort(context, request, &response); });
}

}  // namespace varve
