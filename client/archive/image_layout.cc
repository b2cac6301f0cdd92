#include "client/archive/image_layout.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "client/archive/image_json.h"
#include "client/archive/image_names.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

namespace json = boost::json;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

absl::StatusOr<json::value> ParseJson(std::string_view bytes) {
  if (bytes.size() > kMaxDocumentBytes) {
    return absl::InvalidArgumentError(
        StrCat("it is larger than ", kMaxDocumentBytes, " bytes, the limit for a document"));
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::error_code error;
  json::value value = json::parse({bytes.data(), bytes.size()}, error, {}, options);
  if (error) return absl::InvalidArgumentError(StrCat("it is not valid JSON: ", error.message()));
  return value;
}

absl::Status FieldError(std::string_view field, std::string_view problem) {
  return absl::InvalidArgumentError(StrCat("its field ", field, " ", problem));
}

// The member `key` of `object`, or null when it is absent or a JSON null.
const json::value* Member(const json::object& object, std::string_view key) {
  const json::value* const member = object.if_contains({key.data(), key.size()});
  return member == nullptr || member->is_null() ? nullptr : member;
}

// Text that may be absent: then "".
absl::StatusOr<std::string> OptionalText(const json::object& object, std::string_view key) {
  const json::value* const member = Member(object, key);
  if (member == nullptr) return std::string();
  if (!member->is_string()) return FieldError(key, "is not a string");
  return std::string(View(member->get_string()));
}

// An array that may be absent: then null.
absl::StatusOr<const json::array*> OptionalArray(const json::object& object, std::string_view key) {
  const json::value* const member = Member(object, key);
  if (member == nullptr) return nullptr;
  if (!member->is_array()) return FieldError(key, "is not an array");
  return &member->get_array();
}

absl::StatusOr<std::vector<std::string>> OptionalTexts(const json::object& object,
                                                       std::string_view key) {
  ASSIGN_OR_RETURN(const json::array* const array, OptionalArray(object, key));
  std::vector<std::string> texts;
  if (array == nullptr) return texts;
  for (const json::value& value : *array) {
    if (!value.is_string()) return FieldError(key, "is not an array of strings");
    texts.emplace_back(View(value.get_string()));
  }
  return texts;
}

absl::StatusOr<Platform> ReadPlatform(const json::object& object) {
  Platform platform;
  ASSIGN_OR_RETURN(platform.os, OptionalText(object, "os"));
  ASSIGN_OR_RETURN(platform.architecture, OptionalText(object, "architecture"));
  ASSIGN_OR_RETURN(platform.variant, OptionalText(object, "variant"));
  return platform;
}

// Docker's `…layer.foreign…` types and OCI's deprecated non-distributable ones.
bool IsForeign(const LayoutDescriptor& descriptor, const json::object& object) {
  const std::string_view type = descriptor.media_type;
  return Member(object, "urls") != nullptr ||
         type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.") ||
         type.starts_with("application/vnd.oci.image.layer.nondistributable.");
}

absl::Status ReadAnnotations(const json::object& object, LayoutDescriptor* descriptor) {
  const json::value* const member = Member(object, "annotations");
  if (member == nullptr) return absl::OkStatus();
  if (!member->is_object()) return FieldError("annotations", "is not an object");
  const json::object& annotations = member->get_object();
  ASSIGN_OR_RETURN(descriptor->own_name, OptionalText(annotations, kNameAnnotation));
  ASSIGN_OR_RETURN(descriptor->image_name, OptionalText(annotations, "io.containerd.image.name"));
  ASSIGN_OR_RETURN(descriptor->ref_name,
                   OptionalText(annotations, "org.opencontainers.image.ref.name"));
  return absl::OkStatus();
}

absl::StatusOr<LayoutDescriptor> ReadDescriptor(const json::value& value, std::string_view field) {
  if (!value.is_object()) return FieldError(field, "is not a descriptor");
  const json::object& object = value.get_object();
  LayoutDescriptor descriptor;
  ASSIGN_OR_RETURN(descriptor.media_type, OptionalText(object, "mediaType"));
  ASSIGN_OR_RETURN(const std::string digest, OptionalText(object, "digest"));
  const absl::StatusOr<Digest> parsed = Digest::Parse(digest);
  if (!parsed.ok()) {
    return FieldError(field, StrCat("has a bad digest: ", ToStd(parsed.status().message())));
  }
  descriptor.digest = *parsed;
  const json::value* const size = Member(object, "size");
  json::error_code error;
  if (size != nullptr) descriptor.size_bytes = size->to_number<uint64_t>(error);
  if (size == nullptr || !(size->is_int64() || size->is_uint64()) || error ||
      descriptor.size_bytes > kMaxBlobBytes) {
    return FieldError(field, "has no size that a blob can have");
  }
  descriptor.foreign = IsForeign(descriptor, object);
  if (const json::value* const platform = Member(object, "platform")) {
    if (!platform->is_object()) return FieldError("platform", "is not an object");
    ASSIGN_OR_RETURN(descriptor.platform, ReadPlatform(platform->get_object()));
  }
  RETURN_IF_ERROR(ReadAnnotations(object, &descriptor));
  return descriptor;
}

absl::Status ReadDescriptors(const json::object& object, std::string_view field,
                             std::vector<LayoutDescriptor>* descriptors) {
  ASSIGN_OR_RETURN(const json::array* const array, OptionalArray(object, field));
  if (array == nullptr) return absl::OkStatus();
  if (array->size() > kMaxManifestReferences) {  // no store takes it
    return FieldError(field, StrCat("has more than ", kMaxManifestReferences, " entries"));
  }
  for (const json::value& value : *array) {
    ASSIGN_OR_RETURN(LayoutDescriptor descriptor, ReadDescriptor(value, field));
    descriptors->push_back(std::move(descriptor));
  }
  return absl::OkStatus();
}

bool IsIndexType(std::string_view type) {
  return type == "application/vnd.oci.image.index.v1+json" ||
         type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

void AppendDescriptor(const LayoutDescriptor& descriptor, std::string* out) {
  out->append(StrCat("{\"mediaType\":\"", descriptor.media_type, "\",\"digest\":\"",
                     descriptor.digest.ToString(), "\",\"size\":", descriptor.size_bytes, "}"));
}

std::string UsualVariant(std::string_view architecture) {
  if (architecture == "arm64") return "v8";
  if (architecture == "arm") return "v7";
  return architecture == "amd64" ? "v1" : "";
}

}  // namespace

absl::Status CheckArchiveImages(size_t images) {
  if (images <= kMaxArchiveImages) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("it lists more than ", kMaxArchiveImages, " images, the limit for one archive"));
}

