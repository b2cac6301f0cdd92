#include "storage/image/manifest_reader.h"

#include <algorithm>

#include "absl/types/span.h"
#include "storage/base/json_text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest_rules.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kMaxMediaTypeBytes = 255;

std::string_view ShapeName(JsonShape shape) {
  switch (shape) {
    case JsonShape::kString:
      return "a string";
    case JsonShape::kInteger:
      return "an integer";
    case JsonShape::kReal:
      return "a number with a fraction or an exponent, or too large for an integer";
    case JsonShape::kBool:
      return "true or false";
    case JsonShape::kObject:
      return "an object";
    case JsonShape::kArray:
      return "an array";
    case JsonShape::kNull:
      break;
  }
  return "null";
}

absl::Status CheckMediaType(std::string_view path, std::string_view type) {
  if (type.size() > kMaxMediaTypeBytes) {
    return InvalidManifest(path, StrCat("must not be longer than ", kMaxMediaTypeBytes, " bytes"));
  }
  const bool printable =
      std::all_of(type.begin(), type.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return printable ? absl::OkStatus() : InvalidManifest(path, "must be printable ASCII");
}

// Docker's `…layer.foreign…` types and OCI's deprecated non-distributable ones.
bool IsForeignLayerType(std::string_view type) {
  return type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.") ||
         type.starts_with("application/vnd.oci.image.layer.nondistributable.");
}

// Of `annotations_json`: never longer than the JSON it came from, because every character that is
// escaped had to be there too, and in no shorter form.
constexpr JsonEscapes kShortest{.by_letter = kJsonLetters};

}  // namespace

std::string ManifestReader::FieldPath() const {
  switch (open_.back()) {
    case Scope::kTop:
      return std::string(kTopFields[top_field_].name);
    case Scope::kDescriptor:
      return StrCat(descriptor_path_, ".", kDescriptorFields[descriptor_field_].name);
    case Scope::kDescriptorList: {
      const auto& list = top_field_ == kLayers ? manifest_.layers : manifest_.children;
      return StrCat(kTopFields[top_field_].name, "[", list.size(), "]");
    }
    case Scope::kPlatform:
      return StrCat(descriptor_path_, ".platform.", kPlatformFields[platform_field_].name);
    case Scope::kStrings: {
      const std::string path =
          StrCat(descriptor_path_, ".", kDescriptorFields[descriptor_field_].name);
      const bool of_platform = descriptor_field_ == kPlatform;
      return of_platform ? StrCat(path, ".", kPlatformFields[platform_field_].name) : path;
    }
    case Scope::kAnnotations:
    case Scope::kSkipped:
      break;
  }
  return "annotations";
}

// Whether a value of this shape may stand where the reader is.
absl::Status ManifestReader::CheckShape(JsonShape actual) const {
  JsonShape expected = JsonShape::kString;
  bool may_be_null = false;
  switch (open_.back()) {
    case Scope::kTop:
      if (top_field_ == kFsLayers) return SchemaOneError();
      expected = kTopFields[top_field_].shape;
      may_be_null = kTopFields[top_field_].may_be_null;
      break;
    case Scope::kDescriptor:
      expected = kDescriptorFields[descriptor_field_].shape;
      may_be_null = kDescriptorFields[descriptor_field_].may_be_null;
      break;
    case Scope::kPlatform:
      expected = kPlatformFields[platform_field_].shape;
      may_be_null = kPlatformFields[platform_field_].may_be_null;
      break;
    case Scope::kDescriptorList:
      expected = JsonShape::kObject;
      break;
    case Scope::kStrings:
    case Scope::kAnnotations:
      break;
    case Scope::kSkipped:
      return absl::OkStatus();
  }
  if (actual == expected || (actual == JsonShape::kNull && may_be_null)) return absl::OkStatus();
  const std::string_view each =
      open_.back() == Scope::kAnnotations || open_.back() == Scope::kStrings
          ? "every value must be "
          : "must be ";
  return InvalidManifest(FieldPath(),
                         StrCat(each, ShapeName(expected), ", not ", ShapeName(actual)));
}

void ManifestReader::StartDescriptor(std::string path) {
  open_.push_back(Scope::kDescriptor);
  descriptor_ = Descriptor();
  descriptor_path_ = std::move(path);
  descriptor_seen_ = 0;
  data_bytes_.reset();
  notes_ = ChildNotes();
}

