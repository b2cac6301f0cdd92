// Deletions of manifests that look first whether something needs them: what `rmi` and prune are
// made of. Whoever tags or lists a manifest guards its blob row shared; a deletion guards it
// exclusively, so that what it finds holds until its commit.
#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/catalog/dangling.h"

namespace varve {
namespace {

// Whether a manifest of this repository names `manifest`. Index and Transaction read alike.
template <typename Reads>
absl::StatusOr<bool> IsListedIn(Reads& reads, RepositoryId repository, const Digest& manifest) {
  for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending}) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                     reads.Scan(PrefixRange(EdgePrefix(manifest, kind, repository)), 1));
    if (!edges.empty()) return true;
  }
  return false;
}

// A put of the subject guards its blob row exclusively, so none comes between.
absl::Status GuardSubject(Transaction& txn, const MemberRow& member) {
  if (!member.subject.has_value()) return absl::OkStatus();
  return txn.GetForUpdate(BlobKey(*member.subject), Guard::kShared).status();
}

// Whether anything but the tags of this repository needs the manifest there, or uses it.
absl::StatusOr<bool> IsNeededUntagged(Transaction& txn, RepositoryId repository,
                                      const Digest& manifest, const MemberRow& member) {
  ASSIGN_OR_RETURN(const bool listed, IsListedIn(txn, repository, manifest));
  if (listed) return true;
  ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaimIn(txn, repository, manifest));
  if (claim.has_value() || !member.subject.has_value()) return claim.has_value();
  RETURN_IF_ERROR(GuardSubject(txn, member));
  ASSIGN_OR_RETURN(const std::optional<std::string> subject,
                   txn.Get(MemberKey(repository, *member.subject)));
  return subject.has_value();
}

}  // namespace

absl::StatusOr<bool> Catalog::IsListed(RepositoryId repository, const Digest& manifest) {
  return IsListedIn(parts_.index, repository, manifest);
}

absl::StatusOr<Catalog::Deletion> Catalog::DeleteDangling(RepositoryId repository,
                                                          const Digest& manifest) {
  return DeleteManifestIf(
      repository, manifest, [&](Transaction& txn, const MemberRow& member) -> absl::StatusOr<bool> {
        RETURN_IF_ERROR(GuardSubject(txn, member));
        ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaim(txn, manifest));
        if (claim.has_value()) return false;
        return IsDangling(txn, repository, manifest);
      });
}

absl::StatusOr<Catalog::Deletion> Catalog::DeleteUnneeded(RepositoryId repository,
                                                          const Digest& manifest) {
  return DeleteManifestIf(
      repository, manifest, [&](Transaction& txn, const MemberRow& member) -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(
            const std::vector<KeyValue> tags,
            txn.Scan(PrefixRange(EdgePrefix(manifest, EdgeKind::kTag, repository)), 1));
        if (!tags.empty()) return false;
        ASSIGN_OR_RETURN(const bool needed, IsNeededUntagged(txn, repository, manifest, member));
        return !needed;
      });
}

absl::StatusOr<Catalog::Deletion> Catalog::DeleteUnlisted(
    RepositoryId repository, const Digest& manifest, const std::vector<std::string>* only_tags) {
  return DeleteManifestIf(
      repository, manifest, [&](Transaction& txn, const MemberRow&) -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaimIn(txn, repository, manifest));
        if (claim.has_value()) return false;
        ASSIGN_OR_RETURN(const bool listed, IsListedIn(txn, repository, manifest));
        if (listed || only_tags == nullptr) return !listed;
        const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
        ASSIGN_OR_RETURN(const std::vector<KeyValue> tags,
                         txn.Scan(PrefixRange(prefix), only_tags->size() + 1));
        for (const KeyValue& tag : tags) {
          const std::string name = tag.key.substr(prefix.size());
          if (std::find(only_tags->begin(), only_tags->end(), name) == only_tags->end()) {
            return false;
          }
        }
        return true;
      });
}

absl::StatusOr<Catalog::Deletion> Catalog::RemoveTag(RepositoryId repository, std::string_view tag,
                                                     const Digest& manifest) {
  const std::string key = TagKey(repository, tag);
  const std::string edge = TagEdgeKey(manifest, repository, tag);
  bool only_untagged = false;
  bool moved = false;
  ASSIGN_OR_RETURN(
      const Deletion deletion,
      DeleteManifestIf(
          repository, manifest,
          [&](Transaction& txn, const MemberRow& member) -> absl::StatusOr<bool> {
            ASSIGN_OR_RETURN(const std::optional<std::string> value,
                             txn.GetForUpdate(key, Guard::kExclusive));
            moved = !value.has_value();
            if (value.has_value()) {
              ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
              moved = row.digest != manifest;
            }
            if (moved) return false;
            const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
            ASSIGN_OR_RETURN(const std::vector<KeyValue> tags, txn.Scan(PrefixRange(prefix), 2));
            ASSIGN_OR_RETURN(bool needed, IsNeededUntagged(txn, repository, manifest, member));
            for (const KeyValue& one : tags) needed = needed || one.key != edge;
            only_untagged = needed;
            if (!needed) return true;
            RETURN_IF_ERROR(txn.Delete(edge));
            RETURN_IF_ERROR(txn.Delete(key));
            return false;
          }));
  if (deletion != Deletion::kKept) return deletion;
  // A run of unknown outcome before the last one may have removed the tag.
  if (moved && !only_untagged) return Deletion::kAbsent;
  ASSIGN_OR_RETURN(const std::string name, RepositoryName(repository));
  Tell(Event::Type::kUntag, name, tag, manifest);
  return Deletion::kKept;
}

}  // namespace varve
