#include "daemon/http/authority.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

namespace varve {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool IsHexDigit(char c) {
  const char lower = ToLower(c);
  return IsDigit(c) || (lower >= 'a' && lower <= 'f');
}

// Unreserved characters and delimiters of RFC 3986: what a name may have beside escapes.
bool IsNameCharacter(char c) {
  constexpr std::string_view kOthers = "-._~!$&'()*+,;=";
  const char lower = ToLower(c);
  return IsDigit(c) || (lower >= 'a' && lower <= 'z') || kOthers.find(c) != std::string_view::npos;
}

bool IsName(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsNameCharacter(text[i])) continue;
    if (text[i] != '%' || i + 2 >= text.size()) return false;
    if (!IsHexDigit(text[i + 1]) || !IsHexDigit(text[i + 2])) return false;
    i += 2;
  }
  return true;
}

// What is between the brackets: an IPv6 address, or the form that RFC 3986 keeps for later ones.
bool IsBracketedAddress(const std::string& text) {
  in6_addr ignored{};
  if (inet_pton(AF_INET6, text.c_str(), &ignored) == 1) return true;
  const size_t dot = text.find('.');
  if (dot == std::string::npos || dot < 2 || ToLower(text[0]) != 'v') return false;
  if (!std::all_of(text.begin() + 1, text.begin() + static_cast<ptrdiff_t>(dot), IsHexDigit)) {
    return false;
  }
  const std::string_view rest = std::string_view(text).substr(dot + 1);
  return !rest.empty() && std::all_of(rest.begin(), rest.end(),
                                      [](char c) { return c == ':' || IsNameCharacter(c); });
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

}  // namespace

std::optional<Authority> ParseAuthority(std::string_view text) {
  Authority authority;
  const bool bracketed = !text.empty() && text[0] == '[';
  const size_t close = bracketed ? text.find(']') : 0;
  if (close == std::string_view::npos) return std::nullopt;
  const size_t colon = text.find(':', close);
  std::string_view host = text.substr(0, colon);
  if (colon != std::string_view::npos) authority.port = text.substr(colon + 1);
  if (!std::all_of(authority.port.begin(), authority.port.end(), IsDigit)) return std::nullopt;
  if (bracketed) {
    if (close + 1 != host.size()) return std::nullopt;
    if (!IsBracketedAddress(std::string(host.substr(1, close - 1)))) return std::nullopt;
  } else if (!IsName(host)) {
    return std::nullopt;
  }
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  authority.host = host;
  std::transform(authority.host.begin(), authority.host.end(), authority.host.begin(), ToLower);
  return authority;
}

bool NamesThisMachine(const std::string& host, const std::vector<std::string>& hostnames) {
  if (host.find_first_of(".%") == std::string::npos || host[0] == '[') return true;
  in_addr ignored{};
  if (inet_pton(AF_INET, host.c_str(), &ignored) == 1) return true;
  if (EndsWith(host, ".localhost")) return true;
  return std::any_of(hostnames.begin(), hostnames.end(),
                     [&host](const std::string& name) { return name == "*" || name == host; });
}

bool IsOriginOf(std::string_view origin, const Authority& host) {
  const size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;  // "null": a page that hides where it is from
  const std::optional<Authority> page = ParseAuthority(origin.substr(scheme + 3));
  if (!page.has_value()) return false;
  // A browser leaves the usual port out, a proxy may not.
  const std::string_view usual = origin.substr(0, scheme) == "https" ? "443" : "80";
  const auto port = [usual](const Authority& of) {
    return of.port.empty() ? usual : std::string_view(of.port);
  };
  return page->host == host.host && port(*page) == port(host);
}

}  // namespace varve
