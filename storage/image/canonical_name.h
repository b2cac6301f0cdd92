// One name per image: the forms in which a repository is named. Pure functions over untrusted text,
// in time proportional to it.
//
//   typed      what people write: "Reg.example.com:5000/team/app"
//   stored     the same in OCI's grammar, as doors and rows have it: the registry's host in lower
//              case, its port behind "__": "reg.example.com__5000/team/app"
//   canonical  stored, without what does not tell images apart: "docker.io/library/debian" and
//              "localhost/debian" are "debian"
//
// What a name means is decided in one place, Repositories::FindNamed: the repository of exactly
// that stored name if there is one, else the one of its canonical name.
#ifndef VARVE_STORAGE_IMAGE_CANONICAL_NAME_H_
#define VARVE_STORAGE_IMAGE_CANONICAL_NAME_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace varve {

// The stored form of a repository name that a person typed, without tag and digest. Before the
// first
// '/', what has a dot or a colon, or is "localhost", is a registry's host, which may be in upper
// case. A name that is stored already is its own stored form. InvalidArgument, with a sentence for
// the person: an IPv6 address as the host, a port that is none, and what ValidateRepositoryName
// refuses.
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

// How one store takes names.
struct NameRule {
  bool canonical = true;               // else every name means itself and nothing else
  std::vector<std::string> own_hosts;  // under which its registry is known, as StoredHost has them

  std::string_view CanonicalOf(std::string_view stored) const {
    return canonical ? CanonicalName(stored, own_hosts) : stored;
  }
};

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_CANONICAL_NAME_H_
