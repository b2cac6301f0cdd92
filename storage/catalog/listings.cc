// Listings, a page at a time: memory and time in proportion to the page.
#include <algorithm>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A page of referrers ends when their annotations reach this, so that it takes at most one manifest
// more: 4 MiB + 4 MiB.
constexpr size_t kMaxAnnotationBytes = 4 * kMiB;

// Rows to read for a page: one more than wanted tells whether there are more.
size_t PageRows(const PageRequest& page) { return std::min(page.limit, kMaxPageRows); }

}  // namespace

absl::StatusOr<Page<TagInfo>> Catalog::ListTags(std::string_view repository,
                                                const PageRequest& page) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.Find(repository));
  const std::string prefix = TagPrefix(id);
  ASSIGN_OR_RETURN(std::vector<KeyValue> rows,
                   parts_.index.Scan(PrefixRange(prefix, page.after), PageRows(page) + 1));
  Page<TagInfo> tags;
  tags.more = rows.size() > PageRows(page);
  if (tags.more) rows.pop_back();
  for (const KeyValue& row : rows) {
    ASSIGN_OR_RETURN(const TagRow tag, TagRow::Decode(row.value));
    tags.rows.push_back({row.key.substr(prefix.size()), tag.digest, tag.tagged_nanos});
  }
  return tags;
}

absl::StatusOr<uint64_t> Catalog::TagsVersion(std::string_view repository) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.Find(repository));
  return tag_versions_.Of(id);
}

absl::StatusOr<ReferrerInfo> Catalog::ReadReferrer(RepositoryId repository, const Digest& digest) {
  ReferrerInfo referrer;
  ASSIGN_OR_RETURN(referrer.manifest, ReadMember(repository, digest));
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(digest, kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status())) {
    // Being deleted, or damaged: then it is still the repository's. It is listed by its row, for
    // who reads it learns what became of it; left out, it would seem never to have been.
    RETURN_IF_ERROR(ReadMember(repository, digest).status());
    return referrer;
  }
  RETURN_IF_ERROR(bytes.status());
  ASSIGN_OR_RETURN(ParsedManifest parsed,
                   ParseManifest(*bytes, referrer.manifest.media_type, ManifestRules::kStored));
  referrer.annotations_json = std::move(parsed.annotations_json);
  return referrer;
}

absl::StatusOr<Page<ReferrerInfo>> Catalog::ListReferrers(std::string_view repository,
                                                          const Digest& subject,
                                                          std::string_view artifact_type,
                                                          const PageRequest& page) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.Find(repository));
  const std::string prefix = ReferrerPrefix(id, subject);
  std::string after;
  if (!page.after.empty()) {
    ASSIGN_OR_RETURN(const Digest last, Digest::Parse(page.after));
    last.AppendKey(&after);
  }
  Page<ReferrerInfo> referrers;
  size_t annotation_bytes = 0;
  const auto add = [&](const KeyValue& row) -> absl::StatusOr<bool> {
    std::string_view key = std::string_view(row.key).substr(prefix.size());
    Digest digest;
    if (!Digest::ConsumeKey(&key, &digest)) {
      return absl::DataLossError("a referrer row of the index is damaged");
    }
    // The type is in the index; only a manifest that is wanted is read and parsed.
    const absl::StatusOr<ManifestInfo> member = ReadMember(id, digest);
    if (absl::IsNotFound(member.status())) return true;  // being deleted
    RETURN_IF_ERROR(member.status());
    if (!artifact_type.empty() && member->artifact_type != artifact_type) return true;
    if (referrers.rows.size() == PageRows(page) || annotation_bytes >= kMaxAnnotationBytes) {
      referrers.more = true;
      return false;
    }
    // Granted first, read after: see Promises.
    RETURN_IF_ERROR(parts_.promises.Grant(id, digest, Promises::Answer::kManifestRead).status());
    absl::StatusOr<ReferrerInfo> referrer = ReadReferrer(id, digest);
    if (absl::IsNotFound(referrer.status())) return true;  // being deleted
    RETURN_IF_ERROR(referrer.status());
    annotation_bytes += referrer->annotations_json.size();
    referrers.rows.push_back(*std::move(referrer));
    return true;
  };
  RETURN_IF_ERROR(VisitRows(parts_.index, PrefixRange(prefix, after), PageRows(page) + 1, add));
  return referrers;
}

}  // namespace varve
