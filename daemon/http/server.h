// The OCI distribution door: HTTP/1.1 on a TCP port or a unix socket, every request answered from
// one Store.
//
// A connection that waits for its client, in whatever state, waits in one poller and costs no
// thread. Workers read, call the store and send as far as it goes at once (connection.h).
#ifndef VARVE_DAEMON_HTTP_SERVER_H_
#define VARVE_DAEMON_HTTP_SERVER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/store.h"

namespace varve {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 5000;  // 0 = any free port
  // A unix socket instead of a port, when not empty: made with mode 0660 for the group when this
  // machine has it; a stale socket of a dead daemon is replaced.
  std::string socket_path;
  std::string socket_group = "varve";
  // Names, in lower case, beside localhost and IP addresses that requests to a loopback address may
  // be meant for; "*" is every name.
  std::vector<std::string> hostnames;
  // Proxies whose X-Forwarded-For is believed: IP addresses, and "unix" for whoever is behind a
  // unix socket.
  std::vector<std::string> trusted_proxies;
  bool read_only = false;    // only GET and HEAD
  size_t max_workers = 128;  // requests served at once; started when needed
  // Beyond these the idlest connections give way to new ones. Start lowers both when the process
  // may have too few descriptors: each connection may have a file of the store open besides.
  size_t max_connections = 10'000;
  size_t max_connections_per_peer = 7'500;
  std::chrono::milliseconds header_timeout{
      10'000};  // from a request's first byte to its last header
  std::chrono::milliseconds idle_timeout{120'000};  // of a keep-alive connection
  std::chrono::milliseconds stall_timeout{60'000};  // of a body that makes no progress
  // A body, in either direction, that keeps us waiting must bring this many bytes a second on the
  // average, after a first stall_timeout: 4 KiB/s is half of a 64 kbit/s line. 0 = no such limit.
  uint64_t min_bytes_per_second = 4096;
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;  // as Stop with no grace

  // Listens and serves until Stop. `store` must outlive the server. Unavailable, naming the address
  // or path, when it cannot listen or another daemon answers there; InvalidArgument when the path
  // cannot be a socket.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Store& store,
                                                           const HttpServerOptions& options);

  virtual uint16_t port() const = 0;  // 0 on a unix socket

  // Stops accepting, lets running requests finish for at most `grace`, then closes what is left.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_SERVER_H_
