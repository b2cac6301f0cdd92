#include "daemon/grpc/unary.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <utility>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

using google::protobuf::MessageLite;
using google::protobuf::MethodDescriptor;

constexpr std::string_view kPackage = "varve.v1.";

const MethodDescriptor& Find(std::string_view service, std::string_view method) {
  return *google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      StrCat(service, ".", method));
}

// "Blobs.Stat". Descriptors live as long as the program.
std::string_view LogName(const MethodDescriptor& method) {
  return std::string_view(method.full_name()).substr(kPackage.size());
}

}  // namespace

UnaryCall::UnaryCall(GrpcDoor& door, const CallKind& kind, grpc::CallbackServerContext& context,
                     grpc::ByteBuffer& request, grpc::ByteBuffer& response)
    : door_(&door),
      context_(&context),
      reactor_(context.DefaultReactor()),
      request_(&request),
      response_(&response),
      request_bytes_(request.Length()),
      record_(BeginCall(kind, context)) {}

absl::Status UnaryCall::Take(google::protobuf::Message* request) {
  if (cancelled()) return absl::CancelledError("cancelled");
  if (!request_->Valid()) {
    return absl::InvalidArgumentError("the call came without its message");
  }
  if (grpc::SerializationTraits<MessageLite>::Deserialize(request_, request).ok()) {
    return absl::OkStatus();
  }
  request->Clear();
  return absl::InvalidArgumentError(
      StrCat("the message is malformed: it is no ", request->GetTypeName(),
             "; build the client from the .proto files of this daemon"));
}

void UnaryCall::Finish(const absl::Status& status, std::string_view repository) {
  reactor_->Finish(EndCall(record_, status, repository, request_bytes_));
}

void UnaryCall::Finish(const absl::Status& status, std::string_view repository,
                       const google::protobuf::Message& response) {
  bool own = false;
  if (!status.ok() ||
      grpc::SerializationTraits<MessageLite>::Serialize(response, response_, &own).ok()) {
    return Finish(status, repository);
  }
  Finish(absl::InternalError("the answer is too large for a message"), repository);
}

UnaryHandler NewUnaryHandler(GrpcDoor& door, std::string_view service, const UnaryMethod& method) {
  const auto start = [&door, answer = method.answer](UnaryCall call) {
    if (door.workers.TrySubmit([call, answer]() mutable { answer(call); })) return;
    call.Finish(Busy("too many calls wait; try again"));
  };
  return NewUnaryHandler(door, service, method.name, method.about, method.changes, start);
}

UnaryHandler NewUnaryHandler(GrpcDoor& door, std::string_view service, std::string_view method,
                             About about, bool changes, std::function<void(UnaryCall)> start) {
  const MethodDescriptor& found = Find(service, method);
  const CallKind kind{LogName(found), about, changes};
  const auto begin = [&door, kind, start = std::move(start)](grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
    // The library shows the request as const, but makes it for this call alone: its bytes can go
    // when they are parsed.
    UnaryCall call(door, kind, *context, const_cast<grpc::ByteBuffer&>(*request), *response);
    grpc::ServerUnaryReactor* const reactor = call.reactor();
    start(std::move(call));
    return reactor;
  };
  return {found.index(),
          new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(begin)};
}

}  // namespace varve
