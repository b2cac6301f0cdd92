// Whom a request says it is meant for, and whose web page sent it. Pure functions of untrusted
// text; thread-safe; memory in proportion to the input.
#ifndef VARVE_DAEMON_HTTP_AUTHORITY_H_
#define VARVE_DAEMON_HTTP_AUTHORITY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// Host and port as a Host header, an origin or an absolute request target names them.
struct Authority {
  std::string host;  // in lower case, without a final dot; an IPv6 address keeps its brackets
  std::string port;  // digits; empty when none is given
};

// By the grammar of RFC 3986, without a user. Empty text names no host, which is allowed. nullopt
// when malformed.
std::optional<Authority> ParseAuthority(std::string_view text);

// True for a host that no stranger can make resolve to this machine: an IP address, a name without
// a dot, what is below localhost, and what is in `hostnames` ("*" is every host).
bool NamesThisMachine(const std::string& host, const std::vector<std::string>& hostnames);

// True when `origin`, the value of an Origin header, is a page of `host`.
bool IsOriginOf(std::string_view origin, const Authority& host);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_AUTHORITY_H_
