#include <memory>
#include <string>
#include <vector>

#include "daemon/grpc/blob_streams.h"
#include "daemon/grpc/blob_upload.h"
#include "daemon/grpc/paging.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/unary.h"
#include "daemon/leased_call.h"
#include "proto/convert/blobs.h"
#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "varve/v1/blobs.grpc.pb.h"

namespace varve {
namespace {

absl::Status StatBlob(Blobs& blobs, Claims& claims, const v1::StatBlobRequest& request,
                      v1::StatBlobResponse* response, const UnaryCall& call) {
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
  RETURN_IF_ERROR(AttachTo(claims, call.lease(), {digest}));
  ASSIGN_OR_RETURN(const BlobInfo info, blobs.StatBlob(request.repository(), digest));
  ToMessage(info, response->mutable_blob());
  return absl::OkStatus();
}

absl::Status FindMissingBlobs(Blobs& blobs, Claims& claims, const v1::FindMissingRequest& request,
                              v1::FindMissingResponse* response, const UnaryCall& call) {
  const auto count = static_cast<size_t>(request.digests_size());
  if (count > kMaxFindMissingDigests) {
    return absl::InvalidArgumentError(
        StrCat(count, " digests in one call; at most ", kMaxFindMissingDigests, " are allowed"));
  }
  std::vector<Digest> digests;
  digests.reserve(count);
  for (const std::string& text : request.digests()) {
    ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digests", text));
    digests.push_back(digest);
  }
  RETURN_IF_ERROR(AttachTo(claims, call.lease(), digests));
  ASSIGN_OR_RETURN(const std::vector<Digest> missing,
                   blobs.FindMissing(request.repository(), digests));
  for (const Digest& digest : missing) response->add_missing(digest.ToString());
  return absl::OkStatus();
}

// What cannot be an id names no upload, as in the other door; the store does not see such text.
absl::StatusOr<std::unique_ptr<OpenUpload>> ResumeUpload(Blobs& blobs,
                                                         const std::string& repository,
                                                         const std::string& id) {
  const absl::Status valid = ValidateUploadId(id);
  if (!valid.ok()) return absl::NotFoundError(valid.message());
  return blobs.ResumeUpload(repository, id);
}

// Where the upload of that id was begun; "" when there is none.
absl::StatusOr<std::string> RepositoryOfUpload(Blobs& blobs, const std::string& id) {
  if (!ValidateUploadId(id).ok()) return std::string();
  // Uploads are listed in byte order, and no id has a byte past '~': this page begins with the id.
  PageRequest page;
  page.after = id;
  --page.after.back();
  page.after += '\x7f';
  page.limit = 1;
  ASSIGN_OR_RETURN(const Page<UploadInfo> found, blobs.ListUploads(page));
  if (found.rows.empty() || found.rows[0].id != id) return std::string();
  return found.rows[0].repository;
}

absl::Status StatUpload(Blobs& blobs, const v1::WriteStatusRequest& request,
                        v1::WriteStatusResponse* response) {
  std::string repository = request.repository();
  if (repository.empty()) {
    ASSIGN_OR_RETURN(repository, RepositoryOfUpload(blobs, request.upload_id()));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<OpenUpload> upload,
                   ResumeUpload(blobs, repository, request.upload_id()));
  const UploadStatus status = upload->status();
  response->set_offset(status.offset_bytes);
  response->set_repository(repository);
  ToMessage(status.started_nanos, response->mutable_started());
  ToMessage(status.updated_nanos, response->mutable_updated());
  return absl::OkStatus();
}

absl::Status AbortUpload(Blobs& blobs, const v1::AbortWriteRequest& request,
                         v1::AbortWriteResponse* /*response*/) {
  if (request.repository().empty() && ValidateUploadId(request.upload_id()).ok()) {
    return blobs.AbortUpload(request.upload_id());
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<OpenUpload> upload,
                   ResumeUpload(blobs, request.repository(), request.upload_id()));
  return upload->Abort();
}

absl::Status ListBlobs(Blobs& blobs, const v1::ListBlobsRequest& request,
                       v1::ListBlobsResponse* response) {
  if (!request.repository().empty()) {
    return absl::InvalidArgumentError("the listing is of the whole store: leave repository empty");
  }
  ASSIGN_OR_RETURN(const Page<BlobDetails> page, blobs.ListBlobs(PageOf(request)));
  for (const BlobDetails& blob : page.rows) ToMessage(blob, response->add_blobs());
  if (page.more && !page.rows.empty()) {
    response->set_next_page_token(page.rows.back().blob.digest.ToString());
  }
  return absl::OkStatus();
}

constexpr UnaryMethod kMethods[] = {
    Reads<StatBlob>("Stat", About::kBlob),
    Reads<FindMissingBlobs>("FindMissing", About::kBlob),
    Reads<StatUpload>("WriteStatus", About::kUpload),
    Changes<AbortUpload>("Abort", About::kUpload),
    Reads<ListBlobs>("List", About::kBlob),
};

}  // namespace

std::unique_ptr<grpc::Service> NewBlobsService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Blobs>>(
      door, kMethods, std::vector{NewReadHandler(door), NewWriteHandler(door)});
}

}  // namespace varve
