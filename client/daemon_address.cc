#include "client/daemon_address.h"

#include <cstdlib>
#include <string_view>

#include "storage/base/default_socket.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr std::string_view kUnix = "unix:";

absl::Status NoAddress(const std::string& text) {
  return absl::InvalidArgumentError(
      StrCat("\"", text,
             "\" is no address of a daemon: write unix:///PATH for its socket, usually "
             "unix:///run/varve/varve.sock, or HOST:PORT for its gRPC port"));
}

}  // namespace

absl::StatusOr<DaemonAddress> ParseDaemonAddress(const std::string& text) {
  std::string_view rest = text;
  const bool is_unix = rest.substr(0, kUnix.size()) == kUnix;
  if (is_unix) rest.remove_prefix(kUnix.size());
  if (is_unix && rest.substr(0, 2) == "//") rest.remove_prefix(2);
  DaemonAddress address;
  if (is_unix || (!rest.empty() && rest[0] == '/')) {
    if (rest.size() < 2 || rest[0] != '/') return NoAddress(text);
    address.socket_path = std::string(rest);
    return address;
  }
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size() ||
      rest.find('/') != std::string_view::npos) {
    return NoAddress(text);
  }
  std::string_view host = rest.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return NoAddress(text);
  }
  address.host = std::string(host);
  address.port = std::string(rest.substr(colon + 1));
  return address;
}

std::string ToString(const DaemonAddress& address) {
  if (!address.socket_path.empty()) return StrCat("unix://", address.socket_path);
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return is_v6 ? StrCat("[", address.host, "]:", address.port)
               : StrCat(address.host, ":", address.port);
}

std::string DefaultDaemonAddress() {
  SocketPlaces places;
  if (const char* const directory = std::getenv("XDG_RUNTIME_DIR")) {
    places.user_directory = directory;
  }
  return ToString({.socket_path = SocketToReach(places), .host = {}, .port = {}});
}

}  // namespace varve
