// One keep-alive HTTP/1.1 connection of the load generator: blocking, no TLS, no library, so that
// the client costs as little as it can beside the server. Not thread-safe. Errors end the program's
// run: they come back as a status that names the request.
#ifndef VARVE_BENCHMARKS_LOAD_HTTP_CONNECTION_H_
#define VARVE_BENCHMARKS_LOAD_HTTP_CONNECTION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve::load {

struct HttpRequest {
  std::string_view method = "GET";
  std::string_view target;
  std::string_view headers;  // whole lines, each with its "\r\n"
  std::string_view body;     // sent with a Content-Length unless the method is GET or HEAD
};

struct HttpResponse {
  int status = 0;
  std::string location;
  std::string link;
  uint64_t range_end = 0;   // of a Range header "0-N"
  std::string body;         // only when it was asked for
  uint64_t body_bytes = 0;  // received, kept or not
};

enum class Body { kKeep, kDrop };

class HttpConnection {
 public:
  HttpConnection(std::string host, int port) : host_(std::move(host)), port_(port) {}
  ~HttpConnection() { Close(); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Connects when it is not connected.
  absl::StatusOr<HttpResponse> Call(const HttpRequest& request, Body body = Body::kDrop);
  // Sends head and part of the body of a request and breaks the connection off.
  absl::Status SendAndBreak(const HttpRequest& request, size_t body_bytes);
  void Close();

 private:
  absl::Status Connect();
  absl::Status Send(const HttpRequest& request, size_t body_bytes);
  absl::Status SendAll(std::string_view bytes);
  // Reads more into buffer_; false at the end of the stream.
  absl::StatusOr<bool> Fill();
  absl::StatusOr<std::string> ReadHead();
  absl::Status ReadBody(uint64_t length, Body keep, HttpResponse* response);
  absl::Status ReadChunks(Body keep, HttpResponse* response);
  absl::StatusOr<std::string> ReadLine();

  const std::string host_;
  const int port_;
  int fd_ = -1;
  std::string buffer_;  // received and not yet used
  std::string scratch_;
};

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_LOAD_HTTP_CONNECTION_H_
