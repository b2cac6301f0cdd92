#include "storage/catalog/image_copies.h"

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {

absl::Status ImageCopies::CopyAtDepth(Copying& copying, const Digest& digest,
                                      const std::vector<std::string>& tags, size_t depth) {
  if (depth > kMaxIndexDepth) {
    return absl::InvalidArgumentError(
        StrCat("the image has indexes inside indexes, more than ", kMaxIndexDepth, " deep"));
  }
  ASSIGN_OR_RETURN(const ManifestInfo info, parts_.members.Read(copying.from, digest));
  ASSIGN_OR_RETURN(const std::string bytes, parts_.blobs.ReadAll(digest, kMaxManifestBytes));
  ASSIGN_OR_RETURN(const ParsedManifest parsed,
                   ParseManifest(bytes, info.media_type, ManifestRules::kStored));
  for (const Descriptor& child : parsed.children) {
    if (!copying.done.insert(child.digest).second) continue;
    if (copying.whole_repository) {
      ASSIGN_OR_RETURN(const bool there, parts_.members.Has(copying.to, child.digest));
      if (there) continue;
    }
    const absl::Status copied = CopyAtDepth(copying, child.digest, {}, depth + 1);
    // One that is not there either: the put of the index says whether it may be absent.
    if (!absl::IsNotFound(copied)) RETURN_IF_ERROR(copied);
  }
  PutManifestRequest request;
  request.bytes = bytes;
  request.media_type = info.media_type;
  request.expected = digest;
  request.tags = tags;
  const ManifestPuts::Sources sources = {false, copying.from, copying.whole_repository};
  return parts_.puts.PutFrom(copying.to_name, request, sources).status();
}

absl::Status ImageCopies::Copy(Copying& copying, const Digest& digest,
                               const std::vector<std::string>& tags) {
  return CopyAtDepth(copying, digest, tags, 0);
}

absl::Status ImageCopies::TagFrom(std::string_view from, const Digest& digest,
                                  std::string_view repository, std::string_view tag) {
  RETURN_IF_ERROR(ValidateRepositoryName(from));
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RETURN_IF_ERROR(ValidateTag(tag));
  Copying copying;
  ASSIGN_OR_RETURN(copying.from, parts_.repositories.Find(from));
  const absl::StatusOr<NamedRepository> to = parts_.repositories.FindNamed(repository);
  if (to.ok() && to->id == copying.from) return parts_.tags.Tag(repository, tag, digest);
  copying.to_name = to.ok() ? to->name : parts_.repositories.names().CanonicalOf(repository);
  const absl::Status copied = Copy(copying, digest, {std::string(tag)});
  if (copied.ok()) parts_.events.Tell(Event::Type::kTag, copying.to_name, tag, digest);
  if (!absl::IsNotFound(copied)) return copied;
  return absl::NotFoundError(
      StrCat("manifest ", digest.ToString(), " is not known in repository ", ShownName(from)));
}

}  // namespace varve
