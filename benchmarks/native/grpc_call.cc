#include "benchmarks/native/grpc_call.h"

#include <utility>

#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

// What an operation is known by when it has ended.
void* Tag(intptr_t number) { return reinterpret_cast<void*>(number); }
void* const kStarted = Tag(1);
void* const kSent = Tag(2);
void* const kReceived = Tag(3);
void* const kEndedSending = Tag(4);
void* const kFinished = Tag(5);

grpc::ChannelArguments OwnConnection() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

GrpcConnection::GrpcConnection(const std::string& path)
    : channel_(grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(),
                                         OwnConnection())),
      stub_(channel_) {}

GrpcCall::GrpcCall(GrpcConnection& connection, const std::string& method, const Metadata& metadata,
                   OnMessage on_message)
    : on_message_(std::move(on_message)) {
  if (!metadata.key.empty()) context_.AddMetadata(metadata.key, metadata.value);
  stream_ = connection.stub_.PrepareCall(&context_, method, &queue_);
  stream_->StartCall(kStarted);
  if (!WaitFor(kStarted)) return;
  reading_ = true;
  stream_->Read(&incoming_, kReceived);
}

GrpcCall::~GrpcCall() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void GrpcCall::TakeMessage(bool ok) {
  if (!ok) {
    reading_ = false;
    return;
  }
  if (taken_.ok()) {
    taken_ = on_message_(incoming_);
    if (!taken_.ok()) context_.TryCancel();
  }
  incoming_.Clear();
  stream_->Read(&incoming_, kReceived);
}

bool GrpcCall::WaitFor(void* tag) {
  void* ended = nullptr;
  bool ok = false;
  while (queue_.Next(&ended, &ok)) {
    if (ended == kReceived) TakeMessage(ok);
    if (ended == tag) return ok;
  }
  return false;
}

bool GrpcCall::Send(std::string_view head, std::string_view data) {
  const grpc::Slice slices[] = {grpc::Slice(head.data(), head.size()),
                                grpc::Slice(data.data(), data.size(), grpc::Slice::STATIC_SLICE)};
  stream_->Write(grpc::ByteBuffer(slices, data.empty() ? 1 : 2), kSent);
  return WaitFor(kSent);
}

absl::Status GrpcCall::Finish() {
  stream_->WritesDone(kEndedSending);
  WaitFor(kEndedSending);
  while (reading_) WaitFor(kReceived);
  grpc::Status status;
  stream_->Finish(&status, kFinished);
  WaitFor(kFinished);
  if (!taken_.ok()) return taken_;
  if (status.ok()) return absl::OkStatus();
  return absl::UnavailableError(
      StrCat("code ", static_cast<int>(status.error_code()), ": ", status.error_message()));
}

}  // namespace varve::load
