// A small blocking HTTP client over a raw socket, which also sends what no proper client would.
// Belongs to one test thread. Reads give up after ten seconds.
#ifndef VARVE_TESTS_DAEMON_HTTP_HTTP_CLIENT_H_
#define VARVE_TESTS_DAEMON_HTTP_HTTP_CLIENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve {

struct HttpResponse {
  int status = 0;  // 0: the connection ended, or broke, before a whole response
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string body;

  // The first value of a header; "" when absent.
  std::string Header(const std::string& name) const;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

class HttpClient {
 public:
  // From another address of this machine, such as "127.0.0.2", when one is given.
  explicit HttpClient(uint16_t port, const char* from = nullptr);
  explicit HttpClient(const std::string& socket_path);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool connected() const { return fd_ >= 0; }
  int descriptor() const { return fd_; }
  // A request with Content-Length (when it has a body, or is POST, PUT or PATCH), to Host localhost
  // unless `headers` say another.
  HttpResponse Do(std::string_view method, std::string_view target, std::string_view body = {},
                  const HttpHeaders& headers = {});
  // A request whose body goes out in chunks of `chunk_bytes`.
  HttpResponse DoChunked(std::string_view method, std::string_view target, std::string_view body,
                         size_t chunk_bytes);

  bool Send(std::string_view bytes);
  // `to_head`: the answer to HEAD, which has a length and no body.
  HttpResponse Read(bool to_head = false);
  // True when the server closes the connection (after whatever it still sends).
  bool ReadToEnd();
  // Closes with a reset, as a client that died.
  void Abandon();
  // Local receive buffer small: a reader that stalls fills it soon.
  void ShrinkReceiveBuffer();

 private:
  bool Fill();  // more bytes into buffer_

  int fd_ = -1;
  std::string buffer_;
};

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_HTTP_HTTP_CLIENT_H_
