// The manifest parser. Input: the content type, a line feed, the bytes of the manifest.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "storage/limits.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

void CheckRefusal(const absl::Status& status) {
  FUZZ_INVARIANT(status.code() == absl::StatusCode::kInvalidArgument);
  const std::string_view sentence = ToStd(status.message());
  FUZZ_INVARIANT(!sentence.empty() && sentence.size() < 400);
  FUZZ_INVARIANT(
      std::all_of(sentence.begin(), sentence.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

void CheckDescriptor(const Descriptor& descriptor) {
  FUZZ_INVARIANT(descriptor.size_bytes <= kMaxBlobBytes);
  FUZZ_INVARIANT(!descriptor.media_type.empty() && descriptor.media_type.size() <= 255);
}

void CheckReferences(const ParsedManifest& manifest) {
  const std::vector<ContentReference> references = manifest.References();
  FUZZ_INVARIANT(references.size() <= kMaxManifestReferences);
  std::set<Digest> distinct;
  for (const ContentReference& reference : references) {
    FUZZ_INVARIANT(distinct.insert(reference.descriptor.digest).second);
    FUZZ_INVARIANT(manifest.is_index == (reference.role == ContentReference::Role::kChild));
  }
  size_t stated = manifest.layers.size() + manifest.children.size();
  if (manifest.config.has_value()) ++stated;
  FUZZ_INVARIANT(references.size() <= stated);
  FUZZ_INVARIANT(references.empty() == (stated == 0));
}

// What was kept of the annotations is JSON that reads back as itself.
void CheckAnnotations(const std::string& json, size_t input_bytes) {
  if (json.empty()) return;
  FUZZ_INVARIANT(json.size() <= input_bytes);
  const std::string index =
      StrCat(R"({"schemaVersion":2,"manifests":[],"annotations":)", json, "}");
  if (index.size() > kMaxManifestBytes) return;
  const absl::StatusOr<ParsedManifest> again = ParseManifest(index, "");
  FUZZ_INVARIANT(again.ok() && again->annotations_json == json);
}

void CheckManifest(std::string_view content_type, std::string_view bytes) {
  const absl::StatusOr<ParsedManifest> manifest = ParseManifest(bytes, content_type);
  if (!manifest.ok()) return CheckRefusal(manifest.status());
  const std::string& type = manifest->media_type;
  FUZZ_INVARIANT(manifest->is_index ==
                 (type == kMediaTypeOciIndex || type == kMediaTypeDockerList));
  FUZZ_INVARIANT(manifest->is_index || type == kMediaTypeOciManifest ||
                 type == kMediaTypeDockerManifest);
  FUZZ_INVARIANT(manifest->config.has_value() != manifest->is_index);
  FUZZ_INVARIANT(!manifest->is_index || manifest->layers.empty());
  FUZZ_INVARIANT(manifest->is_index || manifest->children.empty());
  for (const Descriptor& layer : manifest->layers) CheckDescriptor(layer);
  for (const Descriptor& child : manifest->children) CheckDescriptor(child);
  if (manifest->config.has_value()) CheckDescriptor(*manifest->config);
  if (manifest->subject.has_value()) CheckDescriptor(*manifest->subject);
  CheckReferences(*manifest);
  CheckAnnotations(manifest->annotations_json, bytes.size());

  const absl::StatusOr<ParsedManifest> again = ParseManifest(bytes, type);
  FUZZ_INVARIANT(again.ok() && again->media_type == type);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line_feed = input.find('\n');
  if (line_feed == std::string_view::npos) {
    varve::CheckManifest("", input);
  } else {
    varve::CheckManifest(input.substr(0, line_feed), input.substr(line_feed + 1));
  }
  return 0;
}
