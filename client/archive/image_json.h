// The JSON documents that load, save and import write: the index.json of an OCI image layout,
// Docker's manifest.json, the config of an imported image, the manifest of an image that has none.
// Pure functions: the same values give the same bytes, without spaces.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_JSON_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_JSON_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/archive/inflated_digest.h"
#include "storage/image/digest.h"
#include "storage/image/manifest.h"
#include "storage/image/platform.h"

namespace varve {

// The media type of a layer that is compressed so; as if with nothing for what OCI layers cannot
// have.
std::string OciLayerType(Compression compression);

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

std::string ImageManifestJson(const Descriptor& config, const std::vector<Descriptor>& layers);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_JSON_H_
