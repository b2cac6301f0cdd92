// What a manifest states, gathered from the events of a JSON parser, and the rules for each field;
// those for the whole are in manifest_rules.h.
// Knows no JSON library: manifest.cc, its only user, feeds it. Not thread-safe.
#ifndef VARVE_STORAGE_IMAGE_MANIFEST_READER_H_
#define VARVE_STORAGE_IMAGE_MANIFEST_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/image/manifest.h"
#include "storage/image/manifest_fields.h"

namespace varve {

// The JSON kinds that a manifest tells apart.
struct JsonScalar {
  JsonShape shape = JsonShape::kNull;
  std::string_view text;  // of a string
  uint64_t number = 0;    // of an integer that is not negative
  bool negative = false;
};

// Follows the events of a JSON parser and keeps what a manifest states; everything else is skipped
// without being stored, so memory stays in proportion to descriptors and annotations.
class ManifestReader {
 public:
  explicit ManifestReader(ManifestRules rules) : rules_(rules) {}

  absl::Status BeginObject();
  absl::Status BeginArray();
  absl::Status End();  // of an object or array
  absl::Status Key(std::string_view key);
  absl::Status Value(const JsonScalar& scalar);

  // What was read, once the kind is settled and the required fields are there.
  absl::StatusOr<ParsedManifest> Finish(std::string_view content_type) &&;

 private:
  // kStrings: an array or object of strings in a descriptor or its platform.
  enum class Scope {
    kTop,
    kDescriptor,
    kDescriptorList,
    kPlatform,
    kStrings,
    kAnnotations,
    kSkipped
  };

  absl::Status CheckShape(JsonShape actual) const;
  std::string FieldPath() const;
  absl::Status Enter(JsonShape shape);
  void StartDescriptor(std::string path);
  absl::Status FieldKey(absl::Span<const ManifestField> fields, std::string_view key,
                        std::string_view path, size_t* field, uint32_t* seen) const;
  absl::Status TopValue(const JsonScalar& scalar);
  absl::Status DescriptorValue(const JsonScalar& scalar);
  // Whether the notes of the present descriptor are wanted.
  bool IsNoted() const { return rules_ == ManifestRules::kNoted && top_field_ == kManifests; }
  absl::Status PlatformValue(const JsonScalar& scalar);
  absl::Status StringsValue(const JsonScalar& scalar);
  absl::Status AnnotationValue(const JsonScalar& scalar);
  absl::Status FinishDescriptor();
  absl::Status FinishAnnotations();

  const ManifestRules rules_;
  ParsedManifest manifest_;
  std::vector<Scope> open_;  // innermost last; at most kMaxJsonDepth

  size_t top_field_ = 0;  // whose value comes next, or is open
  uint32_t top_seen_ = 0;

  Descriptor descriptor_;
  std::string descriptor_path_;  // "config", "layers[3]"
  size_t descriptor_field_ = 0;
  uint32_t descriptor_seen_ = 0;
  std::optional<uint64_t> data_bytes_;  // of its embedded content
  size_t platform_field_ = 0;
  uint32_t platform_seen_ = 0;
  ChildNotes notes_;             // of a child of an index
  std::string annotation_name_;  // of the descriptor, whose value comes next

  // Where in annotations_json each key is (offset, length), to find a key that appears twice.
  std::vector<std::pair<uint32_t, uint32_t>> annotation_keys_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_MANIFEST_READER_H_
