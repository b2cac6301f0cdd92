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

// The name that the store gives what others call `text`, in its canonical form: "debian:12",
// "library/debian:12", "localhost/debian:12" and "docker.io/library/debian:12" are debian:12,
// "docker.io/me/app" is me/app:latest. Another registry's host stays, with its port: "reg:5000/x"
// is reg__5000/x:latest. Whether it is the daemon's own address, the daemon knows. Of a name with a
// digest ("app@sha256:…") no tag is left, unless it has one as well. InvalidArgument when it is not
// a name.
absl::StatusOr<ArchiveImageName> FamiliarName(std::string_view text);

// Where `varve save` writes "repository:tag" as it shows it, beside the names for others.
inline constexpr char kNameAnnotation[] = "io.varve.image.name";

// What such an annotation says.
absl::StatusOr<ArchiveImageName> ExactName(std::string_view text);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_NAMES_H_
