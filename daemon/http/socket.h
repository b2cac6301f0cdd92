// Input and output on non-blocking TCP sockets, as far as it goes without waiting. Functions are
// thread-safe for different descriptors. Errors: Cancelled when the peer has gone.
#ifndef VARVE_DAEMON_HTTP_SOCKET_H_
#define VARVE_DAEMON_HTTP_SOCKET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/file_system.h"

namespace varve {

// poll(2) for one descriptor, repeated after signals. True when it is ready (or has failed).
bool PollOne(int fd, short events, std::chrono::milliseconds timeout);

// What recv(2) had, without waiting.
struct Received {
  enum class Kind { kBytes, kNothingYet, kClosed } kind = Kind::kNothingYet;
  size_t bytes = 0;
};
Received ReceiveNow(int fd, absl::Span<char> out);

// How many bytes there must be before poll(2) and epoll(7) say so; the end of the stream is always
// said.
void SetLowWater(int fd, int bytes);
// How many have arrived and not been received.
size_t BytesAtHand(int fd);

// Sends what there is room for of `head` and then `body`, in as few packets as can be; the bytes
// taken, 0 when there was no room. With `more` the kernel may hold back the end for what follows.
absl::StatusOr<size_t> SendNow(int fd, std::string_view head, std::string_view body, bool more);

// The same by sendfile(2) for a part of a file that is not empty. DataLoss when the file is shorter
// than that.
absl::StatusOr<size_t> SendFileNow(int fd, int file, Extent extent);

// A connection has at most about this much in its send buffer that has not left the machine, so
// that ten thousand readers that stall cost the kernel 1.3 GB at the very most. What is on its way
// to a reader that keeps up comes on top and is not limited by this.
inline constexpr int kMaxUnsentBytes = 128 * 1024;
// So much for a few whose readers keep up: they wake a thread a third as often, and a pull on the
// same machine takes half of the processor time.
inline constexpr int kMaxUnsentBytesOfFast = 2 << 20;
void SetMaxUnsent(int fd, int bytes);

// A listening, non-blocking TCP socket. A host name that has several addresses gives its first one,
// IPv4 before IPv6. Unavailable, naming the address, when it cannot be had.
absl::StatusOr<int> Listen(const std::string& host, uint16_t port);
absl::StatusOr<uint16_t> LocalPort(int fd);
// The same on a unix socket that it makes at `path`, which must be free and short enough.
absl::StatusOr<int> ListenAt(const std::string& path);

// What a connection is between, as far as the rules of the door and the log ask.
struct ConnectionEnds {
  // The peer's IP address, "uid:<number>" of a process behind a unix socket, or empty when it has
  // left already.
  std::string client;
  // Whom it counts for: an IPv4 address, or the first 64 bits of an IPv6 one, which is what one
  // host has, as bytes; else as `client`.
  std::string network;
  bool to_loopback = false;  // it was made to 127.0.0.0/8 or ::1
};
ConnectionEnds DescribeEnds(int fd);

// Makes a connection that was just accepted from such a socket send at once, and, to a peer on
// another machine, as the system prefers. What the kernel refuses stays as it is.
void TuneConnection(int fd);
// The name of the TCP congestion control of a socket.
std::string CongestionControl(int fd);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_SOCKET_H_
