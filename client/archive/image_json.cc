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

bool IsForeign(const ContentDescriptor& descriptor, const json::object& object) {
  const json::value* const urls = Member(object, "urls");
  if (urls != nullptr && urls->is_array() && !urls->get_array().empty()) return true;
  return descriptor.media_type.find("nondistributable") != std::string::npos ||
         descriptor.media_type.find(".foreign.") != std::string::npos;
}

std::optional<Platform> ReadPlatform(const json::object& object) {
  Platform platform{.os = StringMember(object, "os"),
                    .architecture = StringMember(object, "architecture"),
                    .variant = StringMember(object, "variant")};
  if (platform.os.empty() && platform.architecture.empty()) return std::nullopt;
  return platform;
}

absl::StatusOr<ContentDescriptor> ReadDescriptor(const json::value& value) {
  if (!value.is_object()) return absl::InvalidArgumentError("has a descriptor that is no object");
  const json::object& object = value.get_object();
  ContentDescriptor descriptor;
  descriptor.media_type = StringMember(object, "mediaType");
  ASSIGN_OR_RETURN(descriptor.digest, Digest::Parse(StringMember(object, "digest")));
  const json::value* const size = Member(object, "size");
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0) {
    return absl::InvalidArgumentError("has a descriptor without a size");
  }
  descriptor.size_bytes = static_cast<uint64_t>(size->get_int64());
  descriptor.foreign = IsForeign(descriptor, object);
  const json::value* const platform = Member(object, "platform");
  if (platform != nullptr && platform->is_object()) {
    descriptor.platform = ReadPlatform(platform->get_object());
  }
  const json::value* const annotations = Member(object, "annotations");
  descriptor.attestation =
      (descriptor.platform && descriptor.platform->os == "unknown") ||
      (annotations != nullptr && annotations->is_object() &&
       Member(annotations->get_object(), "vnd.docker.reference.type") != nullptr);
  return descriptor;
}

absl::StatusOr<std::vector<ContentDescriptor>> ReadDescriptors(const json::value& value) {
  if (!value.is_array()) return absl::InvalidArgumentError("has a list that is no array");
  std::vector<ContentDescriptor> descriptors;
  for (const json::value& element : value.get_array()) {
    ASSIGN_OR_RETURN(ContentDescriptor descriptor, ReadDescriptor(element));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
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

absl::StatusOr<ManifestContent> ParseManifestContent(std::string_view bytes) {
  ASSIGN_OR_RETURN(const json::value document, Parse(bytes));
  if (!document.is_object()) return absl::InvalidArgumentError("is no JSON object");
  const json::object& object = document.get_object();
  ManifestContent content;
  if (const json::value* const children = Member(object, "manifests")) {
    content.is_index = true;
    ASSIGN_OR_RETURN(content.children, ReadDescriptors(*children));
    return content;
  }
  if (const json::value* const config = Member(object, "config")) {
    ASSIGN_OR_RETURN(content.config, ReadDescriptor(*config));
  }
  // An artifact manifest calls its layers blobs.
  for (const char* const list : {"layers", "blobs"}) {
    const json::value* const layers = Member(object, list);
    if (layers == nullptr || layers->is_null()) continue;
    ASSIGN_OR_RETURN(content.layers, ReadDescriptors(*layers));
    break;
  }
  return content;
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

std::string ImageManifestJson(const ContentDescriptor& config, const ContentDescriptor& layer) {
  const auto object_of = [](const ContentDescriptor& content) {
    return DescriptorObject(content.media_type, content.digest, content.size_bytes);
  };
  json::object manifest;
  manifest["schemaVersion"] = 2;
  manifest["mediaType"] = kOciManifestType;
  manifest["config"] = object_of(config);
  manifest["layers"].emplace_array().push_back(object_of(layer));
  return json::serialize(manifest);
}

}  // namespace varve
