// The value syntaxes of the configuration: sizes, durations, listen addresses. Each parser takes
// the text as a person wrote it and answers InvalidArgument with a sentence that shows the right
// form. Pure functions, any thread.
#ifndef VARVE_DAEMON_CONFIG_VALUES_H_
#define VARVE_DAEMON_CONFIG_VALUES_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve {

// "20GiB", "10GB", "4096": a whole number of bytes, kB, MB, GB, TB, KiB, MiB, GiB or TiB.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);

struct DurationRange {
  std::chrono::nanoseconds min;
  std::chrono::nanoseconds max;
};

// "10m", "1h30m", "500ms"; outside of `range` is InvalidArgument.
absl::StatusOr<std::chrono::nanoseconds> ParseDuration(std::string_view text,
                                                       const DurationRange& range);

struct ListenAddress {
  std::string host;  // an IP address, without brackets
  uint16_t port = 0;
  bool loopback = false;
};

// "127.0.0.1:5000", "[::1]:5000", "localhost:5000" (is 127.0.0.1), ":5000" (every address).
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

// The entry of `candidates` that `word` was most likely meant to be; empty when none is near.
std::string_view NearestWord(std::string_view word, const std::string_view* candidates,
                             size_t count);

}  // namespace varve

#endif  // VARVE_DAEMON_CONFIG_VALUES_H_
