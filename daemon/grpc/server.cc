#include "daemon/grpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <utility>

#include "daemon/grpc/call.h"
#include "daemon/grpc/call_workers.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/stream_watch.h"
#include "daemon/grpc/unix_socket.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr const char* kServiceNames[] = {"varve.v1.Blobs", "varve.v1.Images"};

constexpr int kMaxMessageBytes = static_cast<int>(16 * kMiB);
// Memory for messages in flight, over all connections: beyond it streams are made to wait.
constexpr size_t kMaxBufferedBytes = 512 * kMiB;
// Only the reflection service is synchronous, one thread a call; this bounds them.
constexpr int kMaxSynchronousThreads = 16;
constexpr int kMaxStreamsPerConnection = 4096;
constexpr int kKeepaliveMillis = 60'000;
constexpr int kKeepaliveTimeoutMillis = 20'000;
constexpr int kMinClientPingMillis = 10'000;

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("varve");
  quota.Resize(kMaxBufferedBytes);
  quota.SetMaxThreads(kMaxSynchronousThreads);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinClientPingMillis);
}

// The library shuts down with its last user, and then may wait ten seconds for a background poller
// of a connection that broke in mid-write. A daemon that stops must not: it never lets go.
void KeepLibraryInitialized() {
  static const bool initialized = (grpc_init(), true);
  static_cast<void>(initialized);
}

class Server final : public GrpcServer {
 public:
  Server(Store& store, const GrpcServerOptions& options)
      : socket_path_(options.socket_path),
        workers_(options.max_workers, options.max_queued),
        watch_(std::clamp(options.stall_timeout / 4, std::chrono::milliseconds(10),
                          std::chrono::milliseconds(5000))),
        door_{store, workers_, watch_, options.stall_timeout},
        blobs_(NewBlobsService(door_)),
        images_(NewImagesService(door_)) {}

  ~Server() override { Stop(std::chrono::milliseconds(0)); }

  absl::Status Listen() {
    RETURN_IF_ERROR(CheckSocketPath(socket_path_));
    KeepLibraryInitialized();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetLimits(builder);
    // The socket gets its permissions before it gets its name.
    builder.AddListeningPort("unix:" + UnpublishedSocketPath(socket_path_),
                             grpc::InsecureServerCredentials());
    builder.RegisterService(blobs_.get());
    builder.RegisterService(images_.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return absl::UnavailableError(
          StrCat("cannot listen on ", socket_path_,
                 "; does its directory exist, and may this user write there?"));
    }
    SetServing(true);
    ASSIGN_OR_RETURN(identity_, PublishSocket(socket_path_));
    return absl::OkStatus();
  }

  void Stop(std::chrono::milliseconds grace) override {
    if (server_ == nullptr) return;
    SetServing(false);
    RemoveSocket(socket_path_, identity_);
    server_->Shutdown(std::chrono::system_clock::now() + grace);
    server_->Wait();
    server_ = nullptr;
  }

 private:
  void SetServing(bool serving) {
    grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
    health->SetServingStatus(serving);  // of the server as a whole, and of all names known
    for (const char* name : kServiceNames) health->SetServingStatus(name, serving);
  }

  const std::string socket_path_;
  SocketIdentity identity_;
  CallWorkers workers_;
  StreamWatch watch_;
  GrpcDoor door_;
  std::unique_ptr<grpc::Service> blobs_;
  std::unique_ptr<grpc::Service> images_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(Store& store,
                                                              const GrpcServerOptions& options) {
  auto server = std::make_unique<Server>(store, options);
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace varve
