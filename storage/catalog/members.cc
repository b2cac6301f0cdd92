#include "storage/catalog/members.h"

#include <optional>
#include <string>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/table_visits.h"

namespace varve {

absl::StatusOr<bool> Members::Has(RepositoryId repository, const Digest& manifest) {
  return index_.Has(MemberKey(repository, manifest));
}

absl::StatusOr<ManifestInfo> Members::Read(RepositoryId repository, const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   index_.Get(MemberKey(repository, digest)));
  if (!value.has_value()) {
    return absl::NotFoundError(StrCat("manifest ", digest.ToString(), " is not a member"));
  }
  ASSIGN_OR_RETURN(MemberRow row, MemberRow::Decode(*value));
  return InfoOf(digest, std::move(row));
}

ManifestInfo Members::InfoOf(const Digest& digest, MemberRow row) {
  return ManifestInfo{digest,
                      std::move(row.media_type),
                      std::move(row.artifact_type),
                      row.subject,
                      row.config,
                      row.size_bytes,
                      row.content_bytes,
                      row.pushed_nanos};
}

absl::StatusOr<std::vector<RepositoryId>> Members::RepositoriesOf(const Digest& manifest) {
  std::vector<RepositoryId> listing;
  RETURN_IF_ERROR(VisitEdges(index_, EdgePrefix(manifest, EdgeKind::kMember),
                             [&](const EdgeSource& source) -> absl::StatusOr<bool> {
                               // The edge outlives the membership while a deletion is under way.
                               ASSIGN_OR_RETURN(const bool is_member,
                                                Has(source.repository, manifest));
                               if (is_member) listing.push_back(source.repository);
                               return true;
                             }));
  return listing;
}

}  // namespace varve
