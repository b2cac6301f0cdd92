#include "daemon/http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <utility>

#include "daemon/http/connection.h"
#include "daemon/http/poller.h"
#include "daemon/http/session.h"
#include "daemon/http/socket.h"
#include "daemon/http/worker_pool.h"
#include "daemon/log.h"
#include "daemon/unix_socket.h"
#include "storage/base/status.h"

namespace varve {
namespace {

// Members are destroyed in reverse: poller, then workers, then what both use.
class Server : public HttpServer {
 public:
  Server(const Store& store, const HttpServerOptions& options, int listener, uint16_t port,
         const SocketIdentity& socket)
      : options_(options),
        port_(port),
        socket_(socket),
        session_(store, options_, stopping_, MakeExits()),
        workers_(options_.max_workers,
                 [this](std::unique_ptr<Connection> connection, IoBuffer& buffer) {
                   session_.Serve(std::move(connection), buffer);
                 }),
        poller_(listener, connections_, options_, [this](std::unique_ptr<Connection> connection) {
          workers_.Submit(std::move(connection));
        }) {}
  ~Server() override { Stop(std::chrono::milliseconds(0)); }

  absl::Status StartPoller() { return poller_.Start(); }

  uint16_t port() const override { return port_; }

  void Stop(std::chrono::milliseconds grace) override {
    stopping_.store(true);
    if (!options_.socket_path.empty()) RemoveSocket(options_.socket_path, socket_);
    poller_.StopAccepting();
    if (!connections_.WaitEmpty(std::chrono::steady_clock::now() + grace)) {
      connections_.ShutdownAll();
      // No wait for a client lasts any more, only for the store.
      while (!connections_.WaitEmpty(std::chrono::steady_clock::now() + std::chrono::hours(1))) {
      }
    }
    poller_.Stop();
    workers_.Stop();
  }

 private:
  HttpSession::Exits MakeExits() {
    HttpSession::Exits exits;
    exits.park = [this](std::unique_ptr<Connection> connection) {
      poller_.Park(std::move(connection));
    };
    exits.requeue = [this](std::unique_ptr<Connection> connection) {
      workers_.Submit(std::move(connection));
    };
    exits.has_waiting = [this] { return workers_.has_waiting(); };
    return exits;
  }

  const HttpServerOptions options_;
  const uint16_t port_;
  const SocketIdentity socket_;
  std::atomic<bool> stopping_{false};
  OpenConnections connections_;
  HttpSession session_;
  WorkerPool workers_;
  Poller poller_;
};

// What the index, the other doors and the listener are left, or half of what there is.
constexpr size_t kDescriptorsKept = 2048;
constexpr size_t kDescriptorsOfConnection = 2;

HttpServerOptions WithinDescriptors(HttpServerOptions options) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return options;
  const size_t all = limit.rlim_cur;
  const size_t room = (all - std::min(all / 2, kDescriptorsKept)) / kDescriptorsOfConnection;
  if (room >= options.max_connections) return options;
  Log(LogLevel::kInfo, "connections_limited", {{"descriptors", all}, {"connections", room}});
  options.max_connections_per_peer =
      options.max_connections_per_peer * room / std::max<size_t>(options.max_connections, 1);
  options.max_connections = room;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Store& store,
                                                              const HttpServerOptions& asked) {
  const HttpServerOptions options = WithinDescriptors(asked);
  // sendfile has no MSG_NOSIGNAL: a client that hangs up must not end the daemon.
  std::signal(SIGPIPE, SIG_IGN);
  int listener = -1;
  uint16_t port = 0;
  SocketIdentity socket;
  if (options.socket_path.empty()) {
    ASSIGN_OR_RETURN(listener, Listen(options.host, options.port));
    port = LocalPort(listener).value_or(options.port);
  } else {
    ASSIGN_OR_RETURN(socket, ServeOnSocket(options.socket_path, options.socket_group,
                                           [&listener](const std::string& path) -> absl::Status {
                                             ASSIGN_OR_RETURN(listener, ListenAt(path));
                                             return absl::OkStatus();
                                           }));
  }
  auto server = std::make_unique<Server>(store, options, listener, port, socket);
  RETURN_IF_ERROR(server->StartPoller());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace varve
