// Unary calls by table. A service names each of its unary methods in one line: what answers it and
// what the log says of it. One place parses the request, runs the method on a worker, sends the
// answer and ends the record.
#ifndef VARVE_DAEMON_GRPC_UNARY_H_
#define VARVE_DAEMON_GRPC_UNARY_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "daemon/grpc/call.h"
#include "daemon/grpc/call_handler.h"
#include "storage/api/store.h"

namespace varve {

// A unary call that waits for its answer. Finish is called once, on any thread; before it, the call
// is used by one thread at a time. A copy is the same call.
class UnaryCall {
 public:
  UnaryCall(GrpcDoor& door, const CallKind& kind, grpc::CallbackServerContext& context,
            grpc::ByteBuffer& request, grpc::ByteBuffer& response);

  GrpcDoor& door() const { return *door_; }
  bool cancelled() const { return context_->IsCancelled(); }
  // The id of the lease that the call works for; empty: none.
  std::string_view lease() const { return LeaseOf(*context_); }

  // Parses the request, whose bytes are given back. Once.
  absl::Status Take(google::protobuf::Message* request);
  void Finish(const absl::Status& status, std::string_view repository = {});
  // The answer is `response` when `status` is OK.
  void Finish(const absl::Status& status, std::string_view repository,
              const google::protobuf::Message& response);

  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

 private:
  GrpcDoor* door_;
  grpc::CallbackServerContext* context_;
  grpc::ServerUnaryReactor* reactor_;
  grpc::ByteBuffer* request_;
  grpc::ByteBuffer* response_;
  size_t request_bytes_;
  CallRecord record_;
};

// What the log names as the repository of a request; empty for those that are about no repository.
template <typename Request>
std::string_view RepositoryOf(const Request& request) {
  if constexpr (requires { request.repository(); }) {
    return request.repository();
  } else if constexpr (requires { request.into(); }) {
    return request.into();
  } else {
    return {};
  }
}

// The role of the store that a method asks for, or all of them.
template <typename Role>
Role& RoleOf(const Store& store) {
  if constexpr (std::is_same_v<Role, Blobs>) {
    return store.blobs;
  } else if constexpr (std::is_same_v<Role, Manifests>) {
    return store.manifests;
  } else if constexpr (std::is_same_v<Role, Images>) {
    return store.images;
  } else if constexpr (std::is_same_v<Role, Claims>) {
    return store.claims;
  } else if constexpr (std::is_same_v<Role, System>) {
    return store.system;
  } else {
    return store;
  }
}

// What a method does, on a worker. The second form is for one that asks for its call: a lease, a
// client that went away.
template <typename Role, typename Request, typename Response>
void Answer(UnaryCall& call, absl::Status (*work)(Role&, const Request&, Response*)) {
  Request request;
  Response response;
  absl::Status status = call.Take(&request);
  if (status.ok()) status = work(RoleOf<Role>(call.door().store), request, &response);
  call.Finish(status, RepositoryOf(request), response);
}
template <typename Role, typename Request, typename Response>
void Answer(UnaryCall& call,
            absl::Status (*work)(Role&, const Request&, Response*, const UnaryCall&)) {
  Request request;
  Response response;
  absl::Status status = call.Take(&request);
  if (status.ok()) status = work(RoleOf<Role>(call.door().store), request, &response, call);
  call.Finish(status, RepositoryOf(request), response);
}

// One line of a service's table.
struct UnaryMethod {
  std::string_view name;  // as in the .proto
  About about;            // what its errors are about
  bool changes;           // the store
  void (*answer)(UnaryCall& call);
};

template <auto work>
constexpr UnaryMethod Reads(std::string_view name, About about) {
  return {name, about, /*changes=*/false, [](UnaryCall& call) { Answer(call, work); }};
}
template <auto work>
constexpr UnaryMethod Changes(std::string_view name, About about) {
  return {name, about, /*changes=*/true, [](UnaryCall& call) { Answer(call, work); }};
}

// `service` is such as "varve.v1.Blobs", and has the method. Its calls are answered on a worker.
CallHandler NewUnaryHandler(GrpcDoor& door, std::string_view service, const UnaryMethod& method);
// `start` gets each call as it arrives; it must not block.
CallHandler NewUnaryHandler(GrpcDoor& door, const CallKind& kind,
                            std::function<void(UnaryCall)> start);

// The service `Api`: its unary methods by table, and the handlers of the others.
template <typename Api>
class TableService : public Api::Service {
 public:
  TableService(GrpcDoor& door, absl::Span<const UnaryMethod> methods,
               const std::vector<CallHandler>& others = {}) {
    for (const UnaryMethod& method : methods) {
      Register(NewUnaryHandler(door, Api::service_full_name(), method));
    }
    for (const CallHandler& other : others) Register(other);
  }

 private:
  void Register(const CallHandler& handler) {
    this->MarkMethodRawCallback(handler.index, handler.handler);
  }
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_UNARY_H_
