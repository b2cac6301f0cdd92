// A hostile client's connection to a unix socket: bytes and HTTP/2 frames as the test wants them,
// legal or not. One thread.
#ifndef VARVE_TESTS_DAEMON_GRPC_HTTP2_CONNECTION_H_
#define VARVE_TESTS_DAEMON_GRPC_HTTP2_CONNECTION_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace varve {

class Http2Connection {
 public:
  enum Type : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6 };
  enum Flags : uint8_t { kNone = 0, kEndStream = 1, kEndHeaders = 4 };

  explicit Http2Connection(const std::string& socket_path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path.c_str(), sizeof(address.sun_path) - 1);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Http2Connection() { close(fd_); }
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  bool connected() const { return connected_; }
  uint64_t received_bytes() const { return received_bytes_; }

  // Sends all bytes; false when the server has closed, or takes nothing for `patience`. With
  // `read_too`, takes what the server sends meanwhile.
  bool Send(std::string_view bytes, bool read_too = true,
            std::chrono::milliseconds patience = std::chrono::seconds(5)) {
    while (!bytes.empty()) {
      pollfd entry{fd_, static_cast<int16_t>(POLLOUT | (read_too ? POLLIN : 0)), 0};
      if (poll(&entry, 1, static_cast<int>(patience.count())) <= 0) return false;
      if ((entry.revents & POLLIN) != 0 && !Take()) return false;
      if ((entry.revents & (POLLOUT | POLLHUP | POLLERR)) == 0) continue;
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Takes what comes until the server closes (true) or `patience` is over.
  bool WaitForClose(std::chrono::milliseconds patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
      pollfd entry{fd_, POLLIN, 0};
      if (poll(&entry, 1, 50) > 0 && !Take()) return true;
    }
    return false;
  }

  static std::string Preface() {
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, kNone, 0, "");
  }

  static std::string Frame(Type type, uint8_t flags, uint32_t stream, std::string_view payload) {
    std::string frame;
    for (const int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift));
    frame.push_back(static_cast<char>(type));
    frame.push_back(static_cast<char>(flags));
    for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift));
    return frame.append(payload);
  }

  // The header block of a gRPC call, without Huffman coding or indexing.
  static std::string CallHeaders(std::string_view path) {
    const auto text = [](std::string_view value) {
      return std::string(1, static_cast<char>(value.size())).append(value);
    };
    return std::string("\x83\x86") + "\x04" + text(path) + "\x01" + text("localhost") + "\x0f\x10" +
           text("application/grpc") + std::string(1, '\0') + text("te") + text("trailers");
  }

 private:
  // False when the server has closed.
  bool Take() {
    char buffer[16384];
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got > 0) received_bytes_ += static_cast<uint64_t>(got);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  }

  const int fd_;
  bool connected_ = false;
  uint64_t received_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_GRPC_HTTP2_CONNECTION_H_
