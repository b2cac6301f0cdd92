#include "storage/image/manifest_rules.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest_fields.h"
#include "storage/limits.h"

namespace varve {
namespace {

bool Has(uint32_t fields, size_t top_field) { return (fields >> top_field & 1) != 0; }

// "application/json; charset=utf-8" -> "application/json".
std::string_view WithoutParameters(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  constexpr std::string_view kBlanks = " \t";
  const size_t first = content_type.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return content_type.substr(first, content_type.find_last_not_of(kBlanks) - first + 1);
}

absl::Status SettleKind(uint32_t fields, std::string_view content_type, ParsedManifest& manifest) {
  std::string_view declared = WithoutParameters(content_type);
  if (!declared.empty()) {
    ASSIGN_OR_RETURN(declared, KnownManifestType("Content-Type", declared));
  }
  if (!manifest.media_type.empty()) {
    ASSIGN_OR_RETURN(const std::string_view stated,
                     KnownManifestType("mediaType", manifest.media_type));
    if (stated != manifest.media_type) {
      return InvalidManifest("mediaType", "must be written in lower case");
    }
    if (!declared.empty() && declared != stated) {
      return InvalidManifest("mediaType", "differs from the Content-Type of the request");
    }
  } else if (!declared.empty()) {
    manifest.media_type = declared;
  } else if (Has(fields, kManifests)) {
    manifest.media_type = kMediaTypeOciIndex;
  } else if (Has(fields, kConfig) || Has(fields, kLayers)) {
    manifest.media_type = kMediaTypeOciManifest;
  } else {
    return InvalidManifest("manifest", "has none of the fields manifests, config and layers");
  }
  manifest.is_index =
      manifest.media_type == kMediaTypeOciIndex || manifest.media_type == kMediaTypeDockerList;
  return absl::OkStatus();
}

absl::Status CheckFieldsOfKind(uint32_t fields, bool is_index) {
  if (Has(fields, kManifests) && (Has(fields, kConfig) || Has(fields, kLayers))) {
    return InvalidManifest("manifests",
                           "an index has neither config nor layers, and an image no manifests");
  }
  if (is_index) {
    return Has(fields, kManifests) ? absl::OkStatus()
                                   : InvalidManifest("manifests", "is required in an index");
  }
  if (!Has(fields, kConfig)) return InvalidManifest("config", "is required in an image manifest");
  if (!Has(fields, kLayers)) return InvalidManifest("layers", "is required in an image manifest");
  return absl::OkStatus();
}

// One content has one size, wherever it is named.
absl::Status CheckSizes(const ParsedManifest& manifest) {
  absl::flat_hash_map<Digest, uint64_t> sizes;
  const auto check = [&sizes](const Descriptor& descriptor) {
    const uint64_t size = descriptor.size_bytes;
    return sizes.try_emplace(descriptor.digest, size).first->second == size;
  };
  const bool same = (!manifest.config.has_value() || check(*manifest.config)) &&
                    std::all_of(manifest.layers.begin(), manifest.layers.end(), check) &&
                    std::all_of(manifest.children.begin(), manifest.children.end(), check);
  return same ? absl::OkStatus() : InvalidManifest("manifest", "names one digest with two sizes");
}

}  // namespace

absl::StatusOr<ParsedManifest> SettleManifest(ParsedManifest manifest, uint32_t fields,
                                              ManifestRules rules, std::string_view content_type) {
  if (!Has(fields, kSchemaVersion))
    return InvalidManifest("schemaVersion", "is required and must be 2");
  RETURN_IF_ERROR(SettleKind(fields, content_type, manifest));
  RETURN_IF_ERROR(CheckFieldsOfKind(fields, manifest.is_index));
  if (rules != ManifestRules::kStored) RETURN_IF_ERROR(CheckSizes(manifest));
  absl::flat_hash_set<Digest> distinct;
  for (const ContentReference& reference : manifest.References()) {
    distinct.insert(reference.descriptor.digest);
  }
  if (manifest.subject.has_value()) distinct.insert(manifest.subject->digest);
  if (distinct.size() > kMaxManifestReferences) {
    return InvalidManifest("manifest",
                           StrCat("names ", distinct.size(), " distinct digests; at most ",
                                  kMaxManifestReferences, " are accepted"));
  }
  if (manifest.artifact_type.empty() && manifest.config.has_value()) {
    manifest.artifact_type = manifest.config->media_type;
  }
  return manifest;
}

}  // namespace varve
