// Names of entries in image archives and layouts. Pure functions over untrusted text: no name that
// they accept leads out of the archive.
#ifndef VARVE_CLIENT_ARCHIVE_ENTRY_NAME_H_
#define VARVE_CLIENT_ARCHIVE_ENTRY_NAME_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"

namespace varve {

// Longer names do not occur in image archives: the longest, of a sha512 blob, has 141 bytes.
inline constexpr size_t kMaxEntryNameBytes = 512;

// "./blobs//sha256/ab" and "/blobs/sha256/ab" are "blobs/sha256/ab": the top of an archive is the
// root of its names. The top itself is "". InvalidArgument when the name has a component "..", or
// is too long.
absl::StatusOr<std::string> NormalizeEntryName(std::string_view name);

// The normal name of what a symbolic link called `link`, a normal name, points to; a target that
// begins with "/" is looked up from the top of the archive. InvalidArgument when that lies outside.
absl::StatusOr<std::string> ResolveLink(std::string_view link, std::string_view target);

// "blobs/sha256/<hex>".
std::string BlobEntryName(const Digest& digest);

// The digest that an entry called "blobs/<algorithm>/<hex>" says it has.
std::optional<Digest> DigestOfBlobEntry(std::string_view name);

// The digest in the last component of names such as "<64 hex>.json", "<64 hex>.tar" and
// "sha256:<64 hex>": the writers of Docker archives call files so, but nothing says they must.
std::optional<Digest> DigestInName(std::string_view name);

// `text` in quotes for a sentence on a terminal: at most 200 bytes of it, only printable ASCII.
std::string Quoted(std::string_view text);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_ENTRY_NAME_H_
