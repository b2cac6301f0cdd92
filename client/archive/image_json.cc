#include "client/archive/image_json.h"

#include "client/archive/image_names.h"
#include "storage/base/json_text.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar";

constexpr JsonEscapes kEscapes{.by_letter = kJsonLetters};

JsonObject Object() { return JsonObject(kEscapes); }
JsonArray Array() { return JsonArray(kEscapes); }

// A set as JSON formats write it: an object of empty objects.
std::string KeysJson(const std::set<std::string>& names) {
  JsonObject object = Object();
  for (const std::string& name : names) object.AddJson(name, "{}");
  return object.Text();
}

JsonObject DescriptorObject(const std::string& media_type, const Digest& digest, uint64_t size) {
  JsonObject object = Object();
  object.Add("mediaType", media_type).Add("digest", digest.ToString()).Add("size", size);
  return object;
}

std::string DescriptorJson(const Descriptor& descriptor) {
  return DescriptorObject(descriptor.media_type, descriptor.digest, descriptor.size_bytes).Text();
}

std::string RuntimeJson(const RuntimeConfig& runtime) {
  JsonObject object = Object();
  if (!runtime.user.empty()) object.Add("User", runtime.user);
  if (!runtime.exposed_ports.empty()) {
    object.AddJson("ExposedPorts", KeysJson(runtime.exposed_ports));
  }
  if (!runtime.environment.empty()) {
    JsonArray variables = Array();
    for (const auto& [name, value] : runtime.environment) variables.Add(StrCat(name, "=", value));
    object.AddJson("Env", variables.Text());
  }
  if (!runtime.entrypoint.empty()) object.Add("Entrypoint", runtime.entrypoint);
  if (!runtime.command.empty()) object.Add("Cmd", runtime.command);
  if (!runtime.volumes.empty()) object.AddJson("Volumes", KeysJson(runtime.volumes));
  if (!runtime.working_directory.empty()) object.Add("WorkingDir", runtime.working_directory);
  if (!runtime.labels.empty()) {
    JsonObject labels = Object();
    for (const auto& [name, value] : runtime.labels) labels.Add(name, value);
    object.AddJson("Labels", labels.Text());
  }
  if (!runtime.stop_signal.empty()) object.Add("StopSignal", runtime.stop_signal);
  return object.Text();
}

}  // namespace

std::string OciLayerType(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return StrCat(kLayerType, "+gzip");
    case Compression::kZstd:
      return StrCat(kLayerType, "+zstd");
    default:
      return kLayerType;
  }
}

std::string LayoutIndexJson(const std::vector<LayoutImage>& images) {
  JsonArray manifests = Array();
  for (const LayoutImage& image : images) {
    JsonObject entry = DescriptorObject(image.media_type, image.digest, image.size_bytes);
    if (!image.full_name.empty()) {
      entry.AddJson("annotations", Object()
                                       .Add(kNameAnnotation, image.name)
                                       .Add("io.containerd.image.name", image.full_name)
                                       .Add("org.opencontainers.image.ref.name", image.tag)
                                       .Text());
    }
    manifests.AddJson(entry.Text());
  }
  return Object()
      .Add("schemaVersion", uint64_t{2})
      .Add("mediaType", kMediaTypeOciIndex)
      .AddJson("manifests", manifests.Text())
      .Text();
}

std::string DockerManifestJson(const std::vector<DockerImage>& images) {
  JsonArray list = Array();
  for (const DockerImage& image : images) {
    JsonArray names = Array();
    for (const std::string& name : image.names) names.Add(name);
    JsonArray layers = Array();
    for (const Digest& layer : image.layers) layers.Add(LayoutPath(layer));
    list.AddJson(Object()
                     .Add("Config", LayoutPath(image.config))
                     // null when there are none, as Docker writes it
                     .AddJson("RepoTags", image.names.empty() ? "null" : names.Text())
                     .AddJson("Layers", layers.Text())
                     .Text());
  }
  return list.Text();
}

std::string LayoutPath(const Digest& digest) {
  std::string text = digest.ToString();
  text.replace(text.find(':'), 1, "/");
  return "blobs/" + text;
}

std::string ImageConfigJson(const ImageConfig& image) {
  JsonObject config = Object();
  config.Add("created", image.created).Add("architecture", image.platform.architecture);
  if (!image.platform.variant.empty()) config.Add("variant", image.platform.variant);
  const std::string file_system =
      Object()
          .Add("type", "layers")
          .AddJson("diff_ids", Array().Add(image.diff_id.ToString()).Text())
          .Text();
  const std::string step =
      Object().Add("created", image.created).Add("comment", image.comment).Text();
  return config.Add("os", image.platform.os)
      .AddJson("config", RuntimeJson(image.runtime))
      .AddJson("rootfs", file_system)
      .AddJson("history", Array().AddJson(step).Text())
      .Text();
}

std::string ImageManifestJson(const Descriptor& config, const std::vector<Descriptor>& layers) {
  JsonArray list = Array();
  for (const Descriptor& layer : layers) list.AddJson(DescriptorJson(layer));
  return Object()
      .Add("schemaVersion", uint64_t{2})
      .Add("mediaType", kMediaTypeOciManifest)
      .AddJson("config", DescriptorJson(config))
      .AddJson("layers", list.Text())
      .Text();
}

}  // namespace varve
