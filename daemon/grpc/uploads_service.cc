// varve.v1.Uploads.
#include <algorithm>
#include <memory>
#include <string_view>

#include "absl/strings/ascii.h"
#include "daemon/grpc/paging.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/unary.h"
#include "proto/convert/blobs.h"
#include "storage/api/blobs.h"
#include "storage/base/status.h"
#include "storage/limits.h"
#include "varve/v1/uploads.grpc.pb.h"

namespace varve {
namespace {

// Ids of the whole store: wider than those that Write takes.
absl::Status CheckUploadId(std::string_view id) {
  const auto printable = [](unsigned char c) { return absl::ascii_isgraph(c); };
  return id.size() <= kMaxUploadIdBytes && std::all_of(id.begin(), id.end(), printable)
             ? absl::OkStatus()
             : absl::InvalidArgumentError("no upload id");
}

absl::Status ListUploads(Blobs& blobs, const v1::ListUploadsRequest& request,
                         v1::ListUploadsResponse* response) {
  ASSIGN_OR_RETURN(const PageRequest asked, PageOfNames(request, CheckUploadId));
  ASSIGN_OR_RETURN(const Page<UploadInfo> page, blobs.ListUploads(asked));
  for (const UploadInfo& upload : page.rows) ToMessage(upload, response->add_uploads());
  if (page.more) response->set_next_page_token(page.rows.back().id);
  return absl::OkStatus();
}

absl::Status AbortUpload(Blobs& blobs, const v1::AbortUploadRequest& request,
                         v1::AbortUploadResponse* /*response*/) {
  return blobs.AbortUpload(request.id());
}

constexpr UnaryMethod kMethods[] = {
    Reads<ListUploads>("List", About::kUpload),
    Changes<AbortUpload>("Abort", About::kUpload),
};

}  // namespace

std::unique_ptr<grpc::Service> NewUploadsService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Uploads>>(door, kMethods);
}

}  // namespace varve