absl::StatusOr<LayoutManifest> ParseLayoutManifest(std::string_view bytes) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(bytes));
  if (!value.is_object()) return absl::InvalidArgumentError("it is not a JSON object");
  const json::object& object = value.get_object();
  LayoutManifest manifest;
  ASSIGN_OR_RETURN(manifest.media_type, OptionalText(object, "mediaType"));
  manifest.is_index = IsIndexType(manifest.media_type) || Member(object, "manifests") != nullptr;
  if (manifest.is_index) {
    if (Member(object, "config") != nullptr || Member(object, "layers") != nullptr) {
      return absl::InvalidArgumentError("it has the fields of an image and of an index");
    }
    RETURN_IF_ERROR(ReadDescriptors(object, "manifests", &manifest.children));
    return manifest;
  }
  const json::value* const config = Member(object, "config");
  if (config == nullptr) return FieldError("config", "is missing");
  ASSIGN_OR_RETURN(manifest.config, ReadDescriptor(*config, "config"));
  manifest.config->foreign = false;
  RETURN_IF_ERROR(ReadDescriptors(object, "layers", &manifest.layers));
  return manifest;
}

absl::StatusOr<std::vector<DockerArchiveImage>> ParseDockerArchive(std::string_view bytes) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(bytes));
  if (!value.is_array()) return absl::InvalidArgumentError("it is not a JSON array");
  const json::array& array = value.get_array();
  RETURN_IF_ERROR(CheckArchiveImages(array.size()));
  std::vector<DockerArchiveImage> images;
  for (const json::value& entry : array) {
    if (!entry.is_object()) return absl::InvalidArgumentError("it is not an array of objects");
    const json::object& object = entry.get_object();
    DockerArchiveImage image;
    ASSIGN_OR_RETURN(image.config, OptionalText(object, "Config"));
    if (image.config.empty()) return FieldError("Config", "is missing");
    ASSIGN_OR_RETURN(image.repo_tags, OptionalTexts(object, "RepoTags"));
    ASSIGN_OR_RETURN(image.layers, OptionalTexts(object, "Layers"));
    if (image.layers.size() >= kMaxManifestReferences) {
      return FieldError("Layers", StrCat("has ", kMaxManifestReferences, " entries or more"));
    }
    images.push_back(std::move(image));
  }
  return images;
}

absl::StatusOr<ArchiveImageConfig> ParseArchiveImageConfig(std::string_view bytes) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(bytes));
  if (!value.is_object()) return absl::InvalidArgumentError("it is not a JSON object");
  const json::object& object = value.get_object();
  ArchiveImageConfig config;
  ASSIGN_OR_RETURN(config.platform, ReadPlatform(object));
  const json::value* const rootfs = Member(object, "rootfs");
  if (rootfs == nullptr) return config;
  if (!rootfs->is_object()) return FieldError("rootfs", "is not an object");
  ASSIGN_OR_RETURN(const std::vector<std::string> diff_ids,
                   OptionalTexts(rootfs->get_object(), "diff_ids"));
  for (const std::string& text : diff_ids) {
    const absl::StatusOr<Digest> digest = Digest::Parse(text);
    if (!digest.ok()) return FieldError("rootfs.diff_ids", "has a bad digest");
    config.diff_ids.push_back(*digest);
  }
  return config;
}

std::string BuildImageManifest(const LayoutDescriptor& config,
                               const std::vector<LayoutDescriptor>& layers) {
  std::string bytes =
      StrCat("{\"schemaVersion\":2,\"mediaType\":\"", kOciManifestType, "\",\"config\":");
  AppendDescriptor(config, &bytes);
  bytes.append(",\"layers\":[");
  for (size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) bytes.push_back(',');
    AppendDescriptor(layers[i], &bytes);
  }
  bytes.append("]}");
  return bytes;
}

bool MatchesPlatform(const Platform& wanted, const Platform& platform) {
  if (wanted.os != platform.os || wanted.architecture != platform.architecture) return false;
  const std::string variant =
      platform.variant.empty() ? UsualVariant(platform.architecture) : platform.variant;
  return wanted.variant.empty() || wanted.variant == variant;
}

}  // namespace varve
