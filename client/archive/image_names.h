// What the images of an archive are called in the store. Pure functions over untrusted text.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve {

struct ArchiveImageName {
  std::string repository;  // in its stored form
  std::string tag;         // empty: no tag names it

  friend bool operator==(const ArchiveImageName&, const ArchiveImageName&) = default;
};

// "repository:tag", or only the repository.
std::string FormatName(const ArchiveImageName& name);

// What two names have in common that the store may take for one. Which repository each means, only
// the daemon knows.
ArchiveImageName CanonicalForm(const ArchiveImageName& name);

// What others call `text`, with the repository in its stored form: "debian" is debian:latest,
// "reg:5000/x:1" is reg__5000/x:1. The daemon finds the repository that the name means, as for
// every other name. Of a name with a digest ("app@sha256:…") no tag is left, unless it has one as
// well. InvalidArgument when it is not a name.
absl::StatusOr<ArchiveImageName> ForeignName(std::string_view text);

// Where `varve save` writes "repository:tag" as it shows it, beside the names for others.
inline constexpr char kNameAnnotation[] = "io.varve.image.name";

// What such an annotation says.
absl::StatusOr<ArchiveImageName> ExactName(std::string_view text);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_
