// What the images of an archive are called in the store. Pure functions over untrusted text.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve {

struct ArchiveImageName {
  std::string repository;
  std::string tag;  // empty: no tag names it

  friend bool operator==(const ArchiveImageName&, const ArchiveImageName&) = default;
};

// "repository:tag", or only the repository.
std::string FormatName(const ArchiveImageName& name);

// The short form in which Docker shows a name: "docker.io/library/debian:12" and "debian:12" are
// debian:12, "docker.io/me/app" is me/app:latest. A registry host with a port, and "localhost", say
// where an image was kept, and are left out; another host ("quay.io/x/y") stays part of the
// repository. Of a name with a digest ("app@sha256:…") no tag is left, unless it has one as well.
// InvalidArgument when what remains is not a name.
absl::StatusOr<ArchiveImageName> FamiliarName(std::string_view text);

// Where `varve save` writes "repository:tag" as the store has it, beside the names for others.
inline constexpr char kNameAnnotation[] = "io.varve.image.name";

// What such an annotation says.
absl::StatusOr<ArchiveImageName> ExactName(std::string_view text);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_
