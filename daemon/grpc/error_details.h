// The standard error details of gRPC (proto/varve/v1/error_details.proto) that an error of the
// native door carries. Pure; thread-safe.
#ifndef VARVE_DAEMON_GRPC_ERROR_DETAILS_H_
#define VARVE_DAEMON_GRPC_ERROR_DETAILS_H_

#include <string>

#include "daemon/status_mapping.h"

namespace varve {

// A google.rpc.Status as bytes: what `error` says that a program can act upon. Empty when that is
// nothing but its code. `message` is the sentence that the client is told.
std::string EncodeErrorDetails(const DoorError& error, const std::string& message);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_ERROR_DETAILS_H_
