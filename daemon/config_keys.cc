#include "daemon/config_keys.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/image_filter.h"
#include "storage/limits.h"

namespace varve {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

absl::Status SetText(std::string& target, std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("must not be empty");
  if (text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("must not contain a zero byte");
  }
  target = std::string(text);
  return absl::OkStatus();
}

absl::Status SetSize(uint64_t& target, std::string_view text) {
  ASSIGN_OR_RETURN(target, ParseSize(text));
  return absl::OkStatus();
}

absl::Status SetReserve(Config& config, std::string_view text) {
  RETURN_IF_ERROR(SetSize(config.reserve_bytes, text));
  if (config.reserve_bytes >= kMinReserveBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("\"", text, "\" must be at least ", kMinReserveBytes / kMiB,
             "MiB: less may not let deletions go on when the disk is full"));
}

absl::Status SetDuration(std::chrono::nanoseconds& target, std::string_view text,
                         const DurationRange& range) {
  ASSIGN_OR_RETURN(target, ParseDuration(text, range));
  return absl::OkStatus();
}

absl::Status SetBool(bool& target, std::string_view text) {
  if (text != "true" && text != "false") {
    return absl::InvalidArgumentError(StrCat("\"", text, "\" must be true or false"));
  }
  target = text == "true";
  return absl::OkStatus();
}

template <typename Value, size_t kCount>
absl::Status SetChoice(Value& target, std::string_view text,
                       const std::array<std::pair<std::string_view, Value>, kCount>& choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (name == text) {
      target = value;
      return absl::OkStatus();
    }
    names += StrCat(names.empty() ? "" : ", ", "\"", name, "\"");
  }
  return absl::InvalidArgumentError(StrCat("\"", text, "\" must be one of ", names));
}

absl::Status SetLevel(Config& config, std::string_view text) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels = {
      {{"debug", LogLevel::kDebug},
       {"info", LogLevel::kInfo},
       {"warning", LogLevel::kWarning},
       {"error", LogLevel::kError}}};
  return SetChoice(config.log_level, text, kLevels);
}

absl::Status SetFormat(Config& config, std::string_view text) {
  constexpr std::array<std::pair<std::string_view, LogFormat>, 2> kFormats = {
      {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}};
  return SetChoice(config.log_format, text, kFormats);
}

absl::Status SetSparse(Config& config, std::string_view text) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> kAnswers = {
      {{"reject", false}, {"accept", true}}};
  return SetChoice(config.accept_sparse_index, text, kAnswers);
}

absl::Status SetListen(Config& config, std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.substr(0, kUnix.size()) == kUnix) {
    RETURN_IF_ERROR(SetText(config.registry_socket, text.substr(kUnix.size())));
    config.registry = std::nullopt;
    return absl::OkStatus();
  }
  std::optional<ListenAddress> address;
  if (!text.empty()) {
    ASSIGN_OR_RETURN(address, ParseListenAddress(text));
  }
  config.registry = address;
  config.registry_socket.clear();
  return absl::OkStatus();
}

// The words of a value that has several.
std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    if (space != 0) words.emplace_back(text.substr(0, space));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return words;
}

absl::Status SetHostnames(Config& config, std::string_view text) {
  std::vector<std::string> names = SplitWords(text);
  for (std::string& name : names) {
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool valid = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
    });
    if (!valid && name != "*") {
      return absl::InvalidArgumentError(
          StrCat("\"", std::string_view(name),
                 "\" is not a host name; write names without port and with spaces between, such "
                 "as registry.example.com, or * for every name"));
    }
    if (valid && name.back() == '.') name.pop_back();
  }
  config.hostnames = std::move(names);
  return absl::OkStatus();
}

absl::Status SetLogFile(Config& config, std::string_view text) {
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; })) {
    return absl::InvalidArgumentError("must not contain control characters");
  }
  config.log_file = std::string(text);
  return absl::OkStatus();
}

