#include "daemon/http/upload_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace varve {
namespace {

// An address in the one form that the system prints; an IPv4 address within IPv6 as IPv4.
struct Address {
  std::string text;
  std::string network;
};

std::optional<Address> ParseAddress(std::string_view text) {
  const std::string copy(text);
  std::array<char, INET6_ADDRSTRLEN> printed{};
  in_addr v4{};
  in6_addr v6{};
  const auto print_v4 = [&]() -> std::optional<Address> {
    inet_ntop(AF_INET, &v4, printed.data(), printed.size());
    return Address{printed.data(), printed.data()};
  };
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) return print_v4();
  if (inet_pton(AF_INET6, copy.c_str(), &v6) != 1) return std::nullopt;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::memcpy(&v4, &v6.s6_addr[12], sizeof(v4));
    return print_v4();
  }
  Address address;
  inet_ntop(AF_INET6, &v6, printed.data(), printed.size());
  address.text = printed.data();
  std::fill(&v6.s6_addr[8], &v6.s6_addr[0] + 16, uint8_t{0});
  inet_ntop(AF_INET6, &v6, printed.data(), printed.size());
  address.network = std::string(printed.data()) + "/64";
  return address;
}

// What stands for every process behind a unix socket.
constexpr std::string_view kUnixPeer = "unix";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The last address that no trusted proxy vouches for.
Address FindClient(std::string_view peer, std::string_view forwarded_for,
                   const std::vector<std::string>& trusted_proxies) {
  std::optional<Address> client = ParseAddress(peer);
  if (!client.has_value()) client = Address{std::string(kUnixPeer), std::string(peer)};
  const auto is_trusted = [&](const Address& address) {
    return std::any_of(trusted_proxies.begin(), trusted_proxies.end(),
                       [&](const std::string& proxy) {
                         const std::optional<Address> trusted = ParseAddress(proxy);
                         return (trusted.has_value() ? trusted->text : proxy) == address.text;
                       });
  };
  while (!forwarded_for.empty() && is_trusted(*client)) {
    const size_t comma = forwarded_for.rfind(',');
    const bool last = comma == std::string_view::npos;
    const std::optional<Address> next =
        ParseAddress(Trimmed(last ? forwarded_for : forwarded_for.substr(comma + 1)));
    if (!next.has_value()) break;
    client = next;
    forwarded_for = last ? std::string_view() : forwarded_for.substr(0, comma);
  }
  return *client;
}

}  // namespace

std::string ClientAddress(std::string_view peer, std::string_view forwarded_for,
                          const std::vector<std::string>& trusted_proxies) {
  // Nearly every request: nothing is parsed.
  if (forwarded_for.empty() || trusted_proxies.empty()) return std::string(peer);
  Address client = FindClient(peer, forwarded_for, trusted_proxies);
  return client.text == kUnixPeer ? std::string(peer) : client.text;
}

std::string UploadClient(std::string_view peer, std::string_view forwarded_for,
                         const std::vector<std::string>& trusted_proxies) {
  return FindClient(peer, forwarded_for, trusted_proxies).network;
}

}  // namespace varve
