#include "tests/contract/doors/http_exchanges.h"

#include <string>
#include <utility>

#include "storage/base/str_cat.h"
#include "tests/contract/doors/json_text.h"

namespace varve {
namespace {

// AlreadyExists is not among them: of the calls that the OCI API has, none answers it.
constexpr absl::StatusCode kCodes[] = {
    absl::StatusCode::kInvalidArgument,    absl::StatusCode::kNotFound,
    absl::StatusCode::kFailedPrecondition, absl::StatusCode::kOutOfRange,
    absl::StatusCode::kResourceExhausted,  absl::StatusCode::kAborted,
    absl::StatusCode::kUnavailable,        absl::StatusCode::kDeadlineExceeded,
    absl::StatusCode::kUnimplemented,      absl::StatusCode::kPermissionDenied,
    absl::StatusCode::kDataLoss,
};

// `oci_code` is empty for an answer without a body.
bool Matches(const DoorError& error, const HttpResponse& response, std::string_view oci_code) {
  if (error.http_status != response.status) return false;
  if (!oci_code.empty() && error.oci_code != oci_code) return false;
  const std::string wait = response.Header("retry-after");
  return error.retry_after_seconds == 0 ? wait.empty() : wait == StrCat(error.retry_after_seconds);
}

}  // namespace

std::unique_ptr<HttpClient> HttpExchanges::TakeIdle() {
  MutexLock lock(mutex_);
  if (idle_.empty()) return nullptr;
  std::unique_ptr<HttpClient> client = std::move(idle_.back());
  idle_.pop_back();
  return client;
}

HttpResponse HttpExchanges::Do(std::string_view method, std::string_view target,
                               std::string_view body, const HttpHeaders& headers) {
  std::unique_ptr<HttpClient> client = TakeIdle();
  if (client == nullptr) client = std::make_unique<HttpClient>(port_);
  HttpResponse response = client->Do(method, target, body, headers);
  if (response.status != 0 && response.Header("connection") != "close") {
    MutexLock lock(mutex_);
    idle_.push_back(std::move(client));
  }
  return response;
}

absl::Status StatusOf(const HttpResponse& response, About about) {
  if (response.status == 0) return absl::UnavailableError("the connection broke");
  if (response.status < 300) return absl::OkStatus();
  const std::vector<std::string_view> errors = JsonElements(JsonMember(response.body, "errors"));
  std::string oci_code;
  std::string message = StrCat("HTTP ", response.status);
  if (!errors.empty()) {
    oci_code = JsonString(JsonMember(errors[0], "code"));
    message += StrCat(" ", oci_code, ": ", JsonString(JsonMember(errors[0], "message")));
  }
  // A wrong name or digest is told as such, whatever else the request is about.
  for (const About one : {about, About::kName, About::kTag, About::kBlob}) {
    for (const absl::StatusCode code : kCodes) {
      const absl::Status status(code, message);
      if (Matches(MapStatus(status, one), response, oci_code)) return status;
    }
  }
  // What the door refuses on its own: too large, too many, not to be understood.
  if (response.status < 500) return absl::InvalidArgumentError(message);
  return absl::InternalError(message);
}

}  // namespace varve
