#include "storage/reclaim/image_content.h"

#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/catalog/manifest.h"
#include "storage/catalog/names.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

}  // namespace

absl::Status VisitMembers(Index& index, const std::function<absl::Status(const Member&)>& visit) {
  return VisitRows(index, MemberPrefix(), kPageRows,
                   [&](const KeyValue& row) -> absl::StatusOr<bool> {
                     Member member;
                     if (!ParseMemberKey(row.key, &member.repository, &member.manifest)) {
                       return absl::DataLossError("a member row of the index is damaged");
                     }
                     RETURN_IF_ERROR(visit(member));
                     return true;
                   });
}

absl::StatusOr<ImageContent> ReadContent(const ImageParts& parts, const Member& image) {
  ImageContent content;
  content.image = image;
  content.blobs.push_back(image.manifest);
  const absl::StatusOr<std::string> bytes = parts.blobs.ReadAll(image.manifest, kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status()) || absl::IsDataLoss(bytes.status())) return content;
  RETURN_IF_ERROR(bytes.status());
  const absl::StatusOr<ParsedManifest> parsed = ParseManifest(*bytes, "", ManifestRules::kStored);
  if (!parsed.ok()) return content;
  for (const ContentReference& reference : parsed->References()) {
    // An entry may be a manifest for all that: its type is what the index says.
    if (reference.role == ContentReference::Role::kChild ||
        reference.role == ContentReference::Role::kEntry) {
      content.children.push_back(reference.descriptor.digest);
    }
    content.blobs.push_back(reference.descriptor.digest);
  }
  return content;
}

absl::StatusOr<std::optional<BlobCopy>> ReadCopy(const ImageParts& parts, const Digest& blob) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts.index.Get(BlobKey(blob)));
  if (!value.has_value()) return std::optional<BlobCopy>();
  ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*value));
  BlobCopy copy{row.file, row.size_bytes, 0};
  if (row.file != 0) {
    const absl::StatusOr<FileStat> stat = parts.files.Stat(row.file);
    if (stat.ok()) copy.allocated_bytes = stat->allocated_bytes;
  }
  return std::optional<BlobCopy>(copy);
}

absl::Status VisitFollowers(
    const ImageParts& parts, const ImageContent& gone,
    const std::function<absl::Status(const Member& follower, bool by_tag)>& visit) {
  for (const Digest& child : gone.children) {
    ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories,
                     parts.catalog.RepositoriesOf(child));
    for (const RepositoryId repository : repositories) {
      RETURN_IF_ERROR(visit({repository, child}, /*by_tag=*/false));
    }
  }
  const RepositoryId repository = gone.image.repository;
  const std::string prefix = ReferrerPrefix(repository, gone.image.manifest);
  RETURN_IF_ERROR(
      VisitRows(parts.index, prefix, kPageRows, [&](const KeyValue& row) -> absl::StatusOr<bool> {
        std::string_view key = std::string_view(row.key).substr(prefix.size());
        Digest referrer;
        if (!Digest::ConsumeKey(&key, &referrer)) {
          return absl::DataLossError("a referrer row of the index is damaged");
        }
        RETURN_IF_ERROR(visit({repository, referrer}, /*by_tag=*/false));
        return true;
      }));
  ASSIGN_OR_RETURN(const std::vector<Digest> tagged,
                   parts.catalog.TaggedReferrersOf(repository, gone.image.manifest));
  for (const Digest& referrer : tagged) {
    RETURN_IF_ERROR(visit({repository, referrer}, /*by_tag=*/true));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HasReferrers(Index& index, const Member& image) {
  ASSIGN_OR_RETURN(const std::vector<KeyValue> referrers,
                   index.Scan(PrefixRange(ReferrerPrefix(image.repository, image.manifest)), 1));
  const std::string tag = SubjectTagPrefix(image.manifest);
  if (!referrers.empty() || tag.empty()) return !referrers.empty();
  ASSIGN_OR_RETURN(const std::vector<KeyValue> tags,
                   index.Scan(PrefixRange(TagKey(image.repository, tag)), 1));
  return !tags.empty();
}

}  // namespace varve
