#include "daemon/http/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

absl::Status PeerGone() { return absl::CancelledError("the client closed the connection"); }

// EWOULDBLOCK is the same number on Linux.
bool WouldBlock(int error) { return error == EAGAIN; }

// At most so much a call, so that a reader that keeps up does not keep its thread for gigabytes
// while others wait for one.
constexpr uint64_t kSendFileStep = uint64_t{8} << 20;

constexpr int kListenBacklog = 4096;

// Some congestion controls, BBR among them, space packets in time so as not to crowd a network.
// Between two processes of one machine there is none to crowd, and each packet waits for a timer: a
// pull takes half as long without, and a quarter of the processor time. This one does not, every
// kernel has it, and everybody may choose it.
constexpr std::string_view kUnpaced = "reno";

// Best effort: with another one all is well but slower.
void SetCongestionControl(int fd, std::string_view name) {
  (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                   static_cast<socklen_t>(name.size()));
}

absl::StatusOr<int> ListenOn(const addrinfo& address, const std::string& name) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoToStatus(errno, "socket for " + name);
  const int on = 1;
  const int off = 0;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  // Connections inherit it.
  SetMaxUnsent(fd, kMaxUnsentBytes);
  SetCongestionControl(fd, kUnpaced);  // connections inherit it; pacing once begun never ends
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kListenBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  return absl::UnavailableError(
      StrCat("cannot listen on ", name, ": ", std::string_view(strerror(error))));
}

using NameOf = int(int, sockaddr*, socklen_t*);  // getsockname or getpeername

// Address and port of one end of a socket. False, with errno, when it has none.
bool ReadEnd(int fd, NameOf* name_of, sockaddr_storage* end) {
  socklen_t size = sizeof(*end);
  // The socket API's own way to pass any address family.
  return name_of(fd, reinterpret_cast<sockaddr*>(end), &size) == 0;
}

// The address alone, without port, of either end of a connection; empty when there is none. An IPv4
// address that came in through an IPv6 socket is an IPv4 address.
std::string AddressBytes(int fd, NameOf* name_of) {
  sockaddr_storage storage{};
  if (!ReadEnd(fd, name_of, &storage)) return {};
  const auto bytes = [&storage](size_t offset, size_t length) {
    return std::string(reinterpret_cast<const char*>(&storage) + offset, length);
  };
  if (storage.ss_family == AF_INET) return bytes(offsetof(sockaddr_in, sin_addr), sizeof(in_addr));
  if (storage.ss_family != AF_INET6) return {};
  const std::string v6 = bytes(offsetof(sockaddr_in6, sin6_addr), sizeof(in6_addr));
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  return v6.compare(0, kMapped.size(), kMapped) == 0 ? v6.substr(kMapped.size()) : v6;
}

bool IsLoopback(const std::string& address_bytes) {
  if (address_bytes.size() == sizeof(in_addr)) return address_bytes[0] == IN_LOOPBACKNET;
  return address_bytes == std::string(15, '\0') + '\1';
}

// A client on this machine comes from the address that it connects to, or from 127.0.0.0/8.
bool PeerIsOnThisMachine(int fd) {
  const std::string peer = AddressBytes(fd, getpeername);
  return !peer.empty() && (peer == AddressBytes(fd, getsockname) || IsLoopback(peer));
}

}  // namespace

