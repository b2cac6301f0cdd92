#include "daemon/grpc/server.h"

#include <arpa/inet.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "daemon/grpc/blob_messages.h"
#include "daemon/grpc/call.h"
#include "daemon/grpc/call_workers.h"
#include "daemon/grpc/event_feed.h"
#include "daemon/grpc/message_memory.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/stream_watch.h"
#include "daemon/log.h"
#include "daemon/unix_socket.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct ServiceKind {
  const char* name;  // as in the .proto, for health checks
  std::unique_ptr<grpc::Service> (*make)(GrpcDoor& door);
};

// Everything that is served beside health and reflection.
constexpr ServiceKind kServices[] = {
    {"varve.v1.Blobs", NewBlobsService},
    {"varve.v1.Holds", NewHoldsService},
    {"varve.v1.Images", NewImagesService},
    {"varve.v1.Leases", NewLeasesService},
    {"varve.v1.Repositories", NewRepositoriesService},
    {"varve.v1.System", NewSystemService},
    {"varve.v1.Uploads", NewUploadsService},
};

constexpr int kMaxMessageBytes = static_cast<int>(16 * kMiB);
// Memory for messages in flight, over all connections: beyond it streams are made to wait.
constexpr size_t kMaxBufferedBytes = 512 * kMiB;
// Messages of Blobs.Read whose memory is kept for the next ones, 1 MiB each: a read in progress has
// about three.
constexpr size_t kIdleMessages = 16;
// What the messages of all reads may take, which the library's quota does not count. In the first
// half a read has two of 1 MiB, so that 64 run at full speed; then one of 64 KiB, so that 2,000
// more go on. Past three quarters, the read whose client has taken nothing for longest gives
// way to each that begins.
constexpr size_t kMaxReadMessageBytes = 256 * kMiB;
static_assert(kMaxReadMessageBytes / 2 >= 64 * 2 * kReadDataBytes);
static_assert(kMaxReadMessageBytes / 2 >= 2000 * kShortReadDataBytes);
// Only the reflection service is synchronous, one thread a call; this bounds them.
constexpr int kMaxSynchronousThreads = 16;
constexpr int kMaxStreamsPerConnection = 4096;
constexpr int kKeepaliveMillis = 60'000;
constexpr int kKeepaliveTimeoutMillis = 20'000;
constexpr int kMinClientPingMillis = 10'000;
// A connection that does not begin to speak HTTP/2, and one that nobody has used for long. A client
// of the latter connects again by itself.
constexpr int kHandshakeMillis = 20'000;
constexpr int kIdleConnectionMillis = 30 * 60'000;

// Answers the calls of methods that there are not, which the library would leave without a
// sentence.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    class Refusal final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Refusal(std::string_view method) {
        Finish({grpc::StatusCode::UNIMPLEMENTED,
                StrCat("this daemon has no method ", absl::CEscape(ToAbsl(method.substr(0, 100))),
                       "; it speaks varve.v1, and lists its methods by reflection")});
      }
      void OnDone() override { delete this; }
    };
    return new Refusal(context->method());
  }
};

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
  // A compressed message of a few MiB may become gigabytes before any limit is looked at, and blobs
  // do not compress.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinClientPingMillis);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillis);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleConnectionMillis);
  // Otherwise two daemons share a port, and each gets half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

std::string HostAndPort(const ListenAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? StrCat("[", address.host, "]:", address.port)
            : StrCat(address.host, ":", address.port);
}

// Why the library, which does not tell, could not listen: the same bind gives the same error.
std::string BindError(const ListenAddress& address) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(address.port);
  const bool is_v4 = inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) != 1) return "no address";
  const int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const int bound = is_v4 ? bind(fd, reinterpret_cast<const sockaddr*>(&v4), sizeof(v4))
                          : bind(fd, reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  const int error = bound == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? "the port was in use a moment ago" : std::strerror(error);
}

// What the libraries say about broken connections and malformed messages is for whoever looks for
// it: any client can make them say it.
void LogOfLibrary(gpr_log_func_args* said) {
  Log(LogLevel::kDebug, "grpc library", {{"message", said->message}});
}

// The library shuts down with its last user, and then may wait ten seconds for a background poller
// of a connection that broke in mid-write. A daemon that stops must not: it never lets go.
void PrepareLibraries() {
  static const bool prepared = [] {
    gpr_set_log_function(LogOfLibrary);
    google::protobuf::SetLogHandler(nullptr);
    grpc_init();
    return true;
  }();
  static_cast<void>(prepared);
}

class Server final : public GrpcServer {
 public:
  Server(const Store& store, const GrpcServerOptions& options)
      : options_(options),
        workers_(options.max_workers, options.max_queued),
        watch_(std::clamp(options.stall_timeout / 4, std::chrono::milliseconds(10),
                          std::chrono::milliseconds(5000))),
        feed_(store.system.events(), workers_),
        door_{store,
              workers_,
              watch_,
              feed_,
              message_memory_,
              options.stall_timeout,
              SystemClock().WallNanos()} {
    for (const ServiceKind& kind : kServices) services_.push_back(kind.make(door_));
  }

  ~Server() override { Stop(std::chrono::milliseconds(0)); }

  absl::Status Listen() {
    ASSIGN_OR_RETURN(identity_, ServeOnSocket(options_.socket_path, options_.socket_group,
                                              [this](const std::string& unpublished) {
                                                return StartServing(unpublished);
                                              }));
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void SetServing(bool serving) override {
    grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
    health->SetServingStatus(serving);  // of the server as a whole, and of all names known
    for (const ServiceKind& kind : kServices) health->SetServingStatus(kind.name, serving);
  }

  void Stop(std::chrono::milliseconds grace) override {
    if (server_ == nullptr) return;
    SetServing(false);
    feed_.Stop();  // who waits for an event would use up the grace
    RemoveSocket(options_.socket_path, identity_);
    server_->Shutdown(std::chrono::system_clock::now() + grace);
    server_->Wait();
    server_ = nullptr;
  }

 private:
  absl::Status StartServing(const std::string& unpublished) {
    PrepareLibraries();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetLimits(builder);
    int socket_bound = 0;
    builder.AddListeningPort("unix:" + unpublished, grpc::InsecureServerCredentials(),
                             &socket_bound);
    if (options_.listen) {
      builder.AddListeningPort(HostAndPort(*options_.listen), grpc::InsecureServerCredentials(),
                               &port_);
    }
    for (const auto& service : services_) builder.RegisterService(service.get());
    builder.RegisterCallbackGenericService(&unknown_methods_);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr) {
      SetServing(true);
      return absl::OkStatus();
    }
    if (socket_bound != 0 && options_.listen) {
      return absl::UnavailableError(StrCat("cannot listen on ", HostAndPort(*options_.listen), ": ",
                                           BindError(*options_.listen),
                                           "; choose another --grpc HOST:PORT"));
    }
    return absl::UnavailableError(StrCat("cannot listen on ", options_.socket_path,
                                         "; may this user write in its directory?"));
  }

  const GrpcServerOptions options_;
  SocketIdentity identity_;
  CallWorkers workers_;
  StreamWatch watch_;
  EventFeed feed_;
  MessageMemory message_memory_{
      {kReadDataBytes + kMaxReadHeadBytes, kIdleMessages, kMaxReadMessageBytes}};
  GrpcDoor door_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  UnknownMethods unknown_methods_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Store& store,
                                                              const GrpcServerOptions& options) {
  auto server = std::make_unique<Server>(store, options);
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace varve
