#include "client/archive/image_names.h"

#include "client/archive/entry_name.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/names.h"

namespace varve {
namespace {

bool ConsumePrefix(std::string_view prefix, std::string_view* text) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// Takes away what only says where the image was kept.
std::string_view WithoutHost(std::string_view name) {
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos) return name;
  const std::string_view first = name.substr(0, slash);
  if (first == "localhost" || first.find(':') != std::string_view::npos) {
    return name.substr(slash + 1);
  }
  if (!ConsumePrefix("index.docker.io/", &name) && !ConsumePrefix("docker.io/", &name)) return name;
  std::string_view official = name;
  if (ConsumePrefix("library/", &official) && official.find('/') == std::string_view::npos) {
    return official;
  }
  return name;
}

}  // namespace

std::string FormatName(const ArchiveImageName& name) {
  return name.tag.empty() ? name.repository : StrCat(name.repository, ":", name.tag);
}

absl::StatusOr<ArchiveImageName> FamiliarName(std::string_view text) {
  std::string_view name = text;
  const size_t at = name.find('@');
  const bool has_digest = at != std::string_view::npos;
  if (has_digest) name = name.substr(0, at);
  ArchiveImageName result;
  const size_t slash = name.rfind('/');
  const size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  absl::Status status;
  if (colon != std::string_view::npos) {
    result.tag = std::string(name.substr(colon + 1));
    name = name.substr(0, colon);
    status = ValidateTag(result.tag);
  } else if (!has_digest) {
    result.tag = "latest";
  }
  result.repository = std::string(WithoutHost(name));
  if (status.ok()) status = ValidateRepositoryName(result.repository);
  if (status.ok()) return result;
  return Annotate(status, StrCat("the archive calls an image ", Quoted(text)));
}

absl::StatusOr<ArchiveImageName> ExactName(std::string_view text) {
  const absl::StatusOr<ImageReference> name = ParseImageReference(text);
  if (name.ok() && !name->digest) return ArchiveImageName{name->repository, name->tag};
  return absl::InvalidArgumentError(StrCat("the archive calls an image ", Quoted(text)));
}

}  // namespace varve
