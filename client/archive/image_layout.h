// The JSON documents of image archives: index.json, manifests and configs of an OCI layout, and the
// manifest.json of a Docker archive. Pure functions over untrusted bytes: bounded depth and size,
// memory in proportion to the input, never a crash. Only what loading needs is read; the daemon
// checks a manifest in full when it is put.
//
// Errors: InvalidArgument, naming the field that is wrong.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_LAYOUT_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_LAYOUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/digest/digest.h"
#include "storage/limits.h"
#include "storage/store.h"

namespace varve {

// No document of an archive may be larger: what a registry takes as a manifest.
inline constexpr size_t kMaxDocumentBytes = kMaxManifestBytes;
// Images that one archive may hold.
inline constexpr size_t kMaxArchiveImages = 1000;
// InvalidArgument for an archive that lists more.
absl::Status CheckArchiveImages(size_t images);

struct LayoutDescriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
  bool foreign = false;  // a layer whose bytes lie elsewhere
  Platform platform;     // of an entry of an index
  // Annotations; empty when absent.
  std::string own_name;    // kNameAnnotation
  std::string image_name;  // io.containerd.image.name
  std::string ref_name;    // org.opencontainers.image.ref.name
};

struct LayoutManifest {
  std::string media_type;  // its own field; may be empty
  bool is_index = false;
  std::optional<LayoutDescriptor> config;  // of an image
  std::vector<LayoutDescriptor> layers;    // of an image, lowest first
  std::vector<LayoutDescriptor> children;  // of an index
};

// Reads an image manifest or an index; index.json is one, too.
absl::StatusOr<LayoutManifest> ParseLayoutManifest(std::string_view bytes);

// One image of a Docker archive; the names are those of entries, as written.
struct DockerArchiveImage {
  std::string config;
  std::vector<std::string> repo_tags;
  std::vector<std::string> layers;  // lowest first
};

// Reads the manifest.json of a Docker archive.
absl::StatusOr<std::vector<DockerArchiveImage>> ParseDockerArchive(std::string_view bytes);

struct ArchiveImageConfig {
  Platform platform;
  std::vector<Digest> diff_ids;  // digests of the uncompressed layers, lowest first
};

absl::StatusOr<ArchiveImageConfig> ParseArchiveImageConfig(std::string_view bytes);

// The OCI image manifest of an image that came without one: the same input gives the same bytes.
// Of the descriptors, media type, digest and size are used.
std::string BuildImageManifest(const LayoutDescriptor& config,
                               const std::vector<LayoutDescriptor>& layers);

// Whether `platform` is what was wanted: any variant when none was named; "arm64" and "arm64/v8",
// "arm" and "arm/v7", "amd64" and "amd64/v1" are the same.
bool MatchesPlatform(const Platform& wanted, const Platform& platform);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_LAYOUT_H_
