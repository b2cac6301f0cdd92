// Configuration of varved: a table of keys, each with its documentation, default and validator, and
// four layers of values, the later one winning: default, file (TOML), environment, flag.
//
// A value in any layer is checked, also one that a later layer replaces. Every error is
// InvalidArgument and begins with the place: "varved.toml:7: [registry] lisen: …",
// "VARVE_REGISTRY_LISTEN: …" or "--registry: …". Loaded once, before the first thread; a Config is
// constant afterwards.
#ifndef VARVE_DAEMON_CONFIG_H_
#define VARVE_DAEMON_CONFIG_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/config_values.h"
#include "daemon/log.h"

namespace varve {

struct Config {
  std::string data_dir;
  uint64_t max_bytes = 0;
  uint64_t min_free_bytes = 0;
  uint64_t reserve_bytes = 0;
  bool canonical_names = true;
  std::string socket_path;
  std::optional<ListenAddress> grpc;  // TCP beside the socket
  bool grpc_allow_remote = false;
  std::optional<ListenAddress> registry;
  std::string registry_socket;         // instead of `registry`; with neither there is no registry
  bool allow_remote = false;           // of `registry`
  std::vector<std::string> hostnames;  // in lower case
  std::vector<std::string> trusted_proxies;
  bool read_only = false;  // of the registry
  bool accept_sparse_index = false;
  std::chrono::nanoseconds promise{};
  std::chrono::nanoseconds renew{};  // of promises, by activity
  std::chrono::nanoseconds upload_expiry{};
  std::chrono::nanoseconds reclaim_interval{};
  std::chrono::nanoseconds prune_every{};  // 0: never
  std::vector<std::string> prune_filters;
  bool prune_all = false;
  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;  // empty: standard error
  std::chrono::nanoseconds drain_timeout{};

  // Every key as commented TOML with its effective value and where that came from. A config file
  // with this text gives the same configuration.
  std::string effective_toml;
};

using NameValue = std::pair<std::string, std::string>;

struct ConfigSources {
  std::string file;                    // of --config; empty: VARVE_CONFIG, else no file
  std::vector<NameValue> environment;  // all variables; those that are not ours are passed over
  std::vector<NameValue> flags;        // {"--data-dir", "/var/lib/varve"}
  std::string system_socket_directory = {};  // empty: as storage/base/default_socket.h says
};

absl::StatusOr<Config> LoadConfig(const ConfigSources& sources);

// The environment of this process, for ConfigSources.
std::vector<NameValue> ProcessEnvironment();

struct ConfigFlag {
  std::string_view name;        // "--data-dir"
  std::string_view value_name;  // "DIR"
  std::string_view documentation;
};

// The flags that set a key, in the order of the table.
std::vector<ConfigFlag> ConfigFlags();

}  // namespace varve

#endif  // VARVE_DAEMON_CONFIG_H_