absl::Status SetGrpcListen(Config& config, std::string_view text) {
  if (text.empty()) {
    config.grpc = std::nullopt;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(config.grpc, ParseListenAddress(text));
  return absl::OkStatus();
}

absl::Status SetSocket(Config& config, std::string_view text) {
  config.socket_path = std::string(text);  // empty: known at the end
  return absl::OkStatus();
}

absl::Status SetPruneEvery(Config& config, std::string_view text) {
  RETURN_IF_ERROR(SetDuration(config.prune_every, text, {seconds(0), hours(8760)}));
  if (config.prune_every == seconds(0) || config.prune_every >= seconds(60)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat("\"", text, "\" must be 0s or at least 1m"));
}

absl::Status SetTrustedProxies(Config& config, std::string_view text) {
  config.trusted_proxies = SplitWords(text);
  for (const std::string& proxy : config.trusted_proxies) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    if (proxy == "unix" || inet_pton(AF_INET, proxy.c_str(), address.data()) == 1 ||
        inet_pton(AF_INET6, proxy.c_str(), address.data()) == 1) {
      continue;
    }
    return absl::InvalidArgumentError(
        StrCat("\"", std::string_view(proxy),
               "\" is not an IP address; write addresses with spaces between, such as 127.0.0.1, "
               "or unix for a proxy behind a unix socket"));
  }
  return absl::OkStatus();
}

absl::Status SetPruneFilters(Config& config, std::string_view text) {
  config.prune_filters = SplitWords(text);
  return ParseImageFilter(config.prune_filters, PruneFilterKeys(), TimeReference()).status();
}