// Opens an object or array where the reader is.
absl::Status ManifestReader::Enter(JsonShape shape) {
  if (open_.empty()) {
    if (shape != JsonShape::kObject) return InvalidManifest("manifest", "must be a JSON object");
    open_.push_back(Scope::kTop);
    return absl::OkStatus();
  }
  const Scope scope = open_.back();
  if (scope == Scope::kSkipped || (scope == Scope::kTop && top_field_ == kTopFields.size()) ||
      (scope == Scope::kDescriptor && descriptor_field_ == kDescriptorFields.size()) ||
      (scope == Scope::kPlatform && platform_field_ == kPlatformFields.size())) {
    open_.push_back(Scope::kSkipped);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckShape(shape));
  if (scope == Scope::kDescriptor && descriptor_field_ == kPlatform) {
    platform_seen_ = 0;
    open_.push_back(Scope::kPlatform);
  } else if (scope == Scope::kDescriptor || scope == Scope::kPlatform) {
    open_.push_back(Scope::kStrings);
  } else if (scope == Scope::kDescriptorList || top_field_ == kConfig || top_field_ == kSubject) {
    StartDescriptor(FieldPath());
  } else if (top_field_ == kAnnotations) {
    manifest_.annotations_json = "{";
    open_.push_back(Scope::kAnnotations);
  } else {
    open_.push_back(Scope::kDescriptorList);
  }
  return absl::OkStatus();
}

absl::Status ManifestReader::BeginObject() { return Enter(JsonShape::kObject); }
absl::Status ManifestReader::BeginArray() { return Enter(JsonShape::kArray); }

absl::Status ManifestReader::End() {
  const Scope scope = open_.back();
  open_.pop_back();
  if (scope == Scope::kDescriptor) return FinishDescriptor();
  if (scope == Scope::kAnnotations) return FinishAnnotations();
  return absl::OkStatus();
}

absl::Status ManifestReader::Key(std::string_view key) {
  const Scope scope = open_.back();
  if (scope == Scope::kAnnotations) {
    std::string& json = manifest_.annotations_json;
    if (!annotation_keys_.empty()) json.push_back(',');
    const size_t start = json.size();
    AppendJsonString(&json, key, kShortest);
    annotation_keys_.emplace_back(static_cast<uint32_t>(start),
                                  static_cast<uint32_t>(json.size() - start));
    json.push_back(':');
    return absl::OkStatus();
  }
  if (scope == Scope::kTop) return FieldKey(kTopFields, key, "", &top_field_, &top_seen_);
  if (scope == Scope::kPlatform) {
    return FieldKey(kPlatformFields, key, StrCat(descriptor_path_, ".platform"), &platform_field_,
                    &platform_seen_);
  }
  if (scope == Scope::kStrings && IsNoted()) annotation_name_ = key;
  if (scope != Scope::kDescriptor) return absl::OkStatus();
  absl::Span<const ManifestField> fields = kDescriptorFields;
  if (rules_ == ManifestRules::kStored) fields = fields.first(kDescriptorAnnotations);
  RETURN_IF_ERROR(FieldKey(fields, key, descriptor_path_, &descriptor_field_, &descriptor_seen_));
  if (descriptor_field_ == fields.size()) descriptor_field_ = kDescriptorFields.size();
  return absl::OkStatus();
}

// Finds which of `fields` the key names, and that it did not before. `path` is what has the fields.
absl::Status ManifestReader::FieldKey(absl::Span<const ManifestField> fields, std::string_view key,
                                      std::string_view path, size_t* field, uint32_t* seen) const {
  const absl::StatusOr<size_t> found = FindManifestField(fields, key);
  if (!found.ok()) return path.empty() ? found.status() : Annotate(found.status(), path);
  *field = *found;
  if (*found == fields.size()) return absl::OkStatus();
  if ((*seen >> *found & 1) != 0) return InvalidManifest(FieldPath(), "the field appears twice");
  *seen |= uint32_t{1} << *found;
  return absl::OkStatus();
}

absl::Status ManifestReader::Value(const JsonScalar& scalar) {
  if (open_.empty()) return InvalidManifest("manifest", "must be a JSON object");
  switch (open_.back()) {
    case Scope::kTop:
      return TopValue(scalar);
    case Scope::kDescriptor:
      return DescriptorValue(scalar);
    case Scope::kAnnotations:
      return AnnotationValue(scalar);
    case Scope::kDescriptorList:
      return CheckShape(scalar.shape);
    case Scope::kPlatform:
      return PlatformValue(scalar);
    case Scope::kStrings:
      return StringsValue(scalar);
    case Scope::kSkipped:
      break;
  }
  return absl::OkStatus();
}

absl::Status ManifestReader::TopValue(const JsonScalar& scalar) {
  if (top_field_ == kTopFields.size()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckShape(scalar.shape));
  if (top_field_ == kSchemaVersion) {
    if (scalar.number == 1) return SchemaOneError();
    if (scalar.number != 2) return InvalidManifest("schemaVersion", "must be 2");
  } else if (scalar.shape == JsonShape::kString) {
    RETURN_IF_ERROR(CheckMediaType(FieldPath(), scalar.text));
    (top_field_ == kTopMediaType ? manifest_.media_type : manifest_.artifact_type) = scalar.text;
  }
  return absl::OkStatus();
}

