#include "storage/reclaim/image_content.h"

#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

}  // namespace

absl::StatusOr<ImageContent> ReadContent(const ImageParts& parts, const Member& image) {
  ImageContent content;
  content.image = image;
  content.blobs.push_back(image.manifest);
  const absl::StatusOr<std::string> bytes = parts.blobs.ReadAll(image.manifest, kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status()) || absl::IsDataLoss(bytes.status())) return content;
  RETURN_IF_ERROR(bytes.status());
  const absl::StatusOr<ParsedManifest> parsed = ParseManifest(*bytes, "", ManifestRules::kStored);
  if (!parsed.ok()) return content;
  content.complete = true;
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

absl::StatusOr<std::vector<std::optional<BlobCopy>>> ReadCopies(const ImageParts& parts,
                                                                absl::Span<const Digest> blobs) {
  std::vector<std::string> keys;
  for (const Digest& blob : blobs) keys.push_back(BlobKey(blob));
  ASSIGN_OR_RETURN(const OptionalValues values, GetAll(parts.index, keys));
  std::vector<std::optional<BlobCopy>> copies(blobs.size());
  for (size_t i = 0; i < blobs.size(); ++i) {
    if (!values[i].has_value()) continue;
    ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*values[i]));
    ASSIGN_OR_RETURN(BlobTier* const tier, parts.blobs.TierOf(blobs[i], row));
    copies[i] = tier->Measure(row);
  }
  return copies;
}

absl::StatusOr<std::optional<BlobCopy>> ReadCopy(const ImageParts& parts, const Digest& blob) {
  ASSIGN_OR_RETURN(const auto copies, ReadCopies(parts, {blob}));
  return copies[0];
}

absl::Status VisitFollowers(
    const ImageParts& parts, const ImageContent& gone,
    const std::function<absl::Status(const Member& follower, bool by_tag)>& visit) {
  for (const Digest& child : gone.children) {
    ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories,
                     parts.catalog.members.RepositoriesOf(child));
    for (const RepositoryId repository : repositories) {
      RETURN_IF_ERROR(visit({repository, child}, /*by_tag=*/false));
    }
  }
  const RepositoryId repository = gone.image.repository;
  const std::string prefix = ReferrerPrefix(repository, gone.image.manifest);
  RETURN_IF_ERROR(
      WalkRows(parts.index, prefix, kPageRows, [&](const KeyValue& row) -> absl::StatusOr<bool> {
        std::string_view key = std::string_view(row.key).substr(prefix.size());
        Digest referrer;
        if (!Digest::ConsumeKey(&key, &referrer)) {
          return absl::DataLossError("a referrer row of the index is damaged");
        }
        RETURN_IF_ERROR(visit({repository, referrer}, /*by_tag=*/false));
        return true;
      }));
  ASSIGN_OR_RETURN(const std::vector<Digest> tagged,
                   parts.catalog.tags.ReferrersOf(repository, gone.image.manifest));
  for (const Digest& referrer : tagged) {
    RETURN_IF_ERROR(visit({repository, referrer}, /*by_tag=*/true));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<bool>> HaveReferrers(Index& index, absl::Span<const Member> images) {
  std::vector<KeyRange> ranges;
  for (const Member& image : images) {
    ranges.push_back(PrefixRange(ReferrerPrefix(image.repository, image.manifest)));
    const std::string tag = SubjectTagPrefix(image.manifest);
    const std::string tags = TagKey(image.repository, tag);
    ranges.push_back(tag.empty() ? KeyRange{tags, tags} : PrefixRange(tags));
  }
  ASSIGN_OR_RETURN(const FirstRows rows, index.FirstOfEach(ranges));
  std::vector<bool> referred;
  for (size_t i = 0; i < rows.size(); i += 2) {
    referred.push_back(rows[i].has_value() || rows[i + 1].has_value());
  }
  return referred;
}

absl::StatusOr<bool> HasReferrers(Index& index, const Member& image) {
  ASSIGN_OR_RETURN(const std::vector<bool> referred, HaveReferrers(index, {image}));
  return referred[0];
}

}  // namespace varve
