#include "daemon/grpc/unary.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <utility>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr std::string_view kPackage = "varve.v1.";

// "Blobs.Stat". Descriptors live as long as the program.
std::string_view LogName(std::string_view service, std::string_view method) {
  const auto* const found = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      StrCat(service, ".", method));
  return std::string_view(found->full_name()).substr(kPackage.size());
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
  return ParseMessage(*request_, request);
}

void UnaryCall::Finish(const absl::Status& status, std::string_view repository) {
  reactor_->Finish(EndCall(record_, status, repository, request_bytes_));
}

void UnaryCall::Finish(const absl::Status& status, std::string_view repository,
                       const google::protobuf::Message& response) {
  bool own = false;
  if (!status.ok() ||
      grpc::SerializationTraits<google::protobuf::MessageLite>::Serialize(response, response_, &own)
          .ok()) {
    return Finish(status, repository);
  }
  Finish(absl::InternalError("the answer is too large for a message"), repository);
}

CallHandler NewUnaryHandler(GrpcDoor& door, std::string_view service, const UnaryMethod& method) {
  const auto start = [&door, answer = method.answer](UnaryCall call) {
    if (door.workers.TrySubmit([call, answer]() mutable { answer(call); })) return;
    call.Finish(Busy("too many calls wait; try again"));
  };
  return NewUnaryHandler(door, {LogName(service, method.name), method.about, method.changes},
                         start);
}

CallHandler NewUnaryHandler(GrpcDoor& door, const CallKind& kind,
                            std::function<void(UnaryCall)> start) {
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
  return {MethodIndex(kind.name),
          new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(begin)};
}

}  // namespace varve
