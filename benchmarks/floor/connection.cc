#include "benchmarks/floor/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/strings/match.h"
#include "storage/base/str_cat.h"

namespace varve::floor_server {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr size_t kMaxHeadBytes = 64 * 1024;

// The value of a header line, or null when it is another header's.
const char* ValueOf(const std::string& line, std::string_view name) {
  if (!absl::StartsWithIgnoreCase(ToAbsl(line), ToAbsl(name))) return nullptr;
  return line.c_str() + name.size();
}

// What follows the last `separator`.
std::string After(const std::string& text, char separator) {
  return text.substr(text.rfind(separator) + 1);
}

std::string UploadId(const std::string& target) {
  return After(target.substr(0, target.find('?')), '/');
}

}  // namespace

Connection::Connection(int fd, BlobFolder& blobs) : fd_(fd), blobs_(blobs), buffer_(kBufferBytes) {
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

Connection::~Connection() { close(fd_); }

void Connection::Serve() {
  Request request;
  while (ReadRequest(&request) && Answer(request)) request = Request();
}

bool Connection::ReadRequest(Request* request) {
  size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    const ssize_t got = recv(fd_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0 || received_.size() > kMaxHeadBytes) return false;
    received_.append(buffer_.data(), static_cast<size_t>(got));
  }
  std::string head = received_.substr(0, end + 2);
  received_.erase(0, end + 4);
  for (bool first = true; !head.empty(); first = false) {
    const size_t line_end = head.find("\r\n");
    const std::string line = head.substr(0, line_end);
    head.erase(0, line_end + 2);
    if (first) {
      const size_t space = line.find(' ');
      if (space == std::string::npos) return false;
      request->method = line.substr(0, space);
      request->target = line.substr(space + 1, line.rfind(' ') - space - 1);
    } else if (const char* length = ValueOf(line, "content-length:")) {
      request->content_length = std::strtoull(length, nullptr, 10);
    } else if (const char* range = ValueOf(line, "range: bytes=")) {
      char* dash = nullptr;
      request->has_range = true;
      request->range_first = std::strtoull(range, &dash, 10);
      request->range_last = *dash == '-' ? std::strtoull(dash + 1, nullptr, 10) : 0;
    }
  }
  return true;
}

bool Connection::Answer(const Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return Get(request);
  if (request.method == "PATCH") return Patch(request);
  if (request.content_length != 0) return false;  // only PATCH carries bytes here
  if (request.method == "POST") {
    const std::string id = blobs_.Begin();
    if (id.empty()) return false;
    return Reply("202 Accepted", StrCat("Location: ", request.target, id, "\r\n"));
  }
  const size_t digest = request.target.find("digest=");
  if (request.method != "PUT" || digest == std::string::npos) return false;
  const bool done = blobs_.Commit(UploadId(request.target), request.target.substr(digest + 7));
  return done ? Reply("201 Created", "") : Reply("400 Bad Request", "");
}

bool Connection::Patch(const Request& request) {
  const std::shared_ptr<Upload> upload = blobs_.Find(UploadId(request.target));
  if (upload == nullptr) return false;
  uint64_t left = request.content_length;
  while (left > 0) {
    // A whole buffer at a time, so that the file grows by whole pages.
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(left, buffer_.size()));
    size_t filled = std::min(wanted, received_.size());
    std::copy_n(received_.data(), filled, buffer_.data());
    received_.erase(0, filled);
    while (filled < wanted) {
      const ssize_t got = recv(fd_, buffer_.data() + filled, wanted - filled, 0);
      if (got <= 0) return false;
      filled += static_cast<size_t>(got);
    }
    if (!upload->Append({buffer_.data(), wanted})) return false;
    left -= wanted;
  }
  return Reply("202 Accepted", StrCat("Location: ", request.target, "\r\n"));
}

bool Connection::Get(const Request& request) {
  const int file = blobs_.Open(After(request.target, '/'));
  if (file < 0) return Reply("404 Not Found", "");
  struct stat status {};
  fstat(file, &status);
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  uint64_t offset = 0, length = size;
  std::string head = "HTTP/1.1 200 OK\r\n";
  if (request.has_range && request.range_first <= request.range_last && request.range_last < size) {
    offset = request.range_first;
    length = request.range_last - offset + 1;
    head = StrCat("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ", offset, "-",
                  request.range_last, "/", size, "\r\n");
  }
  head += StrCat("Content-Length: ", length, "\r\n\r\n");
  const bool has_body = request.method == "GET" && length > 0;
  const bool sent =
      SendAll(head, has_body ? MSG_MORE : 0) && (!has_body || SendFile(file, offset, length));
  close(file);
  return sent;
}

bool Connection::SendFile(int file, uint64_t offset, uint64_t length) {
  off_t position = static_cast<off_t>(offset);
  while (length > 0) {
    const ssize_t sent = sendfile(fd_, file, &position, length);
    if (sent <= 0) return false;
    length -= static_cast<uint64_t>(sent);
  }
  return true;
}

bool Connection::Reply(std::string_view status, std::string_view headers) {
  return SendAll(StrCat("HTTP/1.1 ", status, "\r\n", headers, "Content-Length: 0\r\n\r\n"), 0);
}

bool Connection::SendAll(std::string_view bytes, int flags) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | flags);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace varve::floor_server
