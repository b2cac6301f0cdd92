// Deletions of manifests that look first whether something needs them: what `rmi` and prune are
// made of. Whoever tags or lists a manifest guards its blob row shared; a deletion guards it
// exclusively, so that what it finds holds until its commit.
#include <algorithm>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/catalog/manifest_deletions.h"
#include "storage/image/names.h"
#include "storage/keep/what_keeps.h"

namespace varve {
namespace {

// Signatures, attestations and SBOMs of one image that are one manifest.
constexpr size_t kMaxFollowingTags = 64;

// Whether nothing but images of `together` keeps this one of them.
absl::StatusOr<bool> KeptOnlyAmong(Transaction& txn, const std::vector<Prunable>& together,
                                   const Prunable& one, bool elsewhere_may_tag) {
  const auto goes = [&](const Member& image) {
    return std::any_of(together.begin(), together.end(),
                       [&](const Prunable& other) { return other.image == image; });
  };
  const auto goes_with_it = [&](const std::string& tag) {
    return std::find(one.tags.begin(), one.tags.end(), tag) != one.tags.end();
  };
  const DanglingScope scope = elsewhere_may_tag ? DanglingScope::kUnused : DanglingScope::kDangling;
  bool among = true;
  const auto weigh = [&](const ImageKeeper& keeper) -> absl::StatusOr<bool> {
    const bool by_tag = !keeper.is_claim() && !keeper.name.empty();
    const bool by_own_tag = by_tag && keeper.image.repository == one.image.repository;
    if (keeper.is_claim() || (by_own_tag && !goes_with_it(keeper.name))) {
      among = false;
    } else if (!by_own_tag || keeper.kind == ImageKeeper::Kind::kSubject) {
      const KeeperWeight weight = Weigh(scope, one.image, keeper);
      among = weight == KeeperWeight::kNone ||
              (weight == KeeperWeight::kWithImage && goes(keeper.image));
    }
    return among;
  };
  const absl::Status looked = VisitKeepers(txn, one.image, weigh);
  // One of them that has gone keeps nothing.
  if (absl::IsNotFound(looked)) return among;
  RETURN_IF_ERROR(looked);
  return among;
}

}  // namespace

absl::StatusOr<Deletion> ManifestDeletions::DeletePrunable(const std::vector<Prunable>& together,
                                                           bool elsewhere_may_tag) {
  CheckInvariant(!together.empty(), "a deletion is of an image");
  const Member& first = together.front().image;
  std::vector<std::string> others;
  for (const Prunable& one : together) {
    if (one.image.manifest != first.manifest) others.push_back(BlobKey(one.image.manifest));
  }
  return DeleteIf(first.repository, first.manifest,
                  [&](Transaction& txn, const MemberRow&) -> absl::StatusOr<bool> {
                    // Whoever tags, lists, holds or leases one of them guards its row shared.
                    if (!others.empty()) {
                      RETURN_IF_ERROR(txn.GetManyForUpdate(others, Guard::kExclusive).status());
                    }
                    for (const Prunable& one : together) {
                      ASSIGN_OR_RETURN(const bool among,
                                       KeptOnlyAmong(txn, together, one, elsewhere_may_tag));
                      if (!among) return false;
                    }
                    return true;
                  });
}

absl::StatusOr<Deletion> ManifestDeletions::DeleteUnneeded(RepositoryId repository,
                                                           const Digest& manifest,
                                                           const Digest& gone_subject) {
  return DeleteIf(
      repository, manifest, [&](Transaction& txn, const MemberRow& member) -> absl::StatusOr<bool> {
        const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
        ASSIGN_OR_RETURN(const std::vector<KeyValue> tags,
                         txn.Scan(PrefixRange(prefix), kMaxFollowingTags + 1));
        if (tags.size() > kMaxFollowingTags) return false;
        for (const KeyValue& tag : tags) {
          if (SubjectOfTag(tag.key.substr(prefix.size())) != gone_subject) return false;
        }
        ASSIGN_OR_RETURN(const bool needed, IsNeededUntagged(txn, {repository, manifest}, member));
        return !needed;
      });
}

absl::StatusOr<Deletion> ManifestDeletions::DeleteUnlisted(
    RepositoryId repository, const Digest& manifest, const std::vector<std::string>* only_tags) {
  return DeleteIf(repository, manifest,
                  [&](Transaction& txn, const MemberRow&) -> absl::StatusOr<bool> {
                    ASSIGN_OR_RETURN(const std::optional<Claim> claim,
                                     FindClaimIn(txn, {repository, manifest}));
                    if (claim.has_value()) return false;
                    ASSIGN_OR_RETURN(const bool listed, IsListed(txn, {repository, manifest}));
                    if (listed || only_tags == nullptr) return !listed;
                    return parts_.tags.HasNoOther(txn, {repository, manifest}, *only_tags);
                  });
}

absl::StatusOr<Deletion> ManifestDeletions::RemoveTag(RepositoryId repository, std::string_view tag,
                                                      const Digest& manifest, bool force) {
  const std::string key = TagKey(repository, tag);
  const std::string edge = TagEdgeKey(manifest, repository, tag);
  bool moved = false;
  ASSIGN_OR_RETURN(
      const Deletion deletion,
      DeleteIf(
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
            if (!force) RETURN_IF_ERROR(parts_.tags.CheckNotLast(txn, repository, tag, manifest));
            const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
            ASSIGN_OR_RETURN(const std::vector<KeyValue> tags, txn.Scan(PrefixRange(prefix), 2));
            ASSIGN_OR_RETURN(bool needed, IsNeededUntagged(txn, {repository, manifest}, member));
            for (const KeyValue& one : tags) needed = needed || one.key != edge;
            if (!needed) return true;
            RETURN_IF_ERROR(txn.Delete(edge));
            RETURN_IF_ERROR(txn.Delete(key));
            return false;
          }));
  if (deletion != Deletion::kKept) return deletion;
  if (moved) return Deletion::kAbsent;
  ASSIGN_OR_RETURN(const std::string name, parts_.repositories.NameOf(repository));
  parts_.events.Tell(Event::Type::kUntag, name, tag, manifest);
  return Deletion::kKept;
}

}  // namespace varve
