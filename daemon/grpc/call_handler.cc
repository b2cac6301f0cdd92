#include "daemon/grpc/call_handler.h"

#include <google/protobuf/descriptor.h>

#include "storage/base/str_cat.h"

namespace varve {

int MethodIndex(std::string_view name) {
  return google::protobuf::DescriptorPool::generated_pool()
      ->FindMethodByName(StrCat("varve.v1.", name))
      ->index();
}

absl::Status ParseMessage(grpc::ByteBuffer& encoded, google::protobuf::Message* message) {
  using google::protobuf::MessageLite;
  if (!encoded.Valid()) return absl::InvalidArgumentError("the call came without its message");
  if (grpc::SerializationTraits<MessageLite>::Deserialize(&encoded, message).ok()) {
    return absl::OkStatus();
  }
  message->Clear();
  return absl::InvalidArgumentError(
      StrCat("the message is malformed: it is no ", message->GetTypeName(),
             "; build the client from the .proto files of this daemon"));
}

}  // namespace varve