absl::Status ManifestReader::DescriptorValue(const JsonScalar& scalar) {
  if (descriptor_field_ == kDescriptorFields.size()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckShape(scalar.shape));
  if (descriptor_field_ == kDigest) {
    absl::StatusOr<Digest> digest = Digest::Parse(scalar.text);
    if (!digest.ok()) return Annotate(digest.status(), FieldPath());
    descriptor_.digest = *digest;
  } else if (descriptor_field_ == kSize) {
    if (scalar.negative) return InvalidManifest(FieldPath(), "must not be negative");
    if (scalar.number > kMaxBlobBytes) {
      return InvalidManifest(FieldPath(), StrCat("must not be larger than ", kMaxBlobBytes));
    }
    descriptor_.size_bytes = scalar.number;
  } else if (descriptor_field_ == kMediaType) {
    if (scalar.text.empty()) return InvalidManifest(FieldPath(), "must not be empty");
    RETURN_IF_ERROR(CheckMediaType(FieldPath(), scalar.text));
    descriptor_.media_type = scalar.text;
  } else if (descriptor_field_ == kData && scalar.shape == JsonShape::kString) {
    data_bytes_ = Base64Bytes(scalar.text);
    if (!data_bytes_.has_value())
      return InvalidManifest(FieldPath(), "must be base64 with padding");
  }
  return absl::OkStatus();
}

absl::Status ManifestReader::PlatformValue(const JsonScalar& scalar) {
  if (platform_field_ == kPlatformFields.size()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckShape(scalar.shape));
  if (!IsNoted()) return absl::OkStatus();
  if (platform_field_ == kOs) notes_.platform.os = scalar.text;
  if (platform_field_ == kArchitecture) notes_.platform.architecture = scalar.text;
  if (platform_field_ == kVariant) notes_.platform.variant = scalar.text;
  return absl::OkStatus();
}

absl::Status ManifestReader::StringsValue(const JsonScalar& scalar) {
  RETURN_IF_ERROR(CheckShape(scalar.shape));
  if (descriptor_field_ == kUrls) descriptor_.foreign = true;
  if (IsNoted() && descriptor_field_ == kDescriptorAnnotations) {
    notes_.annotations.emplace_back(annotation_name_, scalar.text);
  }
  return absl::OkStatus();
}

absl::Status ManifestReader::AnnotationValue(const JsonScalar& scalar) {
  RETURN_IF_ERROR(CheckShape(scalar.shape));
  AppendJsonString(&manifest_.annotations_json, scalar.text, kShortest);
  return absl::OkStatus();
}

absl::Status ManifestReader::FinishDescriptor() {
  for (const size_t field : {kMediaType, kDigest, kSize}) {
    if ((descriptor_seen_ >> field & 1) == 0) {
      return InvalidManifest(StrCat(descriptor_path_, ".", kDescriptorFields[field].name),
                             "is required");
    }
  }
  if (data_bytes_.has_value() && *data_bytes_ != descriptor_.size_bytes) {
    return InvalidManifest(StrCat(descriptor_path_, ".data"),
                           "does not have the size that is stated");
  }
  if (top_field_ == kLayers) {
    descriptor_.foreign = descriptor_.foreign || IsForeignLayerType(descriptor_.media_type);
    manifest_.layers.push_back(std::move(descriptor_));
    return absl::OkStatus();
  }
  descriptor_.foreign = false;  // only a layer may lie elsewhere
  if (top_field_ == kManifests) {
    manifest_.children.push_back(std::move(descriptor_));
    if (IsNoted()) manifest_.notes.push_back(std::move(notes_));
  } else {
    (top_field_ == kConfig ? manifest_.config : manifest_.subject) = std::move(descriptor_);
  }
  return absl::OkStatus();
}

absl::Status ManifestReader::FinishAnnotations() {
  const std::string_view json = manifest_.annotations_json;
  const auto key = [json](const std::pair<uint32_t, uint32_t>& place) {
    return json.substr(place.first, place.second);
  };
  std::sort(annotation_keys_.begin(), annotation_keys_.end(),
            [&key](const auto& a, const auto& b) { return key(a) < key(b); });
  const auto twice =
      std::adjacent_find(annotation_keys_.begin(), annotation_keys_.end(),
                         [&key](const auto& a, const auto& b) { return key(a) == key(b); });
  if (twice != annotation_keys_.end()) return InvalidManifest("annotations", "a key appears twice");
  manifest_.annotations_json.push_back('}');
  return absl::OkStatus();
}

absl::StatusOr<ParsedManifest> ManifestReader::Finish(std::string_view content_type) && {
  return SettleManifest(std::move(manifest_), top_seen_, rules_, content_type);
}

}  // namespace varve
