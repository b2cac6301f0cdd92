// The fields of manifests that are read, and what their names and values may be. Constant tables
// and pure functions over untrusted text; thread-safe.
#ifndef VARVE_STORAGE_IMAGE_MANIFEST_FIELDS_H_
#define VARVE_STORAGE_IMAGE_MANIFEST_FIELDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace varve {

enum class JsonShape { kString, kInteger, kReal, kBool, kObject, kArray, kNull };

struct ManifestField {
  std::string_view name;
  JsonShape shape;
  bool may_be_null;  // null means absent, or for an array empty
};

// The fields that are read; the order is that of the enums, whose last value is any other field.
enum TopField : size_t {
  kSchemaVersion,
  kTopMediaType,
  kArtifactType,
  kConfig,
  kLayers,
  kManifests,
  kSubject,
  kAnnotations,
  kFsLayers,
};
inline constexpr std::array<ManifestField, 9> kTopFields = {{
    {"schemaVersion", JsonShape::kInteger, false},
    {"mediaType", JsonShape::kString, true},
    {"artifactType", JsonShape::kString, true},
    {"config", JsonShape::kObject, false},
    {"layers", JsonShape::kArray, true},  // Go writes null for none
    {"manifests", JsonShape::kArray, true},
    {"subject", JsonShape::kObject, true},
    {"annotations", JsonShape::kObject, true},
    {"fsLayers", JsonShape::kArray, false},
}};

// From kDescriptorAnnotations on they are read only to find out whether clients can read them.
enum DescriptorField : size_t {
  kMediaType,
  kDigest,
  kSize,
  kUrls,
  kDescriptorAnnotations,
  kPlatform,
  kData,
  kDescriptorArtifactType,
};
inline constexpr std::array<ManifestField, 8> kDescriptorFields = {{
    {"mediaType", JsonShape::kString, false},
    {"digest", JsonShape::kString, false},
    {"size", JsonShape::kInteger, false},
    {"urls", JsonShape::kArray, true},
    {"annotations", JsonShape::kObject, true},
    {"platform", JsonShape::kObject, true},
    {"data", JsonShape::kString, true},
    {"artifactType", JsonShape::kString, true},
}};

enum PlatformField : size_t { kArchitecture, kOs, kVariant };
inline constexpr std::array<ManifestField, 6> kPlatformFields = {{
    {"architecture", JsonShape::kString, true},
    {"os", JsonShape::kString, true},
    {"variant", JsonShape::kString, true},
    {"os.version", JsonShape::kString, true},
    {"os.features", JsonShape::kArray, true},
    {"features", JsonShape::kArray, true},
}};

// InvalidArgument: "<path>: <problem>".
absl::Status InvalidManifest(std::string_view path, std::string_view problem);
// InvalidArgument with advice.
absl::Status SchemaOneError();

bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// Which of `fields` the key names; fields.size() for none. InvalidArgument for the name of a field
// in another letter case.
absl::StatusOr<size_t> FindManifestField(absl::Span<const ManifestField> fields,
                                         std::string_view key);

// How many bytes `text` stands for in base64 with padding, as Go reads it: line ends do not count.
// nullopt when it is none.
std::optional<uint64_t> Base64Bytes(std::string_view text);

// The media type of a manifest that `type` is, in its usual letters. InvalidArgument when it is
// none.
absl::StatusOr<std::string_view> KnownManifestType(std::string_view path, std::string_view type);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_MANIFEST_FIELDS_H_
