#include "client/archive/image_json.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "client/archive/image_names.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

namespace json = boost::json;

// The member of that name, or null.
const json::value* Member(const json::object& object, const char* name) {
  return object.if_contains(name);
}

std::string StringMember(const json::object& object, const char* name) {
  const json::value* const value = Member(object, name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

absl::StatusOr<json::value> Parse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return absl::InvalidArgumentError(StrCat("is no JSON: ", error.message()));
  return value;
}

std::optional<Platform> ReadPlatform(const json::object& object) {
  Platform platform{.os = StringMember(object, "os"),
                    .architecture = StringMember(object, "architecture"),
                    .variant = StringMember(object, "variant")};
  if (platform.os.empty() && platform.architecture.empty()) return std::nullopt;
  return platform;
}

json::array Strings(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

// A set as JSON formats write it: an object of empty objects.
json::object Keys(const std::set<std::string>& names) {
  json::object object;
  for (const std::string& name : names) object[name].emplace_object();
  return object;
}

json::object DescriptorObject(const std::string& media_type, const Digest& digest, uint64_t size) {
  json::object object;
  object["mediaType"] = media_type;
  object["digest"] = digest.ToString();
  object["size"] = size;
  return object;
}

json::object RuntimeObject(const RuntimeConfig& runtime) {
  json::object object;
  if (!runtime.user.empty()) object["User"] = runtime.user;
  if (!runtime.exposed_ports.empty()) object["ExposedPorts"] = Keys(runtime.exposed_ports);
  if (!runtime.environment.empty()) {
    json::array& variables = object["Env"].emplace_array();
    for (const auto& [name, value] : runtime.environment) {
      variables.emplace_back(StrCat(name, "=", value));
    }
  }
  if (!runtime.entrypoint.empty()) object["Entrypoint"] = Strings(runtime.entrypoint);
  if (!runtime.command.empty()) object["Cmd"] = Strings(runtime.command);
  if (!runtime.volumes.empty()) object["Volumes"] = Keys(runtime.volumes);
  if (!runtime.working_directory.empty()) object["WorkingDir"] = runtime.working_directory;
  if (!runtime.labels.empty()) {
    json::object& labels = object["Labels"].emplace_object();
    for (const auto& [name, value] : runtime.labels) labels[name] = value;
  }
  if (!runtime.stop_signal.empty()) object["StopSignal"] = runtime.stop_signal;
  return object;
}

std::string GoArchitecture(const std::string& name) {
  constexpr std::array<std::pair<const char*, const char*>, 6> kOtherNames = {{{"x86_64", "amd64"},
                                                                               {"x86-64", "amd64"},
                                                                               {"aarch64", "arm64"},
                                                                               {"i386", "386"},
                                                                               {"i686", "386"},
                                                                               {"armv7l", "arm"}}};
  for (const auto& [other, go] : kOtherNames) {
    if (name == other) return go;
  }
  return name;
}

}  // namespace

std::string OciLayerType(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return StrCat(kOciLayerType, "+gzip");
    case Compression::kZstd:
      return StrCat(kOciLayerType, "+zstd");
    default:
      return kOciLayerType;
  }
}

absl::StatusOr<Platform> ParsePlatform(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    const bool letter = c >= 'A' && c <= 'Z';
    if (c == '/') {
      parts.emplace_back();
    } else if (letter || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-') {
      parts.back().push_back(letter ? static_cast<char>(c - 'A' + 'a') : c);
    } else {
      parts.clear();
      break;
    }
  }
  if (parts.size() < 2 || parts.size() > 3 ||
      std::find(parts.begin(), parts.end(), "") != parts.end()) {
    return absl::InvalidArgumentError(
        "a platform is OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, for instance linux/arm64");
  }
  return Platform{.os = parts[0],
                  .architecture = GoArchitecture(parts[1]),
                  .variant = parts.size() == 3 ? parts[2] : ""};
}

std::string FormatPlatform(const Platform& platform) {
  const std::string text = StrCat(platform.os, "/", platform.architecture);
  return platform.variant.empty() ? text : StrCat(text, "/", platform.variant);
}

Platform MachinePlatform() {
  utsname machine{};
  uname(&machine);
  return {.os = "linux", .architecture = GoArchitecture(machine.machine), .variant = ""};
}

std::optional<Platform> PlatformOfConfig(std::string_view bytes) {
  const absl::StatusOr<json::value> document = Parse(bytes);
  if (!document.ok() || !document->is_object()) return std::nullopt;
  return ReadPlatform(document->get_object());
}

std::optional<std::vector<std::string>> ParseStringArray(std::string_view text) {
  const absl::StatusOr<json::value> document = Parse(text);
  if (!document.ok() || !document->is_array()) return std::nullopt;
  std::vector<std::string> strings;
  for (const json::value& element : document->get_array()) {
    if (!element.is_string()) return std::nullopt;
    strings.emplace_back(element.get_string().data(), element.get_string().size());
  }
  return strings;
}

std::string LayoutIndexJson(const std::vector<LayoutImage>& images) {
  json::object index;
  index["schemaVersion"] = 2;
  index["mediaType"] = "application/vnd.oci.image.index.v1+json";
  json::array& manifests = index["manifests"].emplace_array();
  for (const LayoutImage& image : images) {
    json::object entry = DescriptorObject(image.media_type, image.digest, image.size_bytes);
    if (!image.full_name.empty()) {
      json::object& annotations = entry["annotations"].emplace_object();
      annotations[kNameAnnotation] = image.name;
      annotations["io.containerd.image.name"] = image.full_name;
      annotations["org.opencontainers.image.ref.name"] = image.tag;
    }
    manifests.push_back(std::move(entry));
  }
  return json::serialize(index);
}

std::string DockerManifestJson(const std::vector<DockerImage>& images) {
  json::array list;
  for (const DockerImage& image : images) {
    json::object entry;
    entry["Config"] = LayoutPath(image.config);
    json::value& names = entry["RepoTags"];  // null when there are none, as Docker writes it
    if (!image.names.empty()) names = Strings({image.names.begin(), image.names.end()});
    json::array& layers = entry["Layers"].emplace_array();
    for (const Digest& layer : image.layers) layers.emplace_back(LayoutPath(layer));
    list.push_back(std::move(entry));
  }
  return json::serialize(list);
}

std::string LayoutPath(const Digest& digest) {
  std::string text = digest.ToString();
  text.replace(text.find(':'), 1, "/");
  return "blobs/" + text;
}

std::string ImageConfigJson(const ImageConfig& image) {
  json::object config;
  config["created"] = image.created;
  config["architecture"] = image.platform.architecture;
  if (!image.platform.variant.empty()) config["variant"] = image.platform.variant;
  config["os"] = image.platform.os;
  config["config"] = RuntimeObject(image.runtime);
  json::object& rootfs = config["rootfs"].emplace_object();
  rootfs["type"] = "layers";
  rootfs["diff_ids"].emplace_array().emplace_back(image.diff_id.ToString());
  json::object& step = config["history"].emplace_array().emplace_back(json::object()).get_object();
  step["created"] = image.created;
  step["comment"] = image.comment;
  return json::serialize(config);
}

}  // namespace varve
