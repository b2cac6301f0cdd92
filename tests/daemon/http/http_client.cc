#include "tests/daemon/http/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "storage/base/str_cat.h"
#include "tests/daemon/oci_codes.h"

namespace varve {
namespace {

std::string RequestHead(std::string_view method, std::string_view target,
                        const HttpHeaders& headers) {
  const bool has_host = std::any_of(headers.begin(), headers.end(),
                                    [](const auto& header) { return header.first == "Host"; });
  std::string head =
      StrCat(method, " ", target, " HTTP/1.1\r\n", has_host ? "" : "Host: localhost\r\n");
  for (const auto& [name, value] : headers) {
    head += StrCat(std::string_view(name), ": ", std::string_view(value), "\r\n");
  }
  return head;
}

// Whatever a test asks, the code of a refusal is one that clients know. 429 says UNAVAILABLE, which
// they repeat.
void ExpectSpecifiedCode(const HttpResponse& response) {
  constexpr std::string_view kStart = R"({"errors":[{"code":")";
  if (response.status < 400 || response.status >= 500 || response.status == 429) return;
  if (response.body.compare(0, kStart.size(), kStart) != 0) return;
  const std::string rest = response.body.substr(kStart.size());
  const std::string code = rest.substr(0, rest.find('"'));
  EXPECT_TRUE(IsSpecifiedCode(code)) << code << " of " << response.status;
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

HttpClient::HttpClient(uint16_t port, const char* from)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const int on = 1;  // head and body go out in two calls; no waiting between them
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (from != nullptr) {
    inet_pton(AF_INET, from, &address.sin_addr);
    bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

HttpClient::HttpClient(const std::string& socket_path)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

HttpClient::~HttpClient() {
  if (fd_ >= 0) close(fd_);
}

void HttpClient::Abandon() {
  const linger reset{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(fd_);
  fd_ = -1;
}

void HttpClient::ShrinkReceiveBuffer() {
  const int bytes = 4096;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

bool HttpClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool HttpClient::Fill() {
  char bytes[65536];
  const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(n));
  return true;
}

bool HttpClient::ReadToEnd() {
  char bytes[65536];
  while (true) {
    const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
    if (n == 0) return true;
    if (n < 0) return errno == ECONNRESET;
  }
}

HttpResponse HttpClient::Read(bool to_head) {
  HttpResponse response;
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return response;
  }
  std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  const int status = std::atoi(head.c_str() + head.find(' ') + 1);
  for (size_t line = head.find("\r\n") + 2; line < head.size();) {
    const size_t stop = head.find("\r\n", line);
    const size_t colon = head.find(": ", line);
    std::string name = head.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    response.headers.emplace(name, head.substr(colon + 2, stop - colon - 2));
    line = stop + 2;
  }
  const size_t length = to_head || status == 100
                            ? 0
                            : static_cast<size_t>(std::strtoull(
                                  response.Header("content-length").c_str(), nullptr, 10));
  while (buffer_.size() < length) {
    if (!Fill()) return response;
  }
  response.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  response.status = status;
  ExpectSpecifiedCode(response);
  return response;
}

HttpResponse HttpClient::Do(std::string_view method, std::string_view target, std::string_view body,
                            const HttpHeaders& headers) {
  std::string head = RequestHead(method, target, headers);
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    head += StrCat("Content-Length: ", body.size(), "\r\n");
  }
  if (!Send(head + "\r\n")) return {};
  Send(body);  // an early answer may come although this fails
  return Read(method == "HEAD");
}

HttpResponse HttpClient::DoChunked(std::string_view method, std::string_view target,
                                   std::string_view body, size_t chunk_bytes) {
  if (!Send(RequestHead(method, target, {}) + "Transfer-Encoding: chunked\r\n\r\n")) return {};
  while (!body.empty()) {
    const std::string_view chunk = body.substr(0, chunk_bytes);
    Send(absl::StrFormat("%x\r\n", chunk.size()) + std::string(chunk) + "\r\n");
    body.remove_prefix(chunk.size());
  }
  Send("0\r\n\r\n");
  return Read();
}

}  // namespace varve
