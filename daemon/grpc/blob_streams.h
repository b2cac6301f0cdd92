// The two streaming calls of varve.v1.Blobs. A stream deletes itself when its call is over. While
// it waits for its client it holds no thread; its store work runs on the door's workers, one step
// at a time.
#ifndef VARVE_DAEMON_GRPC_BLOB_STREAMS_H_
#define VARVE_DAEMON_GRPC_BLOB_STREAMS_H_

#include "daemon/grpc/call.h"
#include "varve/v1/blobs.grpc.pb.h"

namespace varve {

// The service with its two streams over encoded messages, so that payload is not copied.
using RawBlobsService = v1::Blobs::WithRawCallbackMethod_Write<
    v1::Blobs::WithRawCallbackMethod_Read<v1::Blobs::Service>>;

// `response` is an encoded WriteResponse.
grpc::ServerReadReactor<grpc::ByteBuffer>* NewWriteStream(GrpcDoor& door,
                                                          grpc::CallbackServerContext* context,
                                                          grpc::ByteBuffer* response);

// `request` is an encoded ReadRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* NewReadStream(GrpcDoor& door,
                                                          grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_BLOB_STREAMS_H_
