#include "storage/image/canonical_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"

namespace varve {
namespace {

// What OCI's grammar has in the place of the colon before a port; no host name contains it.
constexpr std::string_view kPortMark = "__";
constexpr std::string_view kLocalhost = "localhost";

// As a number is written: so two texts are two ports.
bool IsPort(std::string_view text) {
  uint32_t port = 0;
  return !text.empty() && text[0] >= '1' && text[0] <= '9' &&
         text.find_first_not_of("0123456789") == std::string_view::npos &&
         absl::SimpleAtoi(ToAbsl(text), &port) && port <= 65535;
}

// Labels as Docker's grammar has them; the grammar of repository names knows the rest.
bool IsHostName(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
}

bool IsHost(std::string_view component) {
  return component.find_first_of(".:") != std::string_view::npos ||
         absl::EqualsIgnoreCase(ToAbsl(component), ToAbsl(kLocalhost));
}

// Of a host that may be followed by a port.
absl::StatusOr<std::string> HostInStore(std::string_view typed) {
  const std::string host = absl::AsciiStrToLower(ToAbsl(typed));
  const size_t colon = host.find(':');
  if (colon == std::string::npos) return host;
  const std::string_view name = std::string_view(host).substr(0, colon);
  const std::string_view port = std::string_view(host).substr(colon + 1);
  if (!IsHostName(name)) {
    return absl::InvalidArgumentError(
        "the host of a registry is made of letters, digits, '.' and '-'");
  }
  if (!IsPort(port)) {
    return absl::InvalidArgumentError("the port of a registry is a number from 1 to 65535");
  }
  return StrCat(name, kPortMark, port);
}

absl::Status CheckNoAddressInBrackets(std::string_view typed) {
  if (typed.substr(0, 1) != "[") return absl::OkStatus();
  return absl::InvalidArgumentError(
      "an IPv6 address cannot be the host of a repository name; write the registry's host name or "
      "its IPv4 address");
}

bool TellsNothing(std::string_view host, absl::Span<const std::string> own_hosts) {
  return host == "docker.io" || host == "index.docker.io" || host == kLocalhost ||
         std::find(own_hosts.begin(), own_hosts.end(), host) != own_hosts.end();
}

}  // namespace

absl::StatusOr<std::string> StoredHost(std::string_view typed) {
  RETURN_IF_ERROR(CheckNoAddressInBrackets(typed));
  ASSIGN_OR_RETURN(std::string host, HostInStore(typed));
  RETURN_IF_ERROR(ValidateRepositoryName(host));
  return host;
}

absl::StatusOr<std::string> StoredName(std::string_view typed) {
  RETURN_IF_ERROR(CheckNoAddressInBrackets(typed));
  const size_t slash = typed.find('/');
  const std::string_view first = typed.substr(0, slash);
  std::string stored(typed);
  if (slash != std::string_view::npos && IsHost(first)) {
    ASSIGN_OR_RETURN(const std::string host, HostInStore(first));
    stored = StrCat(host, typed.substr(slash));
  }
  RETURN_IF_ERROR(ValidateRepositoryName(stored));
  return stored;
}

std::string ShownName(std::string_view stored) {
  std::string shown(stored);
  const size_t slash = stored.find('/');
  if (slash == std::string_view::npos) return shown;
  const std::string_view first = stored.substr(0, slash);
  const size_t mark = first.rfind(kPortMark);
  if (mark == std::string_view::npos || !IsHostName(first.substr(0, mark)) ||
      !IsPort(first.substr(mark + kPortMark.size()))) {
    return shown;
  }
  return shown.replace(mark, kPortMark.size(), ":");
}

std::string_view CanonicalName(std::string_view stored, absl::Span<const std::string> own_hosts) {
  for (;;) {
    const size_t slash = stored.find('/');
    if (slash == std::string_view::npos) return stored;
    const std::string_view first = stored.substr(0, slash);
    const std::string_view rest = stored.substr(slash + 1);
    const bool official = first == "library" && rest.find('/') == std::string_view::npos;
    if (!official && !TellsNothing(first, own_hosts)) return stored;
    stored = rest;
  }
}

}  // namespace varve
