// The two streaming calls of varve.v1.Blobs. A stream deletes itself when its call is over. While
// it waits for its client it holds no thread; its store work runs on the door's workers, one step
// at a time.
#ifndef VARVE_DAEMON_GRPC_BLOB_STREAMS_H_
#define VARVE_DAEMON_GRPC_BLOB_STREAMS_H_

#include "daemon/grpc/call.h"
#include "varve/v1/blobs.pb.h"

namespace varve {

grpc::ServerReadReactor<v1::WriteRequest>* NewWriteStream(GrpcDoor& door,
                                                          grpc::CallbackServerContext* context,
                                                          v1::WriteResponse* response);

grpc::ServerWriteReactor<v1::ReadResponse>* NewReadStream(GrpcDoor& door,
                                                          grpc::CallbackServerContext* context,
                                                          const v1::ReadRequest* request);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_BLOB_STREAMS_H_
