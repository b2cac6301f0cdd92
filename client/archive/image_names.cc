#include "client/archive/image_names.h"

#include "client/archive/entry_name.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"

namespace varve {

std::string FormatName(const ArchiveImageName& name) {
  return name.tag.empty() ? name.repository : StrCat(name.repository, ":", name.tag);
}

ArchiveImageName CanonicalForm(const ArchiveImageName& name) {
  return {.repository = std::string(CanonicalName(name.repository)), .tag = name.tag};
}

absl::StatusOr<ArchiveImageName> ForeignName(std::string_view text) {
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
  const absl::StatusOr<std::string> stored = StoredName(name);
  status.Update(stored.status());
  if (!status.ok()) return Annotate(status, StrCat("the archive calls an image ", Quoted(text)));
  result.repository = *stored;
  return result;
}

absl::StatusOr<ArchiveImageName> ExactName(std::string_view text) {
  const absl::StatusOr<ImageReference> name = ParseImageReference(text);
  if (name.ok() && !name->digest) return ArchiveImageName{name->repository, name->tag};
  return absl::InvalidArgumentError(StrCat("the archive calls an image ", Quoted(text)));
}

}  // namespace varve
