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
  } else {
    static_assert(std::is_same_v<Role, System>, "a method asks for roles of the store");
    return store.system;
  }
}

// The first of them that is a message.
template <typename... Types>
struct FirstMessage;
template <typename First, typename... Others>
struct FirstMessage<First, Others...>
    : std::conditional_t<std::is_base_of_v<google::protobuf::Message, First>,
                         std::type_identity<First>, FirstMessage<Others...>> {};

// What a method does, on a worker: it is given what its parameters ask for. These are roles of the
// store, then `const Request&` and `Response*`, then `const UnaryCall&` when it wants to know of a
// lease, or of a client that went away.
template <typename... Asked>
void Answer(UnaryCall& call, absl::Status (*work)(Asked...)) {
  using Request = typename FirstMessage<std::remove_cvref_t<Asked>...>::type;
  using Response = typename FirstMessage<std::remove_pointer_t<Asked>...>::type;
  Request request;
  Response response;
  const auto give = [&]<typename What>(std::type_identity<What>) -> What {
    if constexpr (std::is_same_v<What, const Request&>) {
      return request;
    } else if constexpr (std::is_same_v<What, Response*>) {
      return &response;
    } else if constexpr (std::is_same_v<What, const UnaryCall&>) {
      return call;
    } else {
      return RoleOf<std::remove_reference_t<What>>(call.door().store);
    }
  };
  absl::Status status = call.Take(&request);
  if (status.ok()) status = work(give(std::type_identity<Asked>())...);
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
