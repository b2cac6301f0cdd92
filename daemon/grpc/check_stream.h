// System.Check: all calls that wait for a check of one kind share it, and are told the same. No
// call holds a worker.
#ifndef VARVE_DAEMON_GRPC_CHECK_STREAM_H_
#define VARVE_DAEMON_GRPC_CHECK_STREAM_H_

#include <memory>

#include "daemon/grpc/call.h"
#include "daemon/grpc/shared_walk.h"
#include "varve/v1/system.grpc.pb.h"

namespace varve {

class CheckStream;
using SharedChecks = SharedWalk<std::shared_ptr<CheckStream>>;

enum class CheckKind {
  kReferences,  // System::Check
  kContent,     // System::CheckContent
};

// `door` must outlive the calls.
std::shared_ptr<SharedChecks> NewSharedChecks(GrpcDoor& door, CheckKind kind);

grpc::ServerWriteReactor<v1::CheckResponse>* NewCheckStream(GrpcDoor& door, SharedChecks& checks,
                                                            grpc::CallbackServerContext* context);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CHECK_STREAM_H_
