#include "client/cli/image_description.h"

#include <string_view>
#include <vector>

#include "client/cli/text.h"
#include "storage/base/str_cat.h"
#include "storage/image/platform.h"

namespace varve {
namespace {

// "[a,b]" of JSON texts.
std::string JsonArray(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const std::string& value : values) {
    if (text.size() > 1) text.push_back(',');
    text.append(value);
  }
  text.push_back(']');
  return text;
}

std::string LayersJson(const std::vector<LayerInfo>& layers) {
  std::vector<std::string> values;
  for (const LayerInfo& layer : layers) {
    values.push_back(JsonObject()
                         .Add("Digest", layer.digest.ToString())
                         .Add("MediaType", layer.media_type)
                         .Add("Size", layer.size_bytes)
                         .Add("DiffID", layer.diff_id)
                         .Text());
  }
  return JsonArray(values);
}

std::string ChildrenJson(const std::vector<ChildInfo>& children) {
  std::vector<std::string> values;
  for (const ChildInfo& child : children) {
    values.push_back(JsonObject()
                         .Add("Digest", child.digest.ToString())
                         .Add("MediaType", child.media_type)
                         .Add("Platform", PlatformText(child.platform))
                         .Add("Present", child.present)
                         .Add("Size", child.total_bytes)
                         .Text());
  }
  return JsonArray(values);
}

// "repository@digest" of every repository that `references` name, each once; they are sorted.
std::vector<std::string> RepositoryDigests(const ImageDetails& details) {
  std::vector<std::string> names = {details.image.repository};
  for (const std::string& reference : details.references) {
    const std::string repository = reference.substr(0, reference.rfind(':'));
    if (repository != names.back() && repository != names.front()) names.push_back(repository);
  }
  for (std::string& name : names) name += StrCat("@", details.image.manifest.digest.ToString());
  return ShownNames(names);
}

std::string RootFsJson(const std::vector<LayerInfo>& layers) {
  std::vector<std::string> diff_ids;
  for (const LayerInfo& layer : layers) {
    if (!layer.diff_id.empty()) diff_ids.push_back(layer.diff_id);
  }
  return JsonObject().Add("Type", "layers").Add("Layers", diff_ids).Text();
}

void AddIndexFields(const ImageDetails& details, JsonObject* object) {
  if (details.children.empty()) return;
  object->AddJson("Manifests", ChildrenJson(details.children));
  if (details.described) object->Add("Described", details.described->ToString());
}

}  // namespace

std::string DescribeImageJson(const ImageDetails& details) {
  const ImageInfo& image = details.image;
  const ManifestInfo& manifest = image.manifest;
  JsonObject object;
  object.Add("Id", manifest.digest.ToString()).Add("RepoTags", ShownNames(details.references));
  if (details.more_references > 0) object.Add("MoreRepoTags", details.more_references);
  object.Add("RepoDigests", RepositoryDigests(details))
      .Add("Digest", manifest.digest.ToString())
      .Add("MediaType", manifest.media_type);
  if (details.config) object.Add("ConfigDigest", details.config->ToString());
  if (!manifest.artifact_type.empty()) object.Add("ArtifactType", manifest.artifact_type);
  if (manifest.subject) object.Add("Subject", manifest.subject->ToString());
  if (image.created_nanos) object.Add("Created", TimeText(*image.created_nanos));
  object.Add("Pushed", TimeText(manifest.pushed_nanos));
  if (image.pulled_nanos != 0) object.Add("LastPulled", TimeText(image.pulled_nanos));
  object.Add("DockerVersion", details.docker_version)
      .Add("Author", details.author)
      .AddJson("Config", details.runtime_json.empty() ? "null" : details.runtime_json)
      .Add("Architecture", image.platform.architecture)
      .Add("Variant", image.platform.variant)
      .Add("Os", image.platform.os)
      .Add("Size", image.total_bytes);
  AddIndexFields(details, &object);
  object.AddJson("RootFS", RootFsJson(details.layers))
      .AddJson("Layers", LayersJson(details.layers))
      .AddJson("Annotations", details.annotations_json.empty() ? "{}" : details.annotations_json);
  if (image.tagged_nanos != 0) {
    object.AddJson("Metadata",
                   JsonObject().Add("LastTagTime", TimeText(image.tagged_nanos)).Text());
  }
  return object.Text();
}

}  // namespace varve
