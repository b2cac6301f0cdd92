// How gRPC is told who answers a method. Requests reach the door encoded and are parsed in one
// place, so that unary calls and streams refuse what is malformed in the same words.
#ifndef VARVE_DAEMON_GRPC_CALL_HANDLER_H_
#define VARVE_DAEMON_GRPC_CALL_HANDLER_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <functional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "daemon/grpc/call.h"

namespace varve {

// Who answers a method: its place in the service, and the handler, which gRPC owns from then on.
struct CallHandler {
  int index;
  grpc::internal::MethodHandler* handler;
};

// The place in its service of a method that there is, such as "Blobs.Stat".
int MethodIndex(std::string_view name);

// Parses a message, whose bytes are given back. InvalidArgument when there is none, or another one.
absl::Status ParseMessage(grpc::ByteBuffer& encoded, google::protobuf::Message* message);

// A server stream whose request was none.
template <typename Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  RefusedStream(grpc::CallbackServerContext& context, const CallKind& kind,
                const absl::Status& status) {
    CallRecord record = BeginCall(kind, context);
    this->Finish(EndCall(record, status, {}, 0));
  }
  void OnDone() override { delete this; }
};

// `start` gets each call with its request as it arrives; it must not block.
template <typename Request, typename Response>
CallHandler NewServerStreamHandler(
    const CallKind& kind,
    std::function<grpc::ServerWriteReactor<Response>*(grpc::CallbackServerContext& context,
                                                      const Request& request)>
        start) {
  const auto begin = [kind, start = std::move(start)](
                         grpc::CallbackServerContext* context,
                         const grpc::ByteBuffer* encoded) -> grpc::ServerWriteReactor<Response>* {
    Request request;
    // The library shows the request as const, but makes it for this call alone.
    const absl::Status parsed = ParseMessage(const_cast<grpc::ByteBuffer&>(*encoded), &request);
    if (!parsed.ok()) return new RefusedStream<Response>(*context, kind, parsed);
    return start(*context, request);
  };
  return {MethodIndex(kind.name),
          new grpc::internal::CallbackServerStreamingHandler<grpc::ByteBuffer, Response>(begin)};
}

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CALL_HANDLER_H_
