#include "client/cli/inspect_value.h"

#include <utility>
#include <vector>

#include "client/cli/json_value.h"
#include "storage/base/status.h"

namespace varve {
namespace {

using Names = std::vector<std::string>;

// What a description may have: Docker's fields, and Varve's that not every image has.
const Names& ImageFields() {
  static const auto& names = *new Names{
      "Architecture", "ArtifactType", "Author",     "Comment",   "Config",        "ConfigDigest",
      "Created",      "Described",    "Descriptor", "Digest",    "DockerVersion", "GraphDriver",
      "Id",           "LastPulled",   "Layers",     "Manifests", "MediaType",     "Metadata",
      "MoreRepoTags", "Os",           "OsVersion",  "Parent",    "Pushed",        "RepoDigests",
      "RepoTags",     "RootFS",       "Size",       "Subject",   "Variant",       "VirtualSize"};
  return names;
}

const Names& ConfigFields() {
  static const auto& names =
      *new Names{"ArgsEscaped", "AttachStderr", "AttachStdin", "AttachStdout", "Cmd",
                 "Domainname",  "Entrypoint",   "Env",         "ExposedPorts", "Healthcheck",
                 "Hostname",    "Image",        "Labels",      "MacAddress",   "NetworkDisabled",
                 "OnBuild",     "OpenStdin",    "Shell",       "StdinOnce",    "StopSignal",
                 "StopTimeout", "Tty",          "User",        "Volumes",      "WorkingDir"};
  return names;
}

// A map with the members of its kind, of which it may lack some.
FormatValue Fixed(const FormatValue& map, const Names& fields) {
  if (map.members() == nullptr) return map;
  return FormatValue::Object(*map.members(), fields);
}

FormatValue FixedEach(const FormatValue& list) {
  if (list.list() == nullptr) return list;
  FormatValue::List fixed;
  for (const FormatValue& value : *list.list()) fixed.push_back(Fixed(value, {}));
  return FormatValue::ListOf(std::move(fixed));
}

}  // namespace

absl::StatusOr<FormatValue> InspectValue(std::string_view json) {
  ASSIGN_OR_RETURN(const FormatValue parsed, ParseJsonValue(json));
  if (parsed.members() == nullptr) return parsed;
  FormatValue::Members members = *parsed.members();
  for (auto& [name, value] : members) {
    if (name == "Config") value = Fixed(value, ConfigFields());
    if (name == "RootFS" || name == "Metadata") value = Fixed(value, {});
    if (name == "Layers" || name == "Manifests") value = FixedEach(value);
  }
  return FormatValue::Object(std::move(members), ImageFields());
}

}  // namespace varve
