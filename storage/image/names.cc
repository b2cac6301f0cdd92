#include "storage/image/names.h"

#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/limits.h"

namespace varve {
namespace {

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsTagCharacter(char c, bool first) {
  if (IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_') return true;
  return !first && (c == '.' || c == '-');
}

// The length of the separator at the front of `text`: one '.', one or two '_', or any number of
// '-'; 0 when there is none.
size_t SeparatorLength(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == '.') return 1;
  if (text[0] == '_') return text.size() > 1 && text[1] == '_' ? 2 : 1;
  size_t length = 0;
  while (length < text.size() && text[length] == '-') ++length;
  return length;
}

// One pass: runs of letters and digits with exactly one separator between two of them.
bool IsNameComponent(std::string_view component) {
  while (true) {
    size_t run = 0;
    while (run < component.size() && IsLowerOrDigit(component[run])) ++run;
    if (run == 0) return false;
    component.remove_prefix(run);
    if (component.empty()) return true;
    const size_t separator = SeparatorLength(component);
    if (separator == 0) return false;
    component.remove_prefix(separator);
  }
}

}  // namespace

absl::Status ValidateRepositoryName(std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("the repository name is empty");
  if (name.size() > kMaxRepositoryNameBytes) {
    return absl::InvalidArgumentError(
        StrCat("the repository name is longer than ", kMaxRepositoryNameBytes, " bytes"));
  }
  while (true) {
    const size_t slash = name.find('/');
    if (!IsNameComponent(name.substr(0, slash))) {
      return absl::InvalidArgumentError(
          "a repository name is made of components joined by '/', each of lower-case letters and "
          "digits with '.', '_', '__' or '-' between them");
    }
    if (slash == std::string_view::npos) return absl::OkStatus();
    name.remove_prefix(slash + 1);
  }
}

absl::Status ValidateTag(std::string_view tag) {
  if (tag.empty()) return absl::InvalidArgumentError("the tag is empty");
  if (tag.size() > kMaxTagBytes) {
    return absl::InvalidArgumentError(StrCat("the tag is longer than ", kMaxTagBytes, " bytes"));
  }
  for (size_t i = 0; i < tag.size(); ++i) {
    if (!IsTagCharacter(tag[i], i == 0)) {
      return absl::InvalidArgumentError(
          "a tag is made of letters, digits, '_', '.' and '-', and starts with none of the last "
          "two");
    }
  }
  return absl::OkStatus();
}

std::optional<Digest> SubjectOfTag(std::string_view tag) {
  constexpr std::string_view kAlgorithm = "sha256";
  constexpr size_t kHexDigits = 64;
  constexpr size_t kBytes = kAlgorithm.size() + 1 + kHexDigits;
  if (tag.size() < kBytes || tag.substr(0, kAlgorithm.size() + 1) != "sha256-") return std::nullopt;
  if (tag.size() > kBytes && tag[kBytes] != '.') return std::nullopt;
  const absl::StatusOr<Digest> subject =
      Digest::Parse(StrCat(kAlgorithm, ":", tag.substr(kAlgorithm.size() + 1, kHexDigits)));
  if (!subject.ok()) return std::nullopt;
  return *subject;
}

std::string SubjectTagPrefix(const Digest& subject) {
  if (subject.algorithm() != DigestAlgorithm::kSha256) return {};
  std::string prefix = subject.ToString();
  prefix[prefix.find(':')] = '-';
  return prefix;
}

absl::StatusOr<ImageReference> ParseImageReference(std::string_view text) {
  if (Digest::Parse(text).ok()) {
    return absl::InvalidArgumentError(
        "a digest needs its repository in front: write <repository>@<digest>");
  }
  ImageReference reference;
  std::string_view name = text;
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    ASSIGN_OR_RETURN(reference.digest, Digest::Parse(text.substr(at + 1)));
    name = text.substr(0, at);
  }
  // A colon before the last '/' belongs to a registry's host.
  const size_t slash = name.rfind('/');
  const size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  ASSIGN_OR_RETURN(reference.repository, StoredName(name.substr(0, colon)));
  if (colon != std::string_view::npos) {
    reference.tag = std::string(name.substr(colon + 1));
    RETURN_IF_ERROR(ValidateTag(reference.tag));
  }
  if (reference.tag.empty() && !reference.digest.has_value()) reference.tag = "latest";
  return reference;
}

std::string FormatImageReference(const ImageReference& reference) {
  std::string text = reference.repository;
  if (!reference.tag.empty()) text += StrCat(":", reference.tag);
  if (reference.digest.has_value()) text += StrCat("@", reference.digest->ToString());
  return text;
}

}  // namespace varve
