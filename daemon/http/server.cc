#include "daemon/http/server.h"

#include <atomic>
#include <csignal>
#include <memory>
#include <utility>

#include "daemon/http/connection.h"
#include "daemon/http/poller.h"
#include "daemon/http/session.h"
#include "daemon/http/socket.h"
#include "daemon/http/worker_pool.h"
#include "daemon/unix_socket.h"
#include "storage/base/status.h"

namespace varve {
namespace {

// Members are destroyed in reverse: poller, then workers, then what both use.
class Server : public HttpServer {
 public:
  Server(Store& store, const HttpServerOptions& options, int listener, uint16_t port,
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
    poller_.Stop();
    if (!workers_.WaitIdle(std::chrono::steady_clock::now() + grace)) connections_.ShutdownAll();
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

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(Store& store,
                                                              const HttpServerOptions& options) {
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
