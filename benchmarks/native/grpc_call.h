// One gRPC connection of the load generator, and calls on it with messages as raw bytes. Both
// belong to one thread, which also drives the connection's I/O.
#ifndef VARVE_BENCHMARKS_NATIVE_GRPC_CALL_H_
#define VARVE_BENCHMARKS_NATIVE_GRPC_CALL_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace varve::load {

class GrpcConnection {
 public:
  // A connection of its own to the unix socket at `path`, whatever others there are.
  explicit GrpcConnection(const std::string& path);

 private:
  friend class GrpcCall;
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
};

class GrpcCall {
 public:
  // Called for each message that comes; an error of it is what Finish answers.
  using OnMessage = std::function<absl::Status(const grpc::ByteBuffer&)>;
  struct Metadata {
    std::string key;
    std::string value;
  };

  // Begins a call of any kind. `metadata` with an empty key is none.
  GrpcCall(GrpcConnection& connection, const std::string& method, const Metadata& metadata,
           OnMessage on_message);
  ~GrpcCall();
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  // Sends one message: `head`, then `data`, which is not copied and must outlive the call. False
  // when the call is over; Finish says why.
  bool Send(std::string_view head, std::string_view data = {});
  // Ends this side, takes all messages that still come, and gives the outcome.
  absl::Status Finish();

 private:
  // Waits for the end of the operation `tag`, taking messages meanwhile.
  bool WaitFor(void* tag);
  void TakeMessage(bool ok);

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  const OnMessage on_message_;
  grpc::ByteBuffer incoming_;
  bool reading_ = false;
  absl::Status taken_;
};

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_NATIVE_GRPC_CALL_H_
