// Where a daemon is reached: what people write, and the places by default.
#ifndef VARVE_CLIENT_DAEMON_ADDRESS_H_
#define VARVE_CLIENT_DAEMON_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"

namespace varve {

// A unix socket, or a host and a port of TCP.
struct DaemonAddress {
  std::string socket_path;  // absolute; empty: TCP
  std::string host;         // IPv6 addresses without brackets
  std::string port;
};

// "unix:///PATH", "unix:/PATH" or "/PATH"; "HOST:PORT" or "[IPV6]:PORT". Anything else is
// InvalidArgument with a sentence that says what an address looks like.
absl::StatusOr<DaemonAddress> ParseDaemonAddress(const std::string& text);

// As ParseDaemonAddress takes it: "unix:///PATH" or "HOST:PORT".
std::string ToString(const DaemonAddress& address);

// Of the daemon that a person means who names none: SocketToReach (storage/base/default_socket.h)
// in the environment of this process.
std::string DefaultDaemonAddress();

}  // namespace varve

#endif  // VARVE_CLIENT_DAEMON_ADDRESS_H_
