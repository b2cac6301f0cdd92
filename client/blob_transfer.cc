// Blob upload and download with resume: the streaming half of GrpcClient.
#include <algorithm>
#include <thread>

#include "absl/strings/str_format.h"
#include "client/error_details.h"
#include "client/grpc_client.h"
#include "proto/convert/blobs.h"
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
  explicit Retries(const ClientOptions& options) : options_(options) {}

  // `safe_bytes` are those that need not be moved again: only they are progress, or a daemon that
  // dies again and again would be tried for ever. `began` is whether any byte was moved at all.
  // False when the transfer should be given up; also when the daemon was not there in the first
  // place, for then waiting only delays the message.
  bool Again(const absl::Status& status, uint64_t safe_bytes, bool began) {
    // Cancelled: by the daemon, because this side took nothing for too long.
    if (!absl::IsUnavailable(status) && !absl::IsAborted(status) &&
        !absl::IsDeadlineExceeded(status) && !absl::IsCancelled(status)) {
      return false;
    }
    if (absl::IsUnavailable(status) && !began) return false;
    if (safe_bytes > best_bytes_) {
      best_bytes_ = safe_bytes;
      failures_ = 0;
    }
    if (++failures_ >= options_.attempts) return false;
    std::this_thread::sleep_for(options_.WaitAfter(failures_));
    return true;
  }

 private:
  const ClientOptions& options_;
  uint64_t best_bytes_ = 0;
  int failures_ = 0;
};

// Tells how far a transfer is, never less than before: what has to be moved again is not news.
class ProgressReport {
 public:
  explicit ProgressReport(const TransferProgress& progress) : progress_(progress) {}

  void Reached(uint64_t bytes) {
    if (!progress_) return;
    best_bytes_ = std::max(best_bytes_, bytes);
    progress_(best_bytes_);
  }

 private:
  const TransferProgress& progress_;
  uint64_t best_bytes_ = 0;
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
  const absl::Status status = FromGrpc(blobs_->WriteStatus(&context, request, &response), context);
  if (absl::IsNotFound(status)) return 0;
  RETURN_IF_ERROR(status);
  return response.offset();
}

absl::StatusOr<BlobInfo> GrpcClient::PutBlob(ByteSource& source, const PutBlobOptions& options) {
  const bool named = !options.upload_id.empty();
  const std::string upload_id = named ? options.upload_id : RandomUploadId();
  Retries retries(options_);
  ProgressReport report(options.progress);
  PutBlobOptions try_options = options;
  try_options.progress = [&report](uint64_t bytes) { report.Reached(bytes); };
  bool first = true;
  bool committing = false;  // the last try came to its commit, whose answer is missing
  for (;;) {
    absl::StatusOr<uint64_t> offset = 0;
    // Only somebody's earlier try can have left something for a fresh name.
    if (named || !first) offset = UploadOffset(options.repository, upload_id);
    first = false;
    absl::Status status = offset.status();
    if (offset.ok()) {
      absl::StatusOr<BlobInfo> blob = PutFrom(*offset, source, try_options, upload_id, &committing);
      if (blob.ok()) return blob;
      status = blob.status();
    }
    if (retries.Again(status, offset.ok() ? *offset : 0, source.offset() != 0)) continue;
    // Nobody knows the name to go on with it.
    if (!named && connected()) AbortUpload(upload_id).IgnoreError();
    return status;
  }
}

absl::StatusOr<BlobInfo> GrpcClient::PutFrom(uint64_t offset, ByteSource& source,
                                             const PutBlobOptions& options,
                                             const std::string& upload_id, bool* committing) {
  if (*committing && offset == 0) {
    // The upload is gone: most likely it was committed, and no byte has to be sent again.
    absl::StatusOr<BlobInfo> blob = StatBlob(options.repository, source.HashedDigest());
    if (!absl::IsNotFound(blob.status())) return blob;
  }
  RETURN_IF_ERROR(source.SeekTo(offset));
  return PutOnce(source, options, upload_id, committing);
}

absl::StatusOr<BlobInfo> GrpcClient::PutOnce(ByteSource& source, const PutBlobOptions& options,
                                             const std::string& upload_id, bool* committing) {
  *committing = false;
  grpc::ClientContext context;
  NameLease(context);
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
    *committing = true;
    v1::WriteRequest::Commit& commit = *message.mutable_commit();
    commit.set_expected_digest(source.HashedDigest().ToString());
    commit.set_size_bytes(source.offset());
    stream->Write(message);
    stream->WritesDone();
  }
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), context));
  return FromMessage(response.blob());
}

absl::StatusOr<BlobInfo> GrpcClient::GetBlob(const Digest& digest, const ByteSink& sink,
                                             const GetBlobOptions& options) {
  Hasher hasher(digest.algorithm());
  Retries retries(options_);
  ProgressReport report(options.progress);
  BlobInfo info{.digest = digest};
  for (;;) {
    grpc::ClientContext context;
    NameLease(context);
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
      report.Reached(hasher.bytes_hashed());
    }
    if (!taken.ok()) context.TryCancel();
    const absl::Status status = FromGrpc(stream->Finish(), context);
    RETURN_IF_ERROR(taken);
    if (status.ok()) break;
    if (!retries.Again(status, hasher.bytes_hashed(), hasher.bytes_hashed() != 0)) return status;
  }
  if (hasher.bytes_hashed() != info.size_bytes || !(hasher.Current() == digest)) {
    return absl::DataLossError(StrCat("the bytes that came have the digest ",
                                      hasher.Current().ToString(), ", not ", digest.ToString(),
                                      "; the copy in the store may be damaged"));
  }
  return info;
}

}  // namespace varve
