// The JSON of images as save and import need it: reads configs, writes the files of an OCI image
// layout, Docker's manifest.json, and the config of an imported image.
// Pure functions; the only place in client/archive/save and import that knows a JSON library. What
// is written is the same text for the same values, without spaces.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_JSON_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_JSON_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/archive/inflated_digest.h"
#include "client/client.h"
#include "storage/image/digest.h"

namespace varve {

inline constexpr char kOciManifestType[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciConfigType[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kOciLayerType[] = "application/vnd.oci.image.layer.v1.tar";
// The same with what it is compressed with; as if with nothing for what OCI layers cannot have.
std::string OciLayerType(Compression compression);
inline constexpr char kDockerConfigType[] = "application/vnd.docker.container.image.v1+json";

// "os/architecture[/variant]" in lower case, with the names that other systems use for an
// architecture turned into Go's: "Linux/aarch64" is linux/arm64. InvalidArgument otherwise.
absl::StatusOr<Platform> ParsePlatform(std::string_view text);
std::string FormatPlatform(const Platform& platform);
// Linux on the architecture of this machine.
Platform MachinePlatform();

// The platform that an image config states; nullopt when it states none.
std::optional<Platform> PlatformOfConfig(std::string_view bytes);

// The strings of a JSON array of strings; nullopt when `text` is anything else.
std::optional<std::vector<std::string>> ParseStringArray(std::string_view text);

// One entry of index.json.
struct LayoutImage {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
  std::string name;       // "app:v1", as people see it; empty when the image has no name
  std::string full_name;  // "docker.io/library/app:v1", as others call it; or empty
  std::string tag;
};
std::string LayoutIndexJson(const std::vector<LayoutImage>& images);

// One entry of Docker's manifest.json.
struct DockerImage {
  Digest config;
  std::vector<Digest> layers;
  std::set<std::string> names;  // "app:v1"
};
std::string DockerManifestJson(const std::vector<DockerImage>& images);

// Where a blob lies in an image layout.
std::string LayoutPath(const Digest& digest);

// How to run an image: the "config" object of an image config.
struct RuntimeConfig {
  std::vector<std::string> command;
  std::vector<std::string> entrypoint;
  std::vector<std::pair<std::string, std::string>> environment;  // in order, each name once
  std::set<std::string> exposed_ports;                           // "80/tcp"
  std::map<std::string, std::string> labels;
  std::string user;
  std::set<std::string> volumes;
  std::string working_directory;
  std::string stop_signal;
};

// An image of one layer.
struct ImageConfig {
  std::string created;  // RFC 3339
  Platform platform;
  RuntimeConfig runtime;
  Digest diff_id;
  std::string comment;
};
std::string ImageConfigJson(const ImageConfig& image);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_JSON_H_
