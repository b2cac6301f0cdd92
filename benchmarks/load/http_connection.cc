#include "benchmarks/load/http_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr size_t kReceiveBytes = 256 * 1024;

// The value of header `name` (lower case) in `head`; empty when absent.
std::string HeaderValue(std::string_view head, std::string_view name) {
  size_t start = head.find("\r\n");
  while (start != std::string_view::npos && start + 2 < head.size()) {
    start += 2;
    const size_t end = std::min(head.find("\r\n", start), head.size());
    const std::string_view line = head.substr(start, end - start);
    const size_t colon = line.find(':');
    if (colon == name.size() &&
        absl::EqualsIgnoreCase(ToAbsl(line.substr(0, colon)), ToAbsl(name))) {
      return std::string(ToStd(absl::StripAsciiWhitespace(ToAbsl(line.substr(colon + 1)))));
    }
    start = end;
  }
  return "";
}

}  // namespace

void HttpConnection::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  buffer_.clear();
}

absl::Status HttpConnection::Connect() {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return ErrnoToStatus(errno, "socket");
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API.
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoToStatus(errno, StrCat("connect to ", host_, ":", port_));
  }
  return absl::OkStatus();
}

absl::Status HttpConnection::SendAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return ErrnoToStatus(errno, "send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::Status HttpConnection::Send(const HttpRequest& request, size_t body_bytes) {
  if (fd_ < 0) RETURN_IF_ERROR(Connect());
  std::string head = StrCat(request.method, " ", request.target, " HTTP/1.1\r\nHost: ", host_, ":",
                            port_, "\r\n", request.headers);
  const bool has_body = request.method != "GET" && request.method != "HEAD";
  if (has_body) head += StrCat("Content-Length: ", request.body.size(), "\r\n");
  head += "\r\n";
  // A small body goes out with its head.
  constexpr size_t kJoined = 64 * 1024;
  if (body_bytes <= kJoined) {
    head.append(request.body.substr(0, body_bytes));
    return SendAll(head);
  }
  RETURN_IF_ERROR(SendAll(head));
  return SendAll(request.body.substr(0, body_bytes));
}

absl::StatusOr<bool> HttpConnection::Fill() {
  scratch_.resize(kReceiveBytes);
  const ssize_t got = recv(fd_, scratch_.data(), scratch_.size(), 0);
  if (got < 0) return ErrnoToStatus(errno, "recv");
  buffer_.append(scratch_, 0, static_cast<size_t>(got));
  return got > 0;
}

absl::StatusOr<std::string> HttpConnection::ReadHead() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) return absl::UnavailableError("the server closed the connection");
  }
  std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  return head;
}

absl::StatusOr<std::string> HttpConnection::ReadLine() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) return absl::UnavailableError("the server closed the connection");
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

absl::Status HttpConnection::ReadBody(uint64_t length, Body keep, HttpResponse* response) {
  const size_t had = static_cast<size_t>(std::min<uint64_t>(length, buffer_.size()));
  if (keep == Body::kKeep) response->body.append(buffer_, 0, had);
  buffer_.erase(0, had);
  response->body_bytes += had;
  length -= had;
  scratch_.resize(kReceiveBytes);
  while (length > 0) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(length, scratch_.size()));
    const ssize_t got = recv(fd_, scratch_.data(), wanted, 0);
    if (got <= 0) return absl::UnavailableError("the body was cut off");
    if (keep == Body::kKeep) response->body.append(scratch_, 0, static_cast<size_t>(got));
    response->body_bytes += static_cast<uint64_t>(got);
    length -= static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

absl::Status HttpConnection::ReadChunks(Body keep, HttpResponse* response) {
  for (;;) {
    ASSIGN_OR_RETURN(const std::string size, ReadLine());
    const uint64_t length = std::strtoull(size.c_str(), nullptr, 16);
    RETURN_IF_ERROR(ReadBody(length, keep, response));
    RETURN_IF_ERROR(ReadLine().status());
    if (length == 0) return absl::OkStatus();
  }
}

absl::StatusOr<HttpResponse> HttpConnection::Call(const HttpRequest& request, Body body) {
  const std::string what = StrCat(request.method, " ", request.target);
  const absl::Status sent = Send(request, request.body.size());
  if (!sent.ok()) return Annotate(sent, what);
  const absl::StatusOr<std::string> head = ReadHead();
  if (!head.ok()) return Annotate(head.status(), what);
  HttpResponse response;
  response.status = head->size() > 12 ? std::atoi(head->c_str() + 9) : 0;
  response.location = HeaderValue(*head, "location");
  response.link = HeaderValue(*head, "link");
  const std::string range = HeaderValue(*head, "range");
  const size_t dash = range.find('-');
  if (dash != std::string::npos) {
    response.range_end = std::strtoull(range.c_str() + dash + 1, nullptr, 10);
  }
  absl::Status read;
  if (request.method != "HEAD" && response.status != 204) {
    if (absl::EqualsIgnoreCase(HeaderValue(*head, "transfer-encoding"), "chunked")) {
      read = ReadChunks(body, &response);
    } else {
      read = ReadBody(std::strtoull(HeaderValue(*head, "content-length").c_str(), nullptr, 10),
                      body, &response);
    }
  }
  if (!read.ok()) return Annotate(read, what);
  if (absl::EqualsIgnoreCase(HeaderValue(*head, "connection"), "close")) Close();
  return response;
}

absl::Status HttpConnection::SendAndBreak(const HttpRequest& request, size_t body_bytes) {
  const absl::Status sent = Send(request, body_bytes);
  // Ended, not reset: a reset may overtake what was sent.
  if (sent.ok()) shutdown(fd_, SHUT_WR);
  std::array<char, 4096> rest{};
  while (sent.ok() && recv(fd_, rest.data(), rest.size(), 0) > 0) {
  }
  Close();
  return sent;
}

}  // namespace varve::load
