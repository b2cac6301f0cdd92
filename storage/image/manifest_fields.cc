#include "storage/image/manifest_fields.h"

#include <algorithm>
#include <string>

#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"

namespace varve {
namespace {

char FoldAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// How Go's encoding/json, which most clients use, compares a key with a field name: ignoring case,
// where U+017F folds to 's' and U+212A to 'k'.
bool GoReadsAs(std::string_view key, std::string_view name) {
  if (key.size() < name.size() || key.size() > 3 * name.size()) return false;
  std::string folded;
  for (size_t i = 0; i < key.size();) {
    if (key.substr(i, 2) == "\u017f") {
      folded += 's';
      i += 2;
    } else if (key.substr(i, 3) == "\u212a") {
      folded += 'k';
      i += 3;
    } else {
      folded += key[i++];
    }
  }
  return EqualsIgnoringCase(folded, name);
}

}  // namespace

absl::Status InvalidManifest(std::string_view path, std::string_view problem) {
  return absl::InvalidArgumentError(StrCat(path, ": ", problem));
}

absl::Status SchemaOneError() {
  return absl::InvalidArgumentError(
      "Docker image manifest schema 1 is no longer accepted; push with a current client");
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return FoldAscii(x) == FoldAscii(y);
         });
}

absl::StatusOr<size_t> FindManifestField(absl::Span<const ManifestField> fields,
                                         std::string_view key) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (key == fields[i].name) return i;
    if (GoReadsAs(key, fields[i].name)) {
      return InvalidManifest(fields[i].name, "the field is written in another letter case");
    }
  }
  return fields.size();
}

std::optional<uint64_t> Base64Bytes(std::string_view text) {
  uint64_t digits = 0;
  uint64_t padding = 0;
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    const bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '+' || c == '/';
    if (c == '=' ? ++padding > 2 : (!digit || padding > 0)) return std::nullopt;
    digits += digit ? 1 : 0;
  }
  if ((digits + padding) % 4 != 0) return std::nullopt;
  return (digits + padding) / 4 * 3 - padding;
}

absl::StatusOr<std::string_view> KnownManifestType(std::string_view path, std::string_view type) {
  for (const std::string_view known : {kMediaTypeOciManifest, kMediaTypeOciIndex,
                                       kMediaTypeDockerManifest, kMediaTypeDockerList}) {
    if (EqualsIgnoringCase(type, known)) return known;
  }
  if (type.starts_with("application/vnd.docker.distribution.manifest.v1+")) return SchemaOneError();
  return InvalidManifest(
      path,
      "must be that of an OCI image manifest or index, or of a Docker schema 2 manifest "
      "or manifest list");
}

}  // namespace varve
