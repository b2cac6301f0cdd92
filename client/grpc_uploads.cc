// The calls of varve.v1.Uploads.
#include "client/grpc_client.h"
#include "proto/convert/blobs.h"
#include "storage/base/status.h"

namespace varve {

absl::StatusOr<UploadPage> GrpcClient::ListUploads(const std::string& page_token, size_t limit) {
  v1::ListUploadsRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListUploadsResponse response;
  RETURN_IF_ERROR(Unary(*uploads_, &v1::Uploads::Stub::List, request, &response));
  UploadPage page;
  for (const v1::Upload& message : response.uploads()) {
    page.uploads.push_back(FromMessage(message));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::Status GrpcClient::AbortUpload(std::string_view id) {
  v1::AbortUploadRequest request;
  request.set_id(std::string(id));
  v1::AbortUploadResponse response;
  return Unary(*uploads_, &v1::Uploads::Stub::Abort, request, &response);
}

}  // namespace varve
