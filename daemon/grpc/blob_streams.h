// The two streaming calls of varve.v1.Blobs. A stream deletes itself when its call is over. While
// it waits for its client it holds no thread; its store work runs on the door's workers, one step
// at a time. Payload stays encoded, so that it is not copied.
#ifndef VARVE_DAEMON_GRPC_BLOB_STREAMS_H_
#define VARVE_DAEMON_GRPC_BLOB_STREAMS_H_

#include "daemon/grpc/call.h"
#include "daemon/grpc/call_handler.h"

namespace varve {

CallHandler NewReadHandler(GrpcDoor& door);
CallHandler NewWriteHandler(GrpcDoor& door);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_BLOB_STREAMS_H_
