// Blob upload and download with resume: the streaming half of GrpcClient.
#include <algorithm>
#include <thread>

#include "absl/strings/str_format.h"
#include "client/grpc_client.h"
#include "client/messages.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kWriteMessageBytes = kMiB;  // as blobs.proto suggests

// Decides whether a transfer that broke off goes on, and waits before it does.
class Retries {
 public:
  explicit Retries(const ClientOptions& options)
      : attempts_(options.attempts), first_wait_(options.first_wait) {}

  // `bytes` is how far the transfer has come. False when it should be given up; also when the
  // daemon was not there in the first place, for then waiting only delays the message.
  bool Again(const absl::Status& status, uint64_t bytes) {
    if (!absl::IsUnavailable(status) && !absl::IsAborted(status) &&
        !absl::IsDeadlineExceeded(status)) {
      return false;
    }
    if (absl::IsUnavailable(status) && bytes == 0 && best_bytes_ == 0) return false;
    if (bytes > best_bytes_) {
      best_bytes_ = bytes;
      failures_ = 0;
    }
    if (++failures_ >= attempts_) return false;
    std::this_thread::sleep_for(first_wait_ * (1 << std::min(failures_ - 1, 6)));
    return true;
  }

 private:
  const int attempts_;
  const std::chrono::milliseconds first_wait_;
  uint64_t best_bytes_ = 0;
  int failures_ = 0;
};

std::string RandomUploadId() {
  return absl::StrFormat("client-%016x%016x", SystemRandom().Next(), SystemRandom().Next());
}

}  // namespace

absl::StatusOr<uint64_t> GrpcClient::UploadOffset(const std::string& repository,
                                                  const std::string& upload_id) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::WriteStatusRequest request;
  request.set_repository(repository);
  request.set_upload_id(upload_id);
  v1::WriteStatusResponse response;
  const absl::Status status = FromGrpc(blobs_->WriteStatus(&context, request, &response));
  if (absl::IsNotFound(status)) return 0;
  RETURN_IF_ERROR(status);
  return response.offset();
}

absl::StatusOr<BlobInfo> GrpcClient::PutBlob(ByteSource& source, const PutBlobOptions& options) {
  const bool named = !options.upload_id.empty();
  const std::string upload_id = named ? options.upload_id : RandomUploadId();
  Retries retries(options_);
  bool first = true;
  for (;;) {
    absl::StatusOr<uint64_t> offset = 0;
    // Only somebody's earlier try can have left something for a fresh name.
    if (named || !first) offset = UploadOffset(options.repository, upload_id);
    first = false;
    absl::Status status = offset.status();
    if (offset.ok()) {
      RETURN_IF_ERROR(source.SeekTo(*offset));
      absl::StatusOr<BlobInfo> blob = PutOnce(source, options, upload_id);
      if (blob.ok()) return blob;
      status = blob.status();
    }
    if (!retries.Again(status, source.offset())) return status;
  }
}

absl::StatusOr<BlobInfo> GrpcClient::PutOnce(ByteSource& source, const PutBlobOptions& options,
                                             const std::string& upload_id) {
  grpc::ClientContext context;
  v1::WriteResponse response;
  const std::unique_ptr<grpc::ClientWriter<v1::WriteRequest>> stream =
      blobs_->Write(&context, &response);
  v1::WriteRequest message;
  v1::WriteRequest::Header& header = *message.mutable_header();
  header.set_repository(options.repository);
  header.set_upload_id(upload_id);
  header.set_offset(source.offset());
  if (source.size_bytes()) header.set_size_bytes(*source.size_bytes());
  if (options.expected) header.set_expected_digest(options.expected->ToString());
  bool sent = stream->Write(message);
  absl::Status read;
  while (sent) {
    read = source.Read(kWriteMessageBytes, message.mutable_data());
    if (!read.ok() || message.data().empty()) break;
    sent = stream->Write(message);
    if (sent && options.progress) options.progress(source.offset());
  }
  if (sent && read.ok() && source.size_bytes() && source.offset() != *source.size_bytes()) {
    read = absl::FailedPreconditionError("the input changed its length while it was read");
  }
  if (sent && read.ok() && options.expected && !(source.HashedDigest() == *options.expected)) {
    read = absl::InvalidArgumentError(StrCat("the input has the digest ",
                                             source.HashedDigest().ToString(), ", not ",
                                             options.expected->ToString()));
  }
  if (!read.ok()) {
    context.TryCancel();
    static_cast<void>(stream->Finish());
    return read;
  }
  if (sent) {
    v1::WriteRequest::Commit& commit = *message.mutable_commit();
    commit.set_expected_digest(source.HashedDigest().ToString());
    commit.set_size_bytes(source.offset());
    stream->Write(message);
    stream->WritesDone();
  }
  RETURN_IF_ERROR(FromGrpc(stream->Finish()));
  return FromMessage(response.blob());
}

absl::StatusOr<BlobInfo> GrpcClient::GetBlob(const Digest& digest, const ByteSink& sink,
                                             const GetBlobOptions& options) {
  Hasher hasher(digest.algorithm());
  Retries retries(options_);
  BlobInfo info{.digest = digest};
  for (;;) {
    grpc::ClientContext context;
    v1::ReadRequest request;
    request.set_repository(options.repository);
    request.set_digest(digest.ToString());
    request.set_offset(hasher.bytes_hashed());
    const std::unique_ptr<grpc::ClientReader<v1::ReadResponse>> stream =
        blobs_->Read(&context, request);
    v1::ReadResponse response;
    absl::Status taken;
    while (taken.ok() && stream->Read(&response)) {
      info.size_bytes = response.blob_size_bytes();
      hasher.Update(response.data());
      taken = sink(response.data());
      if (options.progress) options.progress(hasher.bytes_hashed());
    }
    if (!taken.ok()) context.TryCancel();
    const absl::Status status = FromGrpc(stream->Finish());
    RETURN_IF_ERROR(taken);
    if (status.ok()) break;
    if (!retries.Again(status, hasher.bytes_hashed())) return status;
  }
  if (hasher.bytes_hashed() != info.size_bytes || !(hasher.Current() == digest)) {
    return absl::DataLossError(StrCat("the bytes that came have the digest ",
                                      hasher.Current().ToString(), ", not ", digest.ToString(),
                                      "; the copy in the store may be damaged"));
  }
  return info;
}

}  // namespace varve
