#include "daemon/status_mapping.h"

#include "absl/strings/numbers.h"
#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr std::string_view kUnavailableCode = "UNAVAILABLE";
constexpr std::string_view kUnknownCode = "UNKNOWN";
// Docker's daemon does not repeat a push that was answered DENIED under a status of 4xx, and its
// client shows the sentence. That is what a full disk or a refused delete needs. Measured with a
// layer of 32 MiB of which 8 MiB were taken: after 507, 503, 500 or 413 it began five times, 42 MB
// in 52 seconds, with no word of the disk; after this two times. skopeo and podman, which begin
// once, show the sentence of a 4xx only. Of 5xx nobody reads the body.
constexpr std::string_view kDeniedCode = "DENIED";

std::string_view UnknownThing(About about) {
  switch (about) {
    case About::kBlob:
      return "BLOB_UNKNOWN";
    case About::kUpload:
      return "BLOB_UPLOAD_UNKNOWN";
    case About::kManifest:
    case About::kTag:
      return "MANIFEST_UNKNOWN";
    case About::kName:
      return "NAME_UNKNOWN";
  }
  return kUnknownCode;
}

std::string_view InvalidThing(About about) {
  switch (about) {
    case About::kBlob:
    case About::kUpload:
      return "DIGEST_INVALID";
    case About::kManifest:
    case About::kTag:  // the specification has no code for a tag
      return "MANIFEST_INVALID";
    case About::kName:
      return "NAME_INVALID";
  }
  return kUnknownCode;
}

DoorError Precondition(About about, int grpc_code) {
  switch (about) {
    // The only one of a manifest: it names content that is not there.
    case About::kManifest:
      return {400, "MANIFEST_BLOB_UNKNOWN", grpc_code};
    case About::kUpload:
      return {400, "BLOB_UPLOAD_INVALID", grpc_code};
    case About::kBlob:
    case About::kTag:
    case About::kName:
      break;
  }
  return {409, kDeniedCode, grpc_code};
}

DoorError Exhausted(const absl::Status& status, About about, int grpc_code) {
  // Too much goes on at once: it passes.
  if (const auto seconds = status.GetPayload(kRetryAfterPayload)) {
    int retry_after = 0;
    if (!absl::SimpleAtoi(std::string(*seconds), &retry_after)) retry_after = 5;
    return {429, kUnavailableCode, grpc_code, false, retry_after};
  }
  if (about == About::kUpload || about == About::kManifest) {
    return {403, kDeniedCode, grpc_code};
  }
  // A read that ran out of something, such as file descriptors: it passes.
  return {503, kUnavailableCode, grpc_code, true, 5};
}

// The file system said that a file is gone, or in the way: one of the store's own, for what a
// client named is looked up in the index.
bool IsAboutOwnFile(const absl::Status& status) {
  return IsPrivate(status) && (absl::IsNotFound(status) || absl::IsAlreadyExists(status));
}

DoorError MapCode(const absl::Status& status, About about) {
  if (IsAboutOwnFile(status)) {
    return {500, kUnknownCode, static_cast<int>(absl::StatusCode::kInternal), true, 0};
  }
  // absl::StatusCode and grpc::StatusCode have the same numbers.
  const int grpc_code = static_cast<int>(status.code());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return {400, InvalidThing(about), grpc_code};
    case absl::StatusCode::kNotFound:
      return {404, UnknownThing(about), grpc_code};
    case absl::StatusCode::kAlreadyExists:
      return {409, kDeniedCode, grpc_code};
    case absl::StatusCode::kFailedPrecondition:
      return Precondition(about, grpc_code);
    case absl::StatusCode::kOutOfRange:
      return {416, "BLOB_UPLOAD_INVALID", grpc_code};
    case absl::StatusCode::kResourceExhausted:
      return Exhausted(status, about, grpc_code);
    // Somebody else works on the same upload. 503 and not 409: clients repeat 5xx on their own.
    case absl::StatusCode::kAborted:
      return {503, kUnavailableCode, grpc_code, false, 1};
    case absl::StatusCode::kUnavailable:
      return {503, kUnavailableCode, grpc_code, true, 5};
    case absl::StatusCode::kDeadlineExceeded:
      return {408, "BLOB_UPLOAD_INVALID", grpc_code};
    case absl::StatusCode::kUnimplemented:
      return {405, "UNSUPPORTED", grpc_code};
    case absl::StatusCode::kPermissionDenied:
      return {403, kDeniedCode, grpc_code};
    case absl::StatusCode::kUnauthenticated:
      return {401, "UNAUTHORIZED", grpc_code};
    case absl::StatusCode::kCancelled:
      return {400, "BLOB_UPLOAD_INVALID", grpc_code};
    default:
      break;  // DataLoss, Internal, Unknown
  }
  return {500, kUnknownCode, grpc_code, true, 0};
}

}  // namespace

DoorError MapStatus(const absl::Status& status, About about) {
  DoorError error = MapCode(status, about);
  error.detail_is_private = error.detail_is_private || IsPrivate(status);
  if (const auto missing = status.GetPayload(kMissingDigestPayload)) {
    error.missing_digest = std::string(*missing);
  }
  return error;
}

bool IsStoreFault(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    case absl::StatusCode::kUnavailable:
      return IsPrivate(status);  // else it is busy, or closing
    default:
      return IsAboutOwnFile(status);
  }
}

std::string ClientMessage(const absl::Status& status, const DoorError& error,
                          std::string_view request_id) {
  if (!error.detail_is_private) return std::string(ToStd(status.message()));
  std::string_view what = "the store failed";
  if (error.http_status == 507) {
    what = "the disk is full; prune images or add space";
  } else if (status.code() == absl::StatusCode::kDataLoss) {
    what = "the stored content is damaged; varve fsck tells what helps";
  } else if (error.retry_after_seconds > 0) {
    what = "the store cannot answer now; try again later";
  }
  return StrCat(what, ". The daemon's log has the reason under request ", request_id);
}

}  // namespace varve
