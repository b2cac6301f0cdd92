#include "client/error_details.h"

#include <algorithm>
#include <string>

#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/base/str_cat.h"
#include "storage/image/digest.h"
#include "varve/v1/error_details.pb.h"

namespace varve {
namespace {

constexpr char kRequestIdKey[] = "x-request-id";  // as blobs.proto says
constexpr std::string_view kTypeUrlPrefix = "type.googleapis.com/google.rpc.";
constexpr int64_t kMaxRetryAfterSeconds = 3600;

void TakeDetail(const google::protobuf::Any& detail, absl::Status* status) {
  const std::string_view url = detail.type_url();
  if (url.substr(0, kTypeUrlPrefix.size()) != kTypeUrlPrefix) return;
  const std::string_view type = url.substr(kTypeUrlPrefix.size());
  v1::ErrorInfo info;
  if (type == "ErrorInfo" && info.ParseFromString(detail.value())) {
    const auto named = info.metadata().find("digest");
    if (named == info.metadata().end()) return;
    const absl::StatusOr<Digest> digest = Digest::Parse(named->second);
    if (digest.ok()) status->SetPayload(kMissingDigestPayload, absl::Cord(digest->ToString()));
  }
  v1::RetryInfo retry;
  if (type == "RetryInfo" && retry.ParseFromString(detail.value())) {
    const int64_t seconds = retry.retry_delay().seconds();
    status->SetPayload(kRetryAfterPayload,
                       absl::Cord(StrCat(std::clamp<int64_t>(seconds, 1, kMaxRetryAfterSeconds))));
  }
}

std::string_view SentenceFor(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      return "the connection to the daemon broke; try again";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "no answer came in time";
    case grpc::StatusCode::CANCELLED:
      return "the call was cancelled";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "the daemon does not know this call: it is of another version than this program";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "a message is larger than the 16 MiB that one may have";
    default:
      return "the answer cannot be understood: it comes from no varved, or from one of another "
             "version than this program";
  }
}

}  // namespace

bool EndedByDaemon(const grpc::ClientContext& context) {
  const auto& sent = context.GetServerTrailingMetadata();
  return sent.find(kRequestIdKey) != sent.end();
}

absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  // The codes have the same numbers.
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  if (!EndedByDaemon(context)) return {code, ToAbsl(SentenceFor(status.error_code()))};
  absl::Status told(code, status.error_message());
  v1::ErrorStatus details;
  if (details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : details.details()) TakeDetail(detail, &told);
  }
  return told;
}

}  // namespace varve
