// Which requests this door takes at all, whatever they ask for. A browser lets every web page send
// requests to 127.0.0.1, and a page whose own name is made to resolve to 127.0.0.1 (DNS rebinding)
// may read the answers too. So a request that came in through a loopback address must name this
// machine, one that changes something must not come from the page of another site, and a read-only
// registry changes nothing for anybody.
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/authority.h"
#include "daemon/http/handlers.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

bool ChangesSomething(std::string_view method) { return method != "GET" && method != "HEAD"; }

// Whom the request is meant for: a target in absolute form says it instead of Host (RFC 9112).
std::optional<Authority> MeantFor(const Request& request) {
  const std::string_view target = request.target;
  const size_t scheme = target.find("://");
  if (target.empty() || target[0] == '/' || scheme == std::string_view::npos) {
    return ParseAuthority(request.host);
  }
  const std::string_view rest = target.substr(scheme + 3);
  return ParseAuthority(rest.substr(0, rest.find_first_of("/?#")));
}

Reply MisdirectedReply(const std::string& host) {
  return ErrorReply(421, "DENIED",
                    StrCat("this registry is not known as ", host, " on this address: add ", host,
                           " to [registry] hostnames in the daemon's configuration, or use an IP "
                           "address or localhost"));
}

bool ComesFromAForeignPage(const Request& request, const Authority& host) {
  const std::string& site = request.sec_fetch_site;
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  return !request.origin.empty() && !IsOriginOf(request.origin, host);
}

}  // namespace

std::optional<Reply> RefuseAdmission(const Exchange& exchange) {
  const Request& request = exchange.request;
  const Endpoint endpoint = exchange.route.endpoint;
  if (endpoint == Endpoint::kLive || endpoint == Endpoint::kReady) return std::nullopt;
  const bool changes = ChangesSomething(request.method);
  if (!changes && !exchange.ends.to_loopback) return std::nullopt;
  const std::optional<Authority> host = MeantFor(request);
  if (!host.has_value()) {
    return ErrorReply(400, "UNSUPPORTED", "the request target names no valid host");
  }
  if (exchange.ends.to_loopback && !NamesThisMachine(host->host, exchange.options.hostnames)) {
    return MisdirectedReply(host->host);
  }
  if (!changes) return std::nullopt;
  if (ComesFromAForeignPage(request, *host)) {
    return ErrorReply(403, "DENIED", "web pages of other sites may not change this registry");
  }
  if (exchange.options.read_only) {
    Reply reply = ErrorReply(405, "UNSUPPORTED",
                             "this registry is read-only: [registry] read_only is set in the "
                             "daemon's configuration");
    reply.AddHeader("Allow", "GET, HEAD");
    return reply;
  }
  return std::nullopt;
}

}  // namespace varve
