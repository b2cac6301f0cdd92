// The streaming call System.Events. A stream reads from the event log at the pace of its client and
// holds no thread while it waits, for an event or for the client. It deletes itself when its call
// is over.
#ifndef VARVE_DAEMON_GRPC_EVENT_STREAM_H_
#define VARVE_DAEMON_GRPC_EVENT_STREAM_H_

#include "daemon/grpc/call.h"
#include "daemon/grpc/call_handler.h"

namespace varve {

CallHandler NewEventsHandler(GrpcDoor& door);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_EVENT_STREAM_H_
