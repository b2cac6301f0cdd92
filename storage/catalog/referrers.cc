#include "storage/catalog/referrers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "storage/base/status.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A page of referrers ends when their annotations reach this, so that it takes at most one manifest
// more: 4 MiB + 4 MiB.
constexpr size_t kMaxAnnotationBytes = 4 * kMiB;

}  // namespace

absl::StatusOr<Page<ReferrerInfo>> Referrers::List(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
  const std::string prefix = ReferrerPrefix(id, subject);
  std::string after;
  if (!page.after.empty()) {
    ASSIGN_OR_RETURN(const Digest last, Digest::Parse(page.after));
    last.AppendKey(&after);
  }
  const size_t page_rows = std::min(page.limit, kMaxPageRows);
  Page<ReferrerInfo> referrers;
  size_t annotation_bytes = 0;
  const auto add = [&](const KeyValue& row) -> absl::StatusOr<bool> {
    std::string_view key = std::string_view(row.key).substr(prefix.size());
    Digest digest;
    if (!Digest::ConsumeKey(&key, &digest)) {
      return absl::DataLossError("a referrer row of the index is damaged");
    }
    // The type is in the index; only a manifest that is wanted is read and parsed.
    const absl::StatusOr<ManifestInfo> member = parts_.members.Read(id, digest);
    if (absl::IsNotFound(member.status())) return true;  // being deleted
    RETURN_IF_ERROR(member.status());
    if (!artifact_type.empty() && member->artifact_type != artifact_type) return true;
    if (referrers.rows.size() == page_rows || annotation_bytes >= kMaxAnnotationBytes) {
      referrers.more = true;
      return false;
    }
    // Granted first, read after: see Promises.
    RETURN_IF_ERROR(parts_.promises.Grant(id, digest, Promises::Answer::kManifestRead).status());
    absl::StatusOr<ReferrerInfo> referrer = Read(id, digest);
    if (absl::IsNotFound(referrer.status())) return true;  // being deleted
    RETURN_IF_ERROR(referrer.status());
    annotation_bytes += referrer->annotations_json.size();
    referrers.rows.push_back(*std::move(referrer));
    return true;
  };
  RETURN_IF_ERROR(VisitRows(parts_.index, PrefixRange(prefix, after), page_rows + 1, add));
  return referrers;
}

absl::StatusOr<ReferrerInfo> Referrers::Read(RepositoryId repository, const Digest& digest) {
  ReferrerInfo referrer;
  ASSIGN_OR_RETURN(referrer.manifest, parts_.members.Read(repository, digest));
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(digest, kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status())) {
    // Being deleted, or damaged: then it is still the repository's. It is listed by its row, for
    // who reads it learns what became of it; left out, it would seem never to have been.
    RETURN_IF_ERROR(parts_.members.Read(repository, digest).status());
    return referrer;
  }
  RETURN_IF_ERROR(bytes.status());
  ASSIGN_OR_RETURN(ParsedManifest parsed,
                   ParseManifest(*bytes, referrer.manifest.media_type, ManifestRules::kStored));
  referrer.annotations_json = std::move(parsed.annotations_json);
  return referrer;
}

}  // namespace varve
