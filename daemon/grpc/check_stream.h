// System.Check: all calls that wait for a check of one kind share it, and are told the same. No
// call holds a worker.
#ifndef VARVE_DAEMON_GRPC_CHECK_STREAM_H_
#define VARVE_DAEMON_GRPC_CHECK_STREAM_H_

#include "daemon/grpc/call.h"
#include "daemon/grpc/call_handler.h"

namespace varve {

CallHandler NewCheckHandler(GrpcDoor& door);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CHECK_STREAM_H_
