#include "tests/contract/doors/grpc_upload.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

int64_t Nanos(const google::protobuf::Timestamp& time) {
  return time.seconds() * kNanosPerSecond + time.nanos();
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  // The codes have the same numbers.
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

absl::StatusOr<std::unique_ptr<OpenUpload>> GrpcUpload::Begin(v1::Blobs::Stub& stub,
                                                              std::string_view repository,
                                                              const UploadOptions& options) {
  UploadStatus status;
  status.id = options.id.empty() ? StrCat("test-", SystemRandom().Next()) : options.id;
  auto upload = std::make_unique<GrpcUpload>(stub, repository, status);
  RETURN_IF_ERROR(upload->Write({0, options.size_bytes, {}, {}}).status());
  return upload;
}

absl::StatusOr<std::unique_ptr<OpenUpload>> GrpcUpload::Resume(v1::Blobs::Stub& stub,
                                                               std::string_view repository,
                                                               std::string_view id) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::WriteStatusRequest request;
  request.set_repository(std::string(repository));
  request.set_upload_id(std::string(id));
  v1::WriteStatusResponse response;
  RETURN_IF_ERROR(FromGrpcStatus(stub.WriteStatus(&context, request, &response)));
  return std::make_unique<GrpcUpload>(
      stub, repository,
      UploadStatus{std::string(id), response.offset(), Nanos(response.started()),
                   Nanos(response.updated())});
}

absl::StatusOr<v1::WriteResponse> GrpcUpload::Write(const Piece& piece) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::WriteResponse response;
  const auto stream = stub_.Write(&context, &response);
  v1::WriteRequest message;
  message.mutable_header()->set_repository(repository_);
  message.mutable_header()->set_upload_id(status_.id);
  message.mutable_header()->set_offset(piece.offset);
  if (piece.size_bytes) message.mutable_header()->set_size_bytes(*piece.size_bytes);
  bool open = stream->Write(message);
  for (std::string_view rest = piece.bytes; open && !rest.empty();) {
    const std::string_view data = rest.substr(0, kMiB);
    rest.remove_prefix(data.size());
    message.set_data(std::string(data));
    open = stream->Write(message);
  }
  if (open && piece.commit.has_value()) {
    *message.mutable_commit() = *piece.commit;
    stream->Write(message);
  }
  stream->WritesDone();  // when the server has ended the call already, Finish says why
  RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  status_.offset_bytes = response.offset();
  return response;
}

absl::Status GrpcUpload::Expect(uint64_t more_bytes) {
  return Write({status_.offset_bytes, status_.offset_bytes + more_bytes, {}, {}}).status();
}

absl::Status GrpcUpload::Append(uint64_t offset, std::string_view bytes) {
  return Write({offset, {}, bytes, {}}).status();
}

absl::Status GrpcUpload::Restart() {
  RETURN_IF_ERROR(Abort());
  return Write({0, {}, {}, {}}).status();
}

absl::Status GrpcUpload::Checkpoint() { return Write({status_.offset_bytes, {}, {}, {}}).status(); }

absl::StatusOr<BlobInfo> GrpcUpload::Commit(const Digest& expected,
                                            std::optional<uint64_t> size_bytes) {
  Piece piece;
  piece.offset = status_.offset_bytes;
  piece.commit.emplace();
  piece.commit->set_expected_digest(expected.ToString());
  if (size_bytes) piece.commit->set_size_bytes(*size_bytes);
  ASSIGN_OR_RETURN(const v1::WriteResponse response, Write(piece));
  BlobInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(response.blob().digest()));
  info.size_bytes = response.blob().size_bytes();
  info.created_nanos = Nanos(response.blob().created());
  return info;
}

absl::Status GrpcUpload::Abort() {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::AbortWriteRequest request;
  request.set_repository(repository_);
  request.set_upload_id(status_.id);
  v1::AbortWriteResponse response;
  return FromGrpcStatus(stub_.Abort(&context, request, &response));
}

}  // namespace varve
