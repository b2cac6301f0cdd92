#include "client/cli/unreachable.h"

#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "client/daemon_address.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kConnectMilliseconds = 2000;
constexpr size_t kEntryBytes = 1 << 16;  // of a user or a group with its members

std::string GroupName(gid_t id) {
  std::vector<char> buffer(kEntryBytes);
  struct group entry {};
  struct group* found = nullptr;
  getgrgid_r(id, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? std::string(found->gr_name) : StrCat(id);
}

std::string UserName(uid_t id) {
  std::vector<char> buffer(kEntryBytes);
  struct passwd entry {};
  struct passwd* found = nullptr;
  getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? std::string(found->pw_name) : StrCat(id);
}

// The first directory on the way to `path` that this process may not pass, else `path` itself.
std::string WhatIsShut(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (access(directory.c_str(), X_OK) != 0 && errno == EACCES) return directory;
  }
  return path;
}

std::string NotPermitted(const std::string& socket_path) {
  const std::string shut = WhatIsShut(socket_path);
  struct stat info {};
  std::string sentence = StrCat("permission denied on ", shut);
  if (stat(shut.c_str(), &info) != 0) return sentence + "; use sudo";
  const std::string user = UserName(info.st_uid);
  const mode_t for_group = S_ISSOCK(info.st_mode) ? S_IWGRP : S_IXGRP;
  if (info.st_gid == 0 || (info.st_mode & for_group) == 0) {
    return StrCat(sentence, ": it is for the user ", user,
                  " alone; use sudo, or start varved with "
                  "a group named varve on this machine and join that");
  }
  const std::string group = GroupName(info.st_gid);
  return StrCat(sentence, ": it is for the user ", user, " and the group ", group,
                "; join the group with `sudo usermod -aG ", group,
                " $USER` and log in again, or use sudo");
}

int ConnectError(int fd, const sockaddr* address, socklen_t size) {
  if (connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
  if (poll(&ready, 1, kConnectMilliseconds) != 1) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

// 0 when somebody accepts, else errno.
int TryConnect(const sockaddr* address, socklen_t size) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error = ConnectError(fd, address, size);
  close(fd);
  return error;
}

std::string WhyNoSocket(const std::string& path) {
  struct stat info {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return "the path is too long for a socket";
  if (stat(path.c_str(), &info) != 0) {
    if (errno == EACCES) return NotPermitted(path);
    return StrCat("there is no socket ", path,
                  "; start varved, or give the socket that its log line \"ready\" names, with "
                  "--address or VARVE_ADDRESS");
  }
  if (!S_ISSOCK(info.st_mode)) {
    return StrCat(path, " is no socket; give that of varved with --address or VARVE_ADDRESS");
  }
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int error = TryConnect(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  switch (error) {
    case 0:
      return "it takes connections but does not answer as varved does; if it was just started, try "
             "again";
    case EACCES:
      return NotPermitted(path);
    case ECONNREFUSED:
      return "nobody listens there any more; start varved again";
    default:
      return std::strerror(error);
  }
}

std::string WhyNoPort(const DaemonAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (failed != 0) return StrCat(address.host, ": ", gai_strerror(failed));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  switch (const int error = TryConnect(found->ai_addr, found->ai_addrlen)) {
    case 0:
      return StrCat(
          "what listens there does not speak the gRPC API, and a registry does not; give "
          "the socket of varved, usually ",
          DefaultDaemonAddress());
    case ECONNREFUSED:
      return "nobody listens there; start varved with [grpc] listen, or give its socket with "
             "--address or VARVE_ADDRESS";
    default:
      return std::strerror(error);
  }
}

}  // namespace

std::string WhyUnreachable(const std::string& address) {
  const absl::StatusOr<DaemonAddress> parsed = ParseDaemonAddress(address);
  if (!parsed.ok()) return std::string(parsed.status().message());
  return parsed->socket_path.empty() ? WhyNoPort(*parsed) : WhyNoSocket(parsed->socket_path);
}

}  // namespace varve
