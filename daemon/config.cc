#include "daemon/config.h"

#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <sstream>

#include "absl/status/status.h"
#include "daemon/config_keys.h"
#include "storage/base/default_socket.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

// Header-only and without exceptions: a parse error is a value.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace varve {
namespace {

constexpr size_t kMaxConfigFileBytes = 1 << 20;  // a config with every key is about 2 kB

std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view near = NearestWord(word, candidates.data(), candidates.size());
  return near.empty() ? std::string() : StrCat("; did you mean ", near, "?");
}

size_t IndexOf(const ConfigKey& key) { return static_cast<size_t>(&key - ConfigKeys().data()); }

absl::StatusOr<std::string> ReadText(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  std::string content(kMaxConfigFileBytes + 1, '\0');
  if (file != nullptr) content.resize(std::fread(content.data(), 1, content.size(), file.get()));
  if (file == nullptr || std::ferror(file.get()) != 0) {
    return absl::InvalidArgumentError(
        StrCat(path, ": cannot be read; does the file exist, and may this user read it?"));
  }
  if (content.size() > kMaxConfigFileBytes) {
    return absl::InvalidArgumentError(StrCat(path, ": larger than 1 MiB: not a config file"));
  }
  return content;
}

// Collects the layers. A value is checked as soon as it is read.
class Loader {
 public:
  Loader() {
    for (const ConfigKey& key : ConfigKeys()) {
      const absl::Status status = Set(key, key.default_text, "default");
      (void)status;  // defaults are valid: config_test
    }
  }

  absl::Status ReadFile(const std::string& path);
  absl::Status ReadEnvironment(const std::vector<NameValue>& environment);
  absl::Status ReadFlags(const std::vector<NameValue>& flags);
  // `places` for the socket, when nothing names it.
  absl::StatusOr<Config> Finish(const SocketPlaces& places);

 private:
  struct Value {
    std::string text;
    std::string place;  // of the value, as an error message names it
  };

  Value& value(const ConfigKey& key) { return values_[IndexOf(key)]; }

  absl::Status Set(const ConfigKey& key, std::string_view text, std::string_view place) {
    const absl::Status status = key.set(config_, text);
    if (!status.ok()) return Annotate(status, place);
    value(key) = {std::string(text), std::string(place)};
    return absl::OkStatus();
  }

  absl::Status ReadSection(const std::string& path, std::string_view section,
                           const toml::table& table);
  absl::Status ReadEntry(const std::string& place, const ConfigKey& key, const toml::node& node);
  // `address` is what the key `listen` of `section` says.
  absl::Status CheckReach(std::string_view section, const ListenAddress& address,
                          bool allow_remote);
  absl::Status CheckPrune();
  // `path` is what `from` says, and `flag` sets it.
  static absl::Status CheckSocket(const std::string& path, const Value& from,
                                  std::string_view flag);
  std::string EffectiveToml();

  Config config_;
  std::vector<Value> values_ = std::vector<Value>(ConfigKeys().size());
};

absl::Status Loader::ReadFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, ReadText(path));
  const toml::parse_result parsed = toml::parse(content, std::string_view(path));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return absl::InvalidArgumentError(
        StrCat(path, ":", error.source().begin.line, ": ", std::string_view(error.description())));
  }
  for (const auto& [section, node] : parsed.table()) {
    const std::string place = StrCat(path, ":", section.source().begin.line, ": ");
    std::vector<std::string_view> sections;
    for (const ConfigKey& key : ConfigKeys()) sections.push_back(key.section);
    if (std::find(sections.begin(), sections.end(), section.str()) == sections.end()) {
      return absl::InvalidArgumentError(StrCat(place, "[", section.str(), "]: unknown section",
                                               DidYouMean(section.str(), sections)));
    }
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      return absl::InvalidArgumentError(
          StrCat(place, section.str(), " is a section; write [", section.str(), "]"));
    }
    RETURN_IF_ERROR(ReadSection(path, section.str(), *table));
  }
  return absl::OkStatus();
}

