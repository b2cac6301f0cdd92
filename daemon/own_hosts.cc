#include "daemon/own_hosts.h"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"

namespace varve {
namespace {

constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

void Add(std::string_view typed, std::vector<std::string>* hosts) {
  absl::StatusOr<std::string> host = StoredHost(typed);
  if (host.ok()) hosts->push_back(*std::move(host));
}

void AddWithPort(std::string_view name, uint16_t port, std::vector<std::string>* hosts) {
  if (port != 0) Add(StrCat(name, ":", port), hosts);
}

}  // namespace

std::vector<std::string> OwnHosts(const std::optional<ListenAddress>& listen,
                                  const std::vector<std::string>& hostnames,
                                  std::string_view machine) {
  std::vector<std::string> hosts;
  const uint16_t port = listen.has_value() ? listen->port : 0;
  if (listen.has_value()) {
    const bool every_address = listen->host == "0.0.0.0" || listen->host == "::";
    const bool local = listen->host == "127.0.0.1" || listen->host == "::1";
    if (every_address || local) AddWithPort("localhost", port, &hosts);
    AddWithPort(every_address ? "127.0.0.1" : std::string_view(listen->host), port, &hosts);
    if (every_address) AddWithPort(machine, port, &hosts);
  }
  for (const std::string& name : hostnames) {
    if (name.find('.') != std::string::npos) Add(name, &hosts);
    for (const uint16_t one : {kHttpPort, kHttpsPort, port}) AddWithPort(name, one, &hosts);
  }
  return hosts;
}

std::string MachineName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace varve