// The keys, in the order in which they are printed. One row a key: nothing else names them.
const ConfigKey kKeys[] = {
    {"store", "data_dir", ConfigKind::kText, "./varve-data", "--data-dir", "DIR", "VARVE_DATA_DIR",
     "Directory of the store; made when it does not exist, its parent must.",
     [](Config& c, std::string_view v) { return SetText(c.data_dir, v); }},
    {"store", "max_bytes", ConfigKind::kSize, "0", "", "", "",
     "Blob bytes the store may hold, such as \"200GiB\"; 0 = as much as the disk allows.",
     [](Config& c, std::string_view v) { return SetSize(c.max_bytes, v); }},
    {"store", "min_free", ConfigKind::kSize, "256MiB", "", "", "",
     "Disk space that uploads leave free; an upload that would take it is refused.",
     [](Config& c, std::string_view v) { return SetSize(c.min_free_bytes, v); }},
    {"store", "reserve", ConfigKind::kSize, "96MiB", "", "", "",
     "Preallocated space that only deletions may use, so that they work on a full disk; at least\n"
     "96MiB.",
     SetReserve},
    {"store", "canonical_names", ConfigKind::kBool, "true", "", "", "",
     "Take docker.io/library/debian, library/debian, localhost/debian and the registry's own\n"
     "address before a name for debian, unless there is a repository of exactly that name;\n"
     "false: every name is a repository of its own.",
     [](Config& c, std::string_view v) { return SetBool(c.canonical_names, v); }},
    {"grpc", "socket", ConfigKind::kText, "", "--socket", "PATH", "VARVE_SOCKET",
     "Unix socket of the gRPC API, for its owner and the group \"varve\"; its directory is made\n"
     "when it does not exist. Empty = where varve looks for it: /run/varve/varve.sock, or\n"
     "$XDG_RUNTIME_DIR/varve.sock for a user who may not write there; without that directory\n"
     "varve.sock beside the store.",
     SetSocket},
    {"grpc", "listen", ConfigKind::kText, "", "--grpc", "HOST:PORT", "VARVE_GRPC",
     "IP:PORT of the gRPC API beside the socket; empty = none, port 0 = any free one.",
     SetGrpcListen},
    {"grpc", "allow_remote", ConfigKind::kBool, "false", "", "", "",
     "Allow `listen` of this section to be other than a loopback address. There is no\n"
     "authentication: everybody who reaches the port may push and delete.",
     [](Config& c, std::string_view v) { return SetBool(c.grpc_allow_remote, v); }},
    {"registry", "listen", ConfigKind::kText, "127.0.0.1:5000", "--registry", "ADDRESS",
     "VARVE_REGISTRY",
     "IP:PORT of the OCI registry, port 0 = any free one; or unix:PATH, a socket for its owner "
     "and\n"
     "the group \"varve\"; empty = no registry.",
     SetListen},
    {"registry", "allow_remote", ConfigKind::kBool, "false", "", "", "",
     "Allow `listen` to be other than a loopback address. There is no authentication: everybody\n"
     "who reaches the port may push and delete.",
     [](Config& c, std::string_view v) { return SetBool(c.allow_remote, v); }},
    {"registry", "hostnames", ConfigKind::kText, "", "", "", "",
     "Names, with spaces between, that a proxy on this machine passes on as Host. Requests to a\n"
     "loopback address are refused (421) under any other name that has a dot, so that no web page\n"
     "reaches the registry under a name of its own. \"*\" = every name is taken.",
     SetHostnames},
    {"registry", "trusted_proxies", ConfigKind::kText, "", "", "", "",
     "IP addresses of proxies, with spaces between, whose X-Forwarded-For header says who sends;\n"
     "\"unix\" = whoever is behind a unix socket. So that the log names the client, and uploads "
     "of\n"
     "one client do not shut out those of others behind the same proxy.",
     SetTrustedProxies},
    {"registry", "read_only", ConfigKind::kBool, "false", "", "", "",
     "The registry answers only GET and HEAD; pushes and deletions are for the gRPC API.",
     [](Config& c, std::string_view v) { return SetBool(c.read_only, v); }},
    {"registry", "sparse_index", ConfigKind::kText, "reject", "", "", "",
     "An index that names a manifest, or an image that names a layer, which is not\n"
     "there: \"reject\" or \"accept\".",
     SetSparse},
    {"reclaim", "promise", ConfigKind::kDuration, "10m", "", "", "",
     "How long content stays after a client was told that it exists, 0s to 24h.",
     [](Config& c, std::string_view v) {
       return SetDuration(c.promise, v, {seconds(0), hours(24)});
     }},
    {"reclaim", "renew", ConfigKind::kDuration, "1h", "", "", "",
     "Pushes to a repository, and pulls from it, make what was promised there stay so long\n"
     "after it was promised, 0s to 24h; not while less than [store] min_free is free.",
     [](Config& c, std::string_view v) {
       return SetDuration(c.renew, v, {seconds(0), hours(24)});
     }},
    {"reclaim", "upload_expiry", ConfigKind::kDuration, "24h", "", "", "",
     "An upload that nobody continued for so long is dropped, 1s to 8760h.",
     [](Config& c, std::string_view v) {
       return SetDuration(c.upload_expiry, v, {seconds(1), hours(8760)});
     }},
    {"reclaim", "interval", ConfigKind::kDuration, "10s", "", "", "",
     "Pause between two looks at what can be reclaimed, 100ms to 24h.",
     [](Config& c, std::string_view v) {
       return SetDuration(c.reclaim_interval, v, {milliseconds(100), hours(24)});
     }},
    {"prune", "every", ConfigKind::kDuration, "0s", "", "", "",
     "Remove images by itself so often, 1m to 8760h; 0s = never. `varve image prune --dry-run`\n"
     "with the same filters shows what would go.",
     SetPruneEvery},
    {"prune", "filters", ConfigKind::kText, "", "", "", "",
     "Which images, as `varve image prune --filter` takes it, with spaces between: \n"
     "\"unused-for=720h keep-last=3\".",
     SetPruneFilters},
    {"prune", "all", ConfigKind::kBool, "false", "", "", "",
     "Also images that have tags, when they are not in use; only together with filters.",
     [](Config& c, std::string_view v) { return SetBool(c.prune_all, v); }},
    {"log", "format", ConfigKind::kText, "text", "--log-format", "FORMAT", "",
     "One line an event: \"text\" for people or \"json\" for machines.", SetFormat},
    {"log", "file", ConfigKind::kText, "", "", "", "",
     "File that lines are added to, opened again on SIGHUP (for logrotate); empty = standard "
     "error.",
     SetLogFile},
    {"log", "level", ConfigKind::kText, "info", "--log-level", "LEVEL", "",
     "\"debug\", \"info\", \"warning\" or \"error\".", SetLevel},
    {"server", "drain_timeout", ConfigKind::kDuration, "30s", "", "", "",
     "After SIGTERM running requests get so long to finish, 0s to 1h.",
     [](Config& c, std::string_view v) {
       return SetDuration(c.drain_timeout, v, {seconds(0), hours(1)});
     }},
};

}  // namespace

absl::Span<const ConfigKey> ConfigKeys() { return kKeys; }

const ConfigKey* FindConfigKey(std::string_view section, std::string_view name) {
  for (const ConfigKey& key : kKeys) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

std::string ConfigVariable(const ConfigKey& key) {
  std::string name = StrCat("VARVE_", key.section, "_", key.name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

}  // namespace varve
