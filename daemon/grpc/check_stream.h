// The streaming call System.Check: the check runs on one of the door's workers.
#ifndef VARVE_DAEMON_GRPC_CHECK_STREAM_H_
#define VARVE_DAEMON_GRPC_CHECK_STREAM_H_

#include "daemon/grpc/call.h"
#include "varve/v1/system.pb.h"

namespace varve {

grpc::ServerWriteReactor<v1::CheckResponse>* NewCheckStream(GrpcDoor& door,
                                                            const v1::CheckRequest& request,
                                                            grpc::CallbackServerContext* context);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CHECK_STREAM_H_
