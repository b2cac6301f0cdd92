// The head of an HTTP request, as far as an OCI registry looks at it. Value type.
#ifndef VARVE_DAEMON_HTTP_REQUEST_H_
#define VARVE_DAEMON_HTTP_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>

namespace varve {

struct Request {
  std::string method;
  std::string target;
  std::string host;  // a valid authority, or empty
  std::string content_type;
  std::string content_range;
  std::string range;
  std::string if_range;
  std::string if_none_match;
  std::string request_id;
  std::string lease;
  std::string user_agent;
  std::string forwarded_for;   // all X-Forwarded-For, joined by commas
  std::string origin;          // the site of the web page that sends this, when one does
  std::string sec_fetch_site;  // how that site relates to this one, as the browser sees it
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool http_1_0 = false;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_REQUEST_H_