absl::Status Loader::ReadSection(const std::string& path, std::string_view section,
                                 const toml::table& table) {
  for (const auto& [name, node] : table) {
    const std::string place =
        StrCat(path, ":", name.source().begin.line, ": [", section, "] ", name.str());
    const ConfigKey* key = FindConfigKey(section, name.str());
    if (key == nullptr) {
      std::vector<std::string_view> names;
      for (const ConfigKey& known : ConfigKeys()) {
        if (known.section == section) names.push_back(known.name);
      }
      return absl::InvalidArgumentError(
          StrCat(place, ": unknown key", DidYouMean(name.str(), names)));
    }
    RETURN_IF_ERROR(ReadEntry(place, *key, node));
  }
  return absl::OkStatus();
}

absl::Status Loader::ReadEntry(const std::string& place, const ConfigKey& key,
                               const toml::node& node) {
  if (key.kind == ConfigKind::kBool) {
    const toml::value<bool>* answer = node.as_boolean();
    if (answer == nullptr) {
      return absl::InvalidArgumentError(StrCat(place, ": must be true or false, without quotes"));
    }
    return Set(key, answer->get() ? "true" : "false", place);
  }
  if (const toml::value<int64_t>* number = node.as_integer();
      number && key.kind == ConfigKind::kSize) {
    return Set(key, StrCat(number->get()), place);
  }
  const toml::value<std::string>* text = node.as_string();
  if (text == nullptr) {
    return absl::InvalidArgumentError(
        StrCat(place, ": must be text in quotes, such as \"", key.default_text, "\""));
  }
  return Set(key, text->get(), place);
}

// Kubernetes sets such variables for a service that happens to be called varve-registry.
bool IsServiceLink(std::string_view name) {
  for (std::string_view part : {"_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return name.size() > 5 && name.substr(name.size() - 5) == "_PORT";
}

// OK when `name` is not about this daemon's settings.
absl::Status CheckUnknownVariable(std::string_view name) {
  if (IsServiceLink(name)) return absl::OkStatus();
  std::vector<std::string> names;
  bool ours = false;
  for (const ConfigKey& key : ConfigKeys()) {
    names.push_back(ConfigVariable(key));
    const size_t prefix = names.back().size() - key.name.size();
    ours |= name.substr(0, prefix) == std::string_view(names.back()).substr(0, prefix);
  }
  if (!ours) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(name, ": no such setting", DidYouMean(name, {names.begin(), names.end()})));
}

absl::Status Loader::ReadEnvironment(const std::vector<NameValue>& environment) {
  std::vector<std::string> seen(ConfigKeys().size());
  for (const auto& [name, text] : environment) {
    if (name.rfind("VARVE_", 0) != 0) continue;
    const ConfigKey* found = nullptr;
    for (const ConfigKey& key : ConfigKeys()) {
      if (ConfigVariable(key) == name || key.alias == name) found = &key;
    }
    if (found == nullptr) {
      RETURN_IF_ERROR(CheckUnknownVariable(name));
      continue;
    }
    if (text.empty()) continue;  // as unset: the usual way to say so in a container file
    std::string& other = seen[IndexOf(*found)];
    if (!other.empty() && value(*found).text != text) {
      return absl::InvalidArgumentError(
          StrCat(name, ": contradicts ", other, "; set only one of them"));
    }
    other = name;
    RETURN_IF_ERROR(Set(*found, text, name));
  }
  return absl::OkStatus();
}

absl::Status Loader::ReadFlags(const std::vector<NameValue>& flags) {
  for (const auto& [name, text] : flags) {
    const ConfigKey* found = nullptr;
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.flag == name) found = &key;
    }
    if (found == nullptr) return absl::InvalidArgumentError(StrCat(name, ": unknown flag"));
    RETURN_IF_ERROR(Set(*found, text, name));
  }
  return absl::OkStatus();
}

std::string Quoted(std::string_view text) {
  std::ostringstream stream;
  stream << toml::toml_formatter(toml::value<std::string>(text), toml::format_flags::none);
  return stream.str();
}

std::string Loader::EffectiveToml() {
  std::string out;
  std::string_view section;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section != section) {
      out += StrCat(section.empty() ? "" : "\n", "[", key.section, "]\n");
      section = key.section;
    }
    out += "# ";
    for (char c : key.documentation) {
      out += c;
      if (c == '\n') out += "# ";
    }
    const Value& effective = value(key);
    out += StrCat("\n", key.name, " = ",
                  key.kind == ConfigKind::kBool ? effective.text : Quoted(effective.text),
                  "  # from ");
    // A file's name may contain anything but must not end the comment.
    for (char c : effective.place) out += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    out += "\n";
  }
  return out;
}

