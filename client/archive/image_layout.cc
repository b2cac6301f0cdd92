#include "client/archive/image_layout.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/platform.h"

namespace varve {
namespace {

namespace json = boost::json;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

absl::StatusOr<json::value> ParseJson(std::string_view bytes) {
  if (bytes.size() > kMaxDocumentBytes) {
    return absl::InvalidArgumentError(
        StrCat("it is larger than ", kMaxDocumentBytes, " bytes, the limit for a document"));
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::error_code error;
  json::value value = json::parse({bytes.data(), bytes.size()}, error, {}, options);
  if (error) return absl::InvalidArgumentError(StrCat("it is not valid JSON: ", error.message()));
  return value;
}

absl::Status FieldError(std::string_view field, std::string_view problem) {
  return absl::InvalidArgumentError(StrCat("its field ", field, " ", problem));
}

// The member `key` of `object`, or null when it is absent or a JSON null.
const json::value* Member(const json::object& object, std::string_view key) {
  const json::value* const member = object.if_contains({key.data(), key.size()});
  return member == nullptr || member->is_null() ? nullptr : member;
}

// Text that may be absent: then "".
absl::StatusOr<std::string> OptionalText(const json::object& object, std::string_view key) {
  const json::value* const member = Member(object, key);
  if (member == nullptr) return std::string();
  if (!member->is_string()) return FieldError(key, "is not a string");
  return std::string(View(member->get_string()));
}

// nullopt when one is no string.
std::optional<std::vector<std::string>> Strings(const json::array& array) {
  std::vector<std::string> strings;
  for (const json::value& value : array) {
    if (!value.is_string()) return std::nullopt;
    strings.emplace_back(View(value.get_string()));
  }
  return strings;
}

// An array of strings that may be absent: then empty.
absl::StatusOr<std::vector<std::string>> OptionalTexts(const json::object& object,
                                                       std::string_view key) {
  const json::value* const member = Member(object, key);
  if (member == nullptr) return std::vector<std::string>();
  if (!member->is_array()) return FieldError(key, "is not an array");
  std::optional<std::vector<std::string>> strings = Strings(member->get_array());
  if (!strings) return FieldError(key, "is not an array of strings");
  return *std::move(strings);
}

}  // namespace

absl::Status CheckArchiveImages(size_t images) {
  if (images <= kMaxArchiveImages) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("it lists more than ", kMaxArchiveImages, " images, the limit for one archive"));
}

std::vector<ListedManifest> ChildrenOf(ParsedManifest index) {
  std::vector<ListedManifest> children;
  for (size_t i = 0; i < index.children.size(); ++i) {
    children.push_back(
        {.content = std::move(index.children[i]), .notes = std::move(index.notes[i])});
  }
  return children;
}

bool IsAttestation(const ChildNotes& notes) {
  return IsUnknown(notes.platform) || !notes.Annotation("vnd.docker.reference.type").empty();
}

bool HasImageConfig(const ParsedManifest& manifest) {
  return manifest.config && IsImageConfigType(manifest.config->media_type);
}

std::optional<std::vector<std::string>> ParseStringArray(std::string_view text) {
  const absl::StatusOr<json::value> value = ParseJson(text);
  if (!value.ok() || !value->is_array()) return std::nullopt;
  return Strings(value->get_array());
}

absl::StatusOr<std::vector<DockerArchiveImage>> ParseDockerArchive(std::string_view bytes) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(bytes));
  if (!value.is_array()) return absl::InvalidArgumentError("it is not a JSON array");
  const json::array& array = value.get_array();
  RETURN_IF_ERROR(CheckArchiveImages(array.size()));
  std::vector<DockerArchiveImage> images;
  for (const json::value& entry : array) {
    if (!entry.is_object()) return absl::InvalidArgumentError("it is not an array of objects");
    const json::object& object = entry.get_object();
    DockerArchiveImage image;
    ASSIGN_OR_RETURN(image.config, OptionalText(object, "Config"));
    if (image.config.empty()) return FieldError("Config", "is missing");
    ASSIGN_OR_RETURN(image.repo_tags, OptionalTexts(object, "RepoTags"));
    ASSIGN_OR_RETURN(image.layers, OptionalTexts(object, "Layers"));
    if (image.layers.size() >= kMaxManifestReferences) {
      return FieldError("Layers", StrCat("has ", kMaxManifestReferences, " entries or more"));
    }
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace varve
