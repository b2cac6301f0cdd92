// What image archives list, and the manifest.json of a Docker archive; manifests and configs are
// read by storage/image. Pure functions over untrusted bytes: bounded depth and size, memory in
// proportion to the input, never a crash. Only what loading needs is read.
//
// Errors: InvalidArgument, naming the field that is wrong.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_LAYOUT_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_LAYOUT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/image/manifest.h"
#include "storage/limits.h"

namespace varve {

// No document of an archive may be larger: what a registry takes as a manifest.
inline constexpr size_t kMaxDocumentBytes = kMaxManifestBytes;
// Images that one archive may hold. One costs ~1 KiB, with one name: 10 MiB in all. What its
// manifests list is limited by kMaxPlannedContents, and what index.json says by kMaxDocumentBytes.
inline constexpr size_t kMaxArchiveImages = 10'000;
// InvalidArgument for an archive that lists more.
absl::Status CheckArchiveImages(size_t images);

// A manifest of the archive with its platform, size and name, as what lists it says.
struct ListedManifest {
  Descriptor content;
  ChildNotes notes;
};

// The children of an index that was parsed by the rules of kNoted.
std::vector<ListedManifest> ChildrenOf(ParsedManifest index);

// Whether it is one of those that builders attach to the images of an index.
bool IsAttestation(const ChildNotes& notes);

// Whether its config is that of an image that runs, and not of some artifact.
bool HasImageConfig(const ParsedManifest& manifest);

// One image of a Docker archive; the names are those of entries, as written.
struct DockerArchiveImage {
  std::string config;
  std::vector<std::string> repo_tags;
  std::vector<std::string> layers;  // lowest first
};

// Reads the manifest.json of a Docker archive.
absl::StatusOr<std::vector<DockerArchiveImage>> ParseDockerArchive(std::string_view bytes);

// The strings of a JSON array of strings; nullopt when `text` is anything else.
std::optional<std::vector<std::string>> ParseStringArray(std::string_view text);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_LAYOUT_H_
