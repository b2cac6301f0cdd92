// Parsing of what clients push as manifests: OCI image manifests and indexes, Docker schema 2
// manifests and manifest lists, artifacts. Pure functions over untrusted bytes: bounded depth
// (kMaxJsonDepth), memory in proportion to the input, never a crash. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_IMAGE_MANIFEST_H_
#define VARVE_STORAGE_IMAGE_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/image/platform.h"

namespace varve {

inline constexpr char kMediaTypeOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kMediaTypeOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kMediaTypeDockerManifest[] =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kMediaTypeDockerList[] =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kMediaTypeOciConfig[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kMediaTypeDockerConfig[] = "application/vnd.docker.container.image.v1+json";
inline constexpr char kMediaTypeOciEmpty[] = "application/vnd.oci.empty.v1+json";

// Whether content of this type is a manifest that the store takes.
bool IsManifestType(std::string_view media_type);

// Whether a manifest of this type is an image index, whose children are manifests.
inline bool IsIndexType(std::string_view media_type) {
  return media_type == kMediaTypeOciIndex || media_type == kMediaTypeDockerList;
}

// Whether a config of this media type is one of an image, rather than of another artifact.
inline bool IsImageConfigType(std::string_view media_type) {
  return media_type == kMediaTypeOciConfig || media_type == kMediaTypeDockerConfig;
}

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
  // The content lies elsewhere (has `urls`, or a foreign / non-distributable layer type), so it
  // need not exist here.
  bool foreign = false;
};

// What an index says of one of its children beside the descriptor, for those who choose among them.
struct ChildNotes {
  // The last annotation of that name, as Go's clients read it; "" when there is none.
  std::string_view Annotation(std::string_view name) const;

  Platform platform;                                             // empty when it states none
  std::vector<std::pair<std::string, std::string>> annotations;  // in order
};

// One distinct digest that a manifest keeps alive.
struct ContentReference {
  // kEntry: of an index, and by its media type no manifest. BuildKit keeps caches so: an index of
  // layers and of a config.
  enum class Role { kConfig, kLayer, kChild, kEntry };
  Role role = Role::kLayer;  // of its first appearance
  Descriptor descriptor;     // of its first appearance; foreign only when every appearance is
};

struct ParsedManifest {
  // The distinct digests of config, layers and children in that order, each at its first
  // appearance: at most kMaxManifestReferences. Foreign layers are listed, marked as such. The
  // subject is not: a referrer does not keep its subject alive.
  std::vector<ContentReference> References() const;

  bool is_index = false;
  std::string media_type;
  std::string artifact_type;  // its own, or for an image manifest without one: config's media type
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;    // in order; may repeat
  std::vector<Descriptor> children;  // of an index, its entries too
  std::vector<ChildNotes> notes;     // of each child, only by the rules of kNoted
  std::optional<Descriptor> subject;
  std::string annotations_json;  // the "annotations" object serialised; "" when absent
};

// `content_type` is what the client declared (parameters such as ";charset=utf-8" are ignored), or
// empty. Without `mediaType` and `content_type` the kind follows from the fields: `manifests` is an
// OCI index, `config` or `layers` an OCI manifest.
//
// InvalidArgument, naming the field that is wrong ("layers[3].digest: …"), when the bytes are no
// manifest of a known kind, contradict `content_type`, have the fields of both an image and an
// index (CVE-2021-41190), are Docker schema 1, are larger than kMaxManifestBytes, or name more
// than kMaxManifestReferences distinct digests.
//
// A field read here that appears twice, or under another letter case, is refused: JSON libraries
// disagree about which one counts, so a client could see other content than the store keeps.
// Fields that are not read here are skipped whatever they hold. Never echoes text of the client.
//
// The fields of a descriptor that are not read but that clients read (annotations, platform, data,
// artifactType) have the types that Go's clients expect, data the stated size; a digest is named
// with one size. Of manifests that are stored this is not asked: older versions did not.
//
// kNoted is kPushed with the notes of the children, which may take ten times the bytes: for clients
// that choose among children.
enum class ManifestRules { kPushed, kStored, kNoted };
absl::StatusOr<ParsedManifest> ParseManifest(std::string_view bytes, std::string_view content_type,
                                             ManifestRules rules = ManifestRules::kPushed);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_MANIFEST_H_
