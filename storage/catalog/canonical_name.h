// One name per image: the forms in which a repository is named. Pure functions over untrusted text,
// in time proportional to it.
//
//   typed      what people write: "Reg.example.com:5000/team/app"
//   stored     the same in OCI's grammar, as doors and rows have it: the registry's host in lower
//              case, its port behind "__": "reg.example.com__5000/team/app"
//   canonical  stored, without what does not tell images apart: "docker.io/library/debian" and
//              "localhost/debian" are "debian"
//
// The command line and the native API take the typed form and store the stored one. Nothing asks
// for the canonical form yet: a stored name means the repository of exactly that name.
#ifndef VARVE_STORAGE_CATALOG_CANONICAL_NAME_H_
#define VARVE_STORAGE_CATALOG_CANONICAL_NAME_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace varve {

// The stored form of a repository name that a person typed, without tag and digest. Before the
// first '/', what has a dot or a colon, or is "localhost", is a registry's host, which may be in
// upper case. A name that is stored already is its own stored form. InvalidArgument, with a
// sentence for the person: an IPv6 address as the host, a port that is none, and what
// ValidateRepositoryName refuses.
absl::StatusOr<std::string> StoredName(std::string_view typed);

// The stored form of a registry's host alone: "reg:5000" is "reg__5000". Errors as StoredName's.
absl::StatusOr<std::string> StoredHost(std::string_view typed);

// What people see of a stored name: "reg__5000/team/app" is "reg:5000/team/app". Reversible:
// StoredName(ShownName(stored)) is `stored` again.
std::string ShownName(std::string_view stored);

// The part of `stored` that is its canonical name. Left out are the hosts "docker.io",
// "index.docker.io" and "localhost", those of `own_hosts` (as StoredHost has them), and "library"
// before the last component. What is canonical stays as it is.
std::string_view CanonicalName(std::string_view stored,
                               absl::Span<const std::string> own_hosts = {});

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_CANONICAL_NAME_H_
