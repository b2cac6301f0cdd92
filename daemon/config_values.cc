#include "daemon/config_values.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr std::array<std::pair<std::string_view, uint64_t>, 10> kUnits = {{
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"KiB", 1ULL << 10},
    {"MiB", 1ULL << 20},
    {"GiB", 1ULL << 30},
    {"TiB", 1ULL << 40},
}};

absl::Status BadSize(std::string_view text) {
  return absl::InvalidArgumentError(
      StrCat("\"", text, "\" is not a size; write bytes or a whole number with a unit, such as ",
             "4096, 500MB or 20GiB"));
}

absl::Status BadListen(std::string_view text) {
  return absl::InvalidArgumentError(
      StrCat("\"", text, "\" is not an address to listen on; write IP:PORT, such as ",
             "127.0.0.1:5000 or [::1]:5000"));
}

bool ParsePort(std::string_view text, uint16_t* port) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *port);
  return result.ec == std::errc() && result.ptr == end;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  const char* end = text.data() + text.size();
  uint64_t number = 0;
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec == std::errc::result_out_of_range) {
    return absl::InvalidArgumentError(StrCat("\"", text, "\" is too large"));
  }
  if (result.ec != std::errc()) return BadSize(text);
  const std::string_view unit(result.ptr, static_cast<size_t>(end - result.ptr));
  const auto* found = std::find_if(kUnits.begin(), kUnits.end(),
                                   [unit](const auto& known) { return known.first == unit; });
  if (found == kUnits.end()) return BadSize(text);
  // Offsets of files are signed 64-bit.
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (number > kMax / found->second) {
    return absl::InvalidArgumentError(StrCat("\"", text, "\" is too large"));
  }
  return number * found->second;
}

absl::StatusOr<std::chrono::nanoseconds> ParseDuration(std::string_view text,
                                                       const DurationRange& range) {
  absl::Duration duration;
  if (!absl::ParseDuration(ToAbsl(text), &duration)) {
    return absl::InvalidArgumentError(
        StrCat("\"", text, "\" is not a duration; write such as 500ms, 10m or 1h30m"));
  }
  const absl::Duration min = absl::FromChrono(range.min);
  const absl::Duration max = absl::FromChrono(range.max);
  if (duration < min || duration > max) {
    return absl::InvalidArgumentError(StrCat("\"", text, "\" must be between ",
                                             absl::FormatDuration(min), " and ",
                                             absl::FormatDuration(max)));
  }
  return absl::ToChronoNanoseconds(duration);
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return BadListen(text);
  ListenAddress address;
  if (!ParsePort(text.substr(colon + 1), &address.port)) return BadListen(text);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) host = "0.0.0.0";
  if (host == "localhost") host = "127.0.0.1";
  address.host = std::string(host);
  in_addr v4{};
  in6_addr v6{};
  if (!bracketed && inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
    address.loopback = (ntohl(v4.s_addr) >> 24) == 127;
  } else if (bracketed && inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) {
    address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
  } else {
    return BadListen(text);
  }
  return address;
}

std::string_view NearestWord(std::string_view word, const std::string_view* candidates,
                             size_t count) {
  std::string_view nearest;
  size_t best = std::min<size_t>(3, word.size() / 2 + 1);  // farther is a guess, not a typo
  for (size_t i = 0; i < count; ++i) {
    const size_t distance = EditDistance(word.substr(0, 64), candidates[i]);
    if (distance < best) {
      best = distance;
      nearest = candidates[i];
    }
  }
  return nearest;
}

}  // namespace varve
