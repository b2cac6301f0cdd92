// Parsing of what clients push as manifests: OCI image manifests and indexes, Docker schema 2
// manifests and manifest lists, artifacts. Pure functions over untrusted bytes: bounded depth
// (kMaxJsonDepth), memory in proportion to the input, never a crash.
#ifndef VARVE_STORAGE_CATALOG_MANIFEST_H_
#define VARVE_STORAGE_CATALOG_MANIFEST_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/digest/digest.h"

namespace varve {

inline constexpr char kMediaTypeOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kMediaTypeOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kMediaTypeDockerManifest[] =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kMediaTypeDockerList[] =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kMediaTypeOciEmpty[] = "application/vnd.oci.empty.v1+json";

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
  // The content lies elsewhere (has `urls`, or a foreign / non-distributable layer type), so it
  // need not exist here.
  bool foreign = false;
};

struct ParsedManifest {
  bool is_index = false;
  std::string media_type;
  std::string artifact_type;  // its own, or for an image manifest without one: config's media type
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;    // in order; may repeat
  std::vector<Descriptor> children;  // of an index
  std::optional<Descriptor> subject;
  std::string annotations_json;  // the "annotations" object serialised; "" when absent
};

// `content_type` is what the client declared, or empty. InvalidArgument, saying which field is
// wrong, when the bytes are no manifest of a known kind, contradict `content_type`, are Docker
// schema 1, or name more than kMaxManifestReferences distinct digests.
absl::StatusOr<ParsedManifest> ParseManifest(std::string_view bytes, std::string_view content_type);

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_MANIFEST_H_
