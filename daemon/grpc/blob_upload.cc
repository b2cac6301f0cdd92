#include "daemon/grpc/blob_upload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "daemon/leased_call.h"
#include "proto/convert/blobs.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kMaxDataBytes = 8 * kMiB;  // as blobs.proto says

}  // namespace

absl::Status ValidateUploadId(std::string_view id) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (!id.empty() && id.size() <= kMaxUploadIdBytes && std::all_of(id.begin(), id.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      StrCat("upload_id must be 1 to ", kMaxUploadIdBytes, " letters, digits, '-', '_' or '.'"));
}

absl::StatusOr<bool> BlobUpload::Take(const v1::WriteRequest& request) {
  switch (request.part_case()) {
    case v1::WriteRequest::kHeader:
      return TakeHeader(request.header());
    case v1::WriteRequest::kData:
      RETURN_IF_ERROR(TakeData({std::string_view(request.data())}));
      return false;
    case v1::WriteRequest::kCommit:
      RETURN_IF_ERROR(TakeCommit(request.commit()));
      return true;
    case v1::WriteRequest::PART_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a message must have one of header, data and commit");
}

absl::StatusOr<bool> BlobUpload::TakeHeader(const v1::WriteRequest::Header& header) {
  if (opened_) return absl::InvalidArgumentError("the header must be the first message only");
  opened_ = true;
  header_ = header;
  if (!header.upload_id().empty()) RETURN_IF_ERROR(ValidateUploadId(header.upload_id()));
  ASSIGN_OR_RETURN(expected_, OptionalDigest("expected_digest", header.expected_digest()));
  if (header.has_size_bytes() && header.offset() > header.size_bytes()) {
    return absl::OutOfRangeError("offset lies past size_bytes");
  }
  RETURN_IF_ERROR(
      AttachTo(claims_, lease_,
               expected_ ? absl::MakeConstSpan(&*expected_, 1) : absl::Span<const Digest>()));
  if (expected_) {
    const absl::StatusOr<BlobInfo> present = blobs_.StatBlob(header.repository(), *expected_);
    if (present.ok()) {
      ToMessage(*present, response_.mutable_blob());
      response_.set_offset(present->size_bytes);
      response_.set_already_existed(true);
      return true;
    }
    if (!absl::IsNotFound(present.status())) return present.status();
  }
  RETURN_IF_ERROR(BeginOrResume());
  return false;
}

absl::Status BlobUpload::BeginOrResume() {
  absl::StatusOr<std::unique_ptr<OpenUpload>> upload = absl::NotFoundError("");
  if (!header_.upload_id().empty()) {
    upload = blobs_.ResumeUpload(header_.repository(), header_.upload_id());
  }
  const bool is_new = absl::IsNotFound(upload.status());
  if (is_new) {
    if (header_.offset() != 0) {
      return absl::NotFoundError(
          "there is no such upload (it may be committed, aborted or "
          "expired); start at offset 0");
    }
    UploadOptions options;
    options.id = header_.upload_id();
    if (expected_) options.algorithm = expected_->algorithm();
    if (header_.has_size_bytes()) options.size_bytes = header_.size_bytes();
    upload = blobs_.BeginUpload(header_.repository(), std::move(options));
  }
  if (!upload.ok()) return upload.status();
  upload_ = *std::move(upload);
  offset_bytes_ = upload_->status().offset_bytes;
  if (header_.offset() != offset_bytes_) {
    return absl::OutOfRangeError(StrCat("the upload stands at offset ", offset_bytes_, ", not ",
                                        header_.offset(), "; go on from there or abort it"));
  }
  if (header_.has_size_bytes() && !is_new) {
    return upload_->Expect(header_.size_bytes() - offset_bytes_);
  }
  return absl::OkStatus();
}

absl::Status BlobUpload::TakeData(absl::Span<const std::string_view> pieces) {
  size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  if (upload_ == nullptr) return absl::InvalidArgumentError("data came before the header");
  if (bytes > kMaxDataBytes) {
    return absl::InvalidArgumentError(
        StrCat("a data message has ", bytes, " bytes; at most ", kMaxDataBytes, " are allowed"));
  }
  if (header_.has_size_bytes() && bytes > header_.size_bytes() - offset_bytes_) {
    return absl::InvalidArgumentError(
        StrCat("more data than the ", header_.size_bytes(), " bytes announced in the header"));
  }
  for (const std::string_view piece : pieces) {
    RETURN_IF_ERROR(upload_->Append(offset_bytes_, piece));
    offset_bytes_ += piece.size();
    received_bytes_ += piece.size();
  }
  return absl::OkStatus();
}

absl::Status BlobUpload::TakeCommit(const v1::WriteRequest::Commit& commit) {
  if (upload_ == nullptr) return absl::InvalidArgumentError("commit came before the header");
  ASSIGN_OR_RETURN(const std::optional<Digest> named,
                   OptionalDigest("commit.expected_digest", commit.expected_digest()));
  if (named && expected_ && !(*named == *expected_)) {
    return absl::InvalidArgumentError("commit names another digest than the header");
  }
  if (!named && !expected_) {
    return absl::InvalidArgumentError("neither header nor commit names the expected digest");
  }
  std::optional<uint64_t> size_bytes;
  if (header_.has_size_bytes()) size_bytes = header_.size_bytes();
  if (commit.has_size_bytes()) {
    if (size_bytes && *size_bytes != commit.size_bytes()) {
      return absl::InvalidArgumentError("commit names another size than the header");
    }
    size_bytes = commit.size_bytes();
  }
  const Digest& digest = named ? *named : *expected_;
  // The lease may have ended while the bytes came: then the upload stays, for another one.
  RETURN_IF_ERROR(AttachTo(claims_, lease_, {digest}));
  const absl::StatusOr<BlobInfo> blob = upload_->Commit(digest, size_bytes);
  // Also on failure the store has decided what becomes of the upload; nothing is left to let go.
  upload_.reset();
  RETURN_IF_ERROR(blob.status());
  ToMessage(*blob, response_.mutable_blob());
  response_.set_offset(blob->size_bytes);
  return absl::OkStatus();
}

absl::Status BlobUpload::End(bool half_closed) {
  if (!opened_) return absl::InvalidArgumentError("the stream ended before its header");
  if (upload_ == nullptr) return absl::OkStatus();
  const std::unique_ptr<OpenUpload> upload = std::move(upload_);
  if (header_.upload_id().empty()) {
    RETURN_IF_ERROR(upload->Abort());
    return absl::InvalidArgumentError(
        "the stream ended without a commit, and its upload has no upload_id to be resumed by: it "
        "was dropped");
  }
  if (!half_closed) return absl::OkStatus();
  RETURN_IF_ERROR(upload->Checkpoint());
  response_.set_offset(offset_bytes_);
  return absl::OkStatus();
}

}  // namespace varve
