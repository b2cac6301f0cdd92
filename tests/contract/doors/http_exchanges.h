// Requests to the HTTP door of a live server, and what its answers mean as absl::Status: the table
// of daemon/status_mapping.h read backwards. Thread-safe; each request has a connection to itself.
#ifndef VARVE_TESTS_CONTRACT_DOORS_HTTP_EXCHANGES_H_
#define VARVE_TESTS_CONTRACT_DOORS_HTTP_EXCHANGES_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "daemon/status_mapping.h"
#include "storage/base/mutex.h"
#include "tests/daemon/http/http_client.h"

namespace varve {

class HttpExchanges {
 public:
  explicit HttpExchanges(uint16_t port) : port_(port) {}

  // Status 0 when the connection breaks.
  HttpResponse Do(std::string_view method, std::string_view target, std::string_view body = {},
                  const HttpHeaders& headers = {}) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::unique_ptr<HttpClient> TakeIdle() ABSL_LOCKS_EXCLUDED(mutex_);

  const uint16_t port_;
  Mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> idle_ ABSL_GUARDED_BY(mutex_);
};

// OK for 2xx. The code whose answer this is for a request that is about `about`, with the message
// of the answer, or, of a HEAD, which has no body, by its number alone.
absl::Status StatusOf(const HttpResponse& response, About about);

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_HTTP_EXCHANGES_H_
