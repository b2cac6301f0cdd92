// The native door: gRPC services of package varve.v1 on a unix socket and, when asked for, on a TCP
// port, with the standard health and reflection services. Every request is answered from one Store.
#ifndef VARVE_DAEMON_GRPC_SERVER_H_
#define VARVE_DAEMON_GRPC_SERVER_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/config_values.h"
#include "storage/api/store.h"

namespace varve {

struct GrpcServerOptions {
  std::string socket_path;  // made with mode 0660; a stale socket of a dead daemon is replaced
  std::string socket_group = "varve";  // gets the socket when this machine has such a group
  // A TCP port beside the socket; port 0: any free one. Nobody is asked who he is.
  std::optional<ListenAddress> listen = std::nullopt;
  size_t max_workers = 64;   // calls that use the store at once; idle streams need no worker
  size_t max_queued = 4096;  // unary calls that wait for a worker; more are refused
  std::chrono::milliseconds stall_timeout{60'000};  // of a stream whose client moves no message
};

class GrpcServer {
 public:
  virtual ~GrpcServer() = default;  // as Stop with no grace

  // Listens and serves until Stop. `store` must outlive the server. Unavailable, naming the path or
  // the address, when it cannot listen or another daemon answers there; InvalidArgument when the
  // path cannot be a socket. A socket that its group cannot use is a warning in the log.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Store& store,
                                                           const GrpcServerOptions& options);

  // The TCP port in use; 0 when none was asked for.
  virtual int port() const = 0;

  // What the health service answers, of the server as a whole and of each service. Any thread.
  virtual void SetServing(bool serving) = 0;

  // Health turns NOT_SERVING, no new call is taken, running calls get `grace`, then are cancelled.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_SERVER_H_
