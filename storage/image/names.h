// The grammar of repository names and tags (OCI distribution 1.1), and Docker's reference grammar
// for people. Pure functions over untrusted text.
#ifndef VARVE_STORAGE_IMAGE_NAMES_H_
#define VARVE_STORAGE_IMAGE_NAMES_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"

namespace varve {

// Path components [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*, joined by '/', at most 255 bytes.
// InvalidArgument with a sentence for the client.
absl::Status ValidateRepositoryName(std::string_view name);

// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
absl::Status ValidateTag(std::string_view tag);

// The subject of a tag "sha256-<hex>[.suffix]", by which signers attach signatures and attestations
// to an image of the same repository; nullopt for other tags.
std::optional<Digest> SubjectOfTag(std::string_view tag);
// What such tags of `subject` begin with; "" when it has none.
std::string SubjectTagPrefix(const Digest& subject);

// What a person types: "debian:bookworm", "app@sha256:…", "app:1@sha256:…", "reg:5000/app".
struct ImageReference {
  std::string repository;  // in its stored form (canonical_name.h)
  std::string tag;         // empty when there is none
  std::optional<Digest> digest;
};

// Parses `text`; with neither tag nor digest the tag is "latest". A registry's host stays part of
// the repository, as does "docker.io/library/": what of it says nothing is for the store to leave
// out, which also knows whether there is a repository of exactly that name. A bare "sha256:…" is
// refused.
absl::StatusOr<ImageReference> ParseImageReference(std::string_view text);

// The text that ParseImageReference turns into an equal `reference`, with the stored name.
std::string FormatImageReference(const ImageReference& reference);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_NAMES_H_
