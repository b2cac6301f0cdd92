// The streaming calls Images.Prune and Images.AttachPrune: the prune runs on one of the door's
// workers and waits when the client is a few hundred messages behind. A stream lives until its call
// is over.
#ifndef VARVE_DAEMON_GRPC_PRUNE_STREAM_H_
#define VARVE_DAEMON_GRPC_PRUNE_STREAM_H_

#include "daemon/grpc/call.h"
#include "daemon/grpc/call_handler.h"

namespace varve {

CallHandler NewPruneHandler(GrpcDoor& door);
CallHandler NewAttachPruneHandler(GrpcDoor& door);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_PRUNE_STREAM_H_