absl::Status Loader::CheckReach(std::string_view section, const ListenAddress& address,
                                bool allow_remote) {
  if (address.loopback || allow_remote) return absl::OkStatus();
  const Value& listen = value(*FindConfigKey(section, "listen"));
  return absl::InvalidArgumentError(
      StrCat(listen.place, ": ", listen.text,
             " is not a loopback address, and there is no authentication yet: everybody who "
             "reaches it may push and delete. Set [",
             section, "] allow_remote = true (or ",
             ConfigVariable(*FindConfigKey(section, "allow_remote")), "=true) to accept that"));
}

// Nobody is asked, so what a prune of all takes must have been chosen.
absl::Status Loader::CheckPrune() {
  bool chooses = false;
  bool means_all = config_.prune_all;
  for (const std::string& filter : config_.prune_filters) {
    if (filter == "dangling=false" || filter == "dangling=0") means_all = true;
    chooses = chooses || filter.rfind("dangling=", 0) != 0;
  }
  if (!means_all || chooses) return absl::OkStatus();
  const Value& all = value(*FindConfigKey("prune", config_.prune_all ? "all" : "filters"));
  return absl::InvalidArgumentError(StrCat(
      all.place,
      ": [prune] all would remove every image that has no hold; say which with filters, such "
      "as unused-for=720h"));
}

absl::Status Loader::CheckSocket(const std::string& path, const Value& from,
                                 std::string_view flag) {
  constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() <= kMaxSocketPath && path.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      StrCat(from.place, ": ", path, " is not a path that a unix socket can have (at most ",
             kMaxSocketPath, " bytes); set a shorter one with ", flag));
}

absl::StatusOr<Config> Loader::Finish(const SocketPlaces& places) {
  RETURN_IF_ERROR(CheckPrune());
  if (config_.registry) {
    RETURN_IF_ERROR(CheckReach("registry", *config_.registry, config_.allow_remote));
  }
  if (config_.grpc) RETURN_IF_ERROR(CheckReach("grpc", *config_.grpc, config_.grpc_allow_remote));
  Value& socket = value(*FindConfigKey("grpc", "socket"));
  if (config_.socket_path.empty()) {
    config_.socket_path = SocketToServe(places, config_.data_dir);
    socket.text = config_.socket_path;
  }
  RETURN_IF_ERROR(CheckSocket(config_.socket_path, socket, "--socket"));
  const Value& registry = value(*FindConfigKey("registry", "listen"));
  RETURN_IF_ERROR(CheckSocket(config_.registry_socket, registry, "--registry"));
  if (config_.registry_socket == config_.socket_path) {
    return absl::InvalidArgumentError(StrCat(registry.place, ": ", config_.socket_path,
                                             " is the socket of the gRPC API; choose another"));
  }
  config_.effective_toml = EffectiveToml();
  return config_;
}

}  // namespace

absl::StatusOr<Config> LoadConfig(const ConfigSources& sources) {
  Loader loader;
  std::string file = sources.file;
  SocketPlaces places;
  if (!sources.system_socket_directory.empty()) {
    places.system_directory = sources.system_socket_directory;
  }
  for (const auto& [name, text] : sources.environment) {
    if (name == "VARVE_CONFIG" && file.empty()) file = text;
    if (name == "XDG_RUNTIME_DIR") places.user_directory = text;
  }
  if (!file.empty()) RETURN_IF_ERROR(loader.ReadFile(file));
  RETURN_IF_ERROR(loader.ReadEnvironment(sources.environment));
  RETURN_IF_ERROR(loader.ReadFlags(sources.flags));
  return loader.Finish(places);
}

std::vector<NameValue> ProcessEnvironment() {
  std::vector<NameValue> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::vector<ConfigFlag> ConfigFlags() {
  std::vector<ConfigFlag> flags;
  for (const ConfigKey& key : ConfigKeys()) {
    if (!key.flag.empty()) flags.push_back({key.flag, key.flag_value, key.documentation});
  }
  return flags;
}

}  // namespace varve
