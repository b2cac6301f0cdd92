// A tag that crosses repositories: the image and, before it, all that an index lists become members
// of the other repository; the tag is set together with the last of them.
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/limits.h"

namespace varve {
struct Catalog::Copying {
  RepositoryId from = 0;
  std::string_view to_name;
  // A manifest that several indexes list is copied once.
  absl::flat_hash_set<Digest> done;
};

absl::Status Catalog::CopyManifest(Copying& copying, const Digest& digest,
                                   const std::vector<std::string>& tags, size_t depth) {
  if (depth > kMaxIndexDepth) {
    return absl::InvalidArgumentError(
        StrCat("the image has indexes inside indexes, more than ", kMaxIndexDepth, " deep"));
  }
  ASSIGN_OR_RETURN(const ManifestInfo info, ReadMember(copying.from, digest));
  ASSIGN_OR_RETURN(const std::string bytes, parts_.blobs.ReadAll(digest, kMaxManifestBytes));
  ASSIGN_OR_RETURN(const ParsedManifest parsed,
                   ParseManifest(bytes, info.media_type, ManifestRules::kStored));
  for (const Descriptor& child : parsed.children) {
    if (!copying.done.insert(child.digest).second) continue;
    const absl::Status copied = CopyManifest(copying, child.digest, {}, depth + 1);
    // One that is not there either: the put of the index says whether it may be absent.
    if (!absl::IsNotFound(copied)) RETURN_IF_ERROR(copied);
  }
  PutManifestRequest request;
  request.bytes = bytes;
  request.media_type = info.media_type;
  request.expected = digest;
  request.tags = tags;
  return PutManifestFrom(copying.to_name, request, {false, copying.from}).status();
}

absl::Status Catalog::TagFrom(std::string_view from, const Digest& digest,
                              std::string_view repository, std::string_view tag) {
  RETURN_IF_ERROR(ValidateRepositoryName(from));
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RETURN_IF_ERROR(ValidateTag(tag));
  if (from == repository) return Tag(repository, tag, digest);
  Copying copying;
  ASSIGN_OR_RETURN(copying.from, FindRepository(from));
  copying.to_name = repository;
  const absl::Status copied = CopyManifest(copying, digest, {std::string(tag)}, 0);
  if (copied.ok()) Tell(Event::Type::kTag, repository, tag, digest);
  if (!absl::IsNotFound(copied)) return copied;
  return absl::NotFoundError(
      StrCat("manifest ", digest.ToString(), " is not known in repository ", from));
}

}  // namespace varve
