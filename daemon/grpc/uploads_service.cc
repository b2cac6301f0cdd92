// varve.v1.Uploads.
#include <algorithm>
#include <memory>

#include "daemon/grpc/messages.h"
#include "daemon/grpc/services.h"
#include "storage/base/status.h"
#include "storage/limits.h"
#include "varve/v1/uploads.grpc.pb.h"

namespace varve {
namespace {

constexpr CallKind kListUploads{"Uploads.List", Subject::kUpload, false};
constexpr CallKind kAbortUpload{"Uploads.Abort", Subject::kUpload, true};

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

absl::Status ListUploads(const Store& store, const v1::ListUploadsRequest& request,
                         v1::ListUploadsResponse* response) {
  const size_t rows = request.page_size() == 0
                          ? kDefaultPageRows
                          : std::min<size_t>(request.page_size(), kMaxPageRows);
  ASSIGN_OR_RETURN(const Page<UploadInfo> page,
                   store.blobs.ListUploads({request.page_token(), rows}));
  for (const UploadInfo& upload : page.rows) Fill(upload, response->add_uploads());
  if (page.more) response->set_next_page_token(page.rows.back().id);
  return absl::OkStatus();
}

class UploadsService final : public v1::Uploads::CallbackService {
 public:
  explicit UploadsService(GrpcDoor& door) : door_(door) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListUploadsRequest* request,
                                 v1::ListUploadsResponse* response) override {
    return AnswerUnary(
        door_, kListUploads, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return ListUploads(store, in, out); });
  }
  grpc::ServerUnaryReactor* Abort(grpc::CallbackServerContext* context,
                                  const v1::AbortUploadRequest* request,
                                  v1::AbortUploadResponse* response) override {
    return AnswerUnary(
        door_, kAbortUpload, context, request, response,
        [&store = door_.store](const auto& in, auto*) { return store.blobs.AbortUpload(in.id()); });
  }

 private:
  GrpcDoor& door_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewUploadsService(GrpcDoor& door) {
  return std::make_unique<UploadsService>(door);
}

}  // namespace varve
