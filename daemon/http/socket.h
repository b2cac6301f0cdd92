// Blocking-style input and output on non-blocking TCP sockets: every wait has a limit, so that a
// slow or vanished peer costs a bounded time. Functions are thread-safe for different descriptors.
//
// Errors: Cancelled when the peer has gone, DeadlineExceeded when it stalled.
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

// How long one transfer may keep a thread waiting for its peer: at most `stall` without any byte,
// and on the whole `stall` plus the time that its bytes take at `min_bytes_per_second`, so that a
// peer that sends a byte now and then is cut off too. Only time spent waiting for the peer counts,
// not time spent on the disk.
class Pace {
 public:
  Pace(std::chrono::milliseconds stall, uint64_t min_bytes_per_second)
      : stall_(stall), min_bytes_per_second_(min_bytes_per_second) {}

  void Progress(size_t bytes) { bytes_ += bytes; }
  // Waits until one of `events` (poll(2)) is there.
  absl::Status Wait(int fd, short events);

 private:
  std::chrono::milliseconds stall_;
  uint64_t min_bytes_per_second_;
  uint64_t bytes_ = 0;
  std::chrono::nanoseconds waited_{0};
};

// poll(2) for one descriptor, repeated after signals. True when it is ready (or has failed).
bool PollOne(int fd, short events, std::chrono::milliseconds timeout);

// What recv(2) had, without waiting.
struct Received {
  enum class Kind { kBytes, kNothingYet, kClosed } kind = Kind::kNothingYet;
  size_t bytes = 0;
};
Received ReceiveNow(int fd, absl::Span<char> out);

// Sends all of `head`, then all of `body`, in as few packets as can be. With `more` the kernel may
// hold back the end for what follows.
absl::Status SendAll(int fd, std::string_view head, std::string_view body, bool more, Pace* pace);

// sendfile(2) of a part of a file. DataLoss when the file is shorter than that.
absl::Status SendFilePart(int fd, int file, Extent extent, Pace* pace);

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
