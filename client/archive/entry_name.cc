#include "client/archive/entry_name.h"

#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr std::string_view kBlobs = "blobs/";
constexpr size_t kMaxQuotedBytes = 200;
constexpr size_t kSha256HexDigits = 64;

// Appends the components of `path` to `*name`, which is normal. False when ".." would leave it.
bool AppendComponents(std::string_view path, std::string* name) {
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (name->empty()) return false;
      const size_t last = name->rfind('/');
      name->resize(last == std::string::npos ? 0 : last);
      continue;
    }
    if (!name->empty()) name->push_back('/');
    name->append(component);
  }
  return true;
}

bool HasParentComponent(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (path.substr(0, slash) == "..") return true;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> NormalizeEntryName(std::string_view name) {
  if (name.size() > kMaxEntryNameBytes) {
    return absl::InvalidArgumentError(StrCat("the name ", Quoted(name), " has more than ",
                                             kMaxEntryNameBytes,
                                             " bytes: this is not an image archive"));
  }
  std::string normal;
  if (HasParentComponent(name) || !AppendComponents(name, &normal)) {
    return absl::InvalidArgumentError(
        StrCat("the name ", Quoted(name), " leads out of the archive"));
  }
  return normal;
}

absl::StatusOr<std::string> ResolveLink(std::string_view link, std::string_view target) {
  const size_t slash = link.rfind('/');
  const bool from_top = slash == std::string_view::npos || target.starts_with('/');
  std::string name(from_top ? std::string_view() : link.substr(0, slash));
  if (target.empty() || target.size() > kMaxEntryNameBytes || !AppendComponents(target, &name) ||
      name.empty() || name.size() > kMaxEntryNameBytes) {
    return absl::InvalidArgumentError(
        StrCat("the link ", Quoted(link), " leads out of the archive, to ", Quoted(target)));
  }
  return name;
}

std::string BlobEntryName(const Digest& digest) {
  std::string text = digest.ToString();
  text[text.find(':')] = '/';
  return StrCat(kBlobs, text);
}

std::optional<Digest> DigestOfBlobEntry(std::string_view name) {
  if (name.substr(0, kBlobs.size()) != kBlobs) return std::nullopt;
  std::string text(name.substr(kBlobs.size()));
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  text[slash] = ':';
  const absl::StatusOr<Digest> digest = Digest::Parse(text);
  if (!digest.ok()) return std::nullopt;
  return *digest;
}

std::optional<Digest> DigestInName(std::string_view name) {
  constexpr std::string_view kPrefix = "sha256:";
  name.remove_prefix(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
  if (name.substr(0, kPrefix.size()) == kPrefix) name.remove_prefix(kPrefix.size());
  const std::string_view rest = name.substr(std::min(kSha256HexDigits, name.size()));
  if (!rest.empty() && rest[0] != '.') return std::nullopt;
  const absl::StatusOr<Digest> digest =
      Digest::Parse(StrCat(kPrefix, name.substr(0, kSha256HexDigits)));
  if (!digest.ok()) return std::nullopt;
  return *digest;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kMaxQuotedBytes))
    quoted.push_back(c < ' ' || c > '~' ? '?' : c);
  quoted.append(text.size() > kMaxQuotedBytes ? "…\"" : "\"");
  return quoted;
}

}  // namespace varve
