// The one table that turns the engine's status codes into what clients of each door see: HTTP
// status and OCI error code, the gRPC code, and what a program can do about it, which is the
// detail and the header Retry-After of the one, the error details of the other. Pure; thread-safe.
#ifndef VARVE_DAEMON_STATUS_MAPPING_H_
#define VARVE_DAEMON_STATUS_MAPPING_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace varve {

// What the failed call was about; the OCI error code depends on it.
enum class About { kBlob, kUpload, kManifest, kName, kTag };

struct DoorError {
  int http_status = 500;
  std::string_view oci_code;        // e.g. "BLOB_UNKNOWN"; static storage
  int grpc_code = 2;                // grpc::StatusCode as a number
  bool detail_is_private = false;   // the message may name files or devices: log it, do not send it
  int retry_after_seconds = 0;      // 0: repeating the same request does not help
  std::string missing_digest = {};  // of the content to be pushed first; empty: none
};

// `status` must not be OK.
DoorError MapStatus(const absl::Status& status, About about);

// The store or its disk failed, which is no fault of the client: what somebody has to look after,
// and the log says as an error.
bool IsStoreFault(const absl::Status& status);

// The sentence for the client: the status message, or, where it is private, a general one that
// names `request_id`, by which the log line with the detail is found.
std::string ClientMessage(const absl::Status& status, const DoorError& error,
                          std::string_view request_id);

}  // namespace varve

#endif  // VARVE_DAEMON_STATUS_MAPPING_H_