bool PollOne(int fd, short events, milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  while (true) {
    pollfd entry{fd, events, 0};
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    const int ready = poll(&entry, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Received ReceiveNow(int fd, absl::Span<char> out) {
  while (true) {
    const ssize_t n = recv(fd, out.data(), out.size(), 0);
    if (n > 0) return {Received::Kind::kBytes, static_cast<size_t>(n)};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && WouldBlock(errno)) return {Received::Kind::kNothingYet, 0};
    return {Received::Kind::kClosed, 0};
  }
}

void SetLowWater(int fd, int bytes) {
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

void SetMaxUnsent(int fd, int bytes) {
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

size_t BytesAtHand(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

absl::StatusOr<size_t> SendNow(int fd, std::string_view head, std::string_view body, bool more) {
  while (true) {
    // sendmsg does not write through iov_base.
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (n >= 0) return static_cast<size_t>(n);
    if (WouldBlock(errno)) return 0;
    if (errno != EINTR) return PeerGone();
  }
}

absl::StatusOr<size_t> SendFileNow(int fd, int file, Extent extent) {
  while (true) {
    auto offset = static_cast<off_t>(extent.offset_bytes);
    const uint64_t step = extent.length_bytes < kSendFileStep ? extent.length_bytes : kSendFileStep;
    const ssize_t n = sendfile(fd, file, &offset, step);
    if (n > 0) return static_cast<size_t>(n);
    if (n == 0) {
      return absl::DataLossError(StrCat("the file of the blob is ", extent.length_bytes,
                                        " bytes shorter than it should be; run varve fsck"));
    }
    if (WouldBlock(errno)) return 0;
    if (errno == EIO) return ErrnoToStatus(EIO, "sendfile of a blob");
    if (errno != EINTR) return PeerGone();
  }
}

absl::StatusOr<int> Listen(const std::string& host, uint16_t port) {
  const std::string name = StrCat(host, ":", port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = StrCat(port);
  const int error =
      getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        StrCat("cannot resolve ", name, ": ", std::string_view(gai_strerror(error))));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  absl::StatusOr<int> result = absl::UnavailableError(StrCat("no address for ", name));
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
      if (address->ai_family != family) continue;
      result = ListenOn(*address, name);
      if (result.ok()) return result;
    }
  }
  return result;
}

absl::StatusOr<int> ListenAt(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoToStatus(errno, "socket for " + path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      listen(fd, kListenBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  return absl::UnavailableError(
      StrCat("cannot listen on ", path, ": ", std::string_view(strerror(error))));
}

ConnectionEnds DescribeEnds(int fd) {
  ConnectionEnds ends;
  ends.to_loopback = IsLoopback(AddressBytes(fd, getsockname));
  const std::string peer = AddressBytes(fd, getpeername);
  if (!peer.empty()) {
    char text[INET6_ADDRSTRLEN] = {};
    const int family = peer.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
    if (inet_ntop(family, peer.data(), text, sizeof(text)) != nullptr) ends.client = text;
    ends.network = family == AF_INET ? peer : peer.substr(0, sizeof(in6_addr) / 2);
    return ends;
  }
  ucred process{};
  socklen_t size = sizeof(process);
  sockaddr_storage local{};
  if (ReadEnd(fd, getsockname, &local) && local.ss_family == AF_UNIX &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &size) == 0) {
    ends.client = StrCat("uid:", process.uid);
    ends.network = ends.client;
  }
  return ends;
}

void TuneConnection(int fd) {
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // What a route prescribes was not inherited and stays.
  if (PeerIsOnThisMachine(fd) || CongestionControl(fd) != kUnpaced) return;
  const int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // has what the system prefers
  if (fresh < 0) return;
  SetCongestionControl(fd, CongestionControl(fresh));
  close(fresh);
}

std::string CongestionControl(int fd) {
  char name[16] = {};  // TCP_CA_NAME_MAX of the kernel
  socklen_t size = sizeof(name);
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0) return {};
  return std::string(name, strnlen(name, sizeof(name)));
}

absl::StatusOr<uint16_t> LocalPort(int fd) {
  sockaddr_storage storage{};
  if (!ReadEnd(fd, getsockname, &storage)) return ErrnoToStatus(errno, "getsockname");
  in_port_t port = 0;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &storage, sizeof(address));
    port = address.sin6_port;
  } else {
    sockaddr_in address{};
    std::memcpy(&address, &storage, sizeof(address));
    port = address.sin_port;
  }
  return ntohs(port);
}

}  // namespace varve
