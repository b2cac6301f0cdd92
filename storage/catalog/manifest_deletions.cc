#include "storage/catalog/manifest_deletions.h"

#include <algorithm>
#include <optional>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"

namespace varve {
namespace {

absl::Status InUse(std::string_view repository, const Digest& manifest, const Claim& claim) {
  return absl::FailedPreconditionError(StrCat("manifest ", manifest.ToString(), " of repository ",
                                              ShownName(repository), " is in use by ", claim.Text(),
                                              "; it can be deleted when that has ended"));
}

absl::Status PartOf(std::string_view repository, const Digest& manifest, const Digest& index,
                    std::string_view keeper) {
  return absl::FailedPreconditionError(StrCat(
      "manifest ", manifest.ToString(), " of repository ", ShownName(repository),
      " is part of the image index ", index.ToString(), ", which ", keeper, "; delete that first"));
}

// What keeps an index in its repository: "is tagged v1"; "" when nothing does.
absl::StatusOr<std::string> KeptBy(Transaction& txn, const Member& index) {
  ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaimIn(txn, index));
  if (claim.has_value()) return StrCat("is in use by ", claim->Text());
  const std::string prefix = EdgePrefix(index.manifest, EdgeKind::kTag, index.repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> tags, txn.Scan(PrefixRange(prefix), 1));
  return tags.empty() ? std::string() : StrCat("is tagged ", tags[0].key.substr(prefix.size()));
}

}  // namespace

absl::Status ManifestDeletions::CheckUnlisted(Transaction& txn, std::string_view repository,
                                              const Member& manifest) {
  std::vector<Member> seen = {manifest};
  for (size_t next = 0; next < seen.size(); ++next) {
    const Member listed = seen[next];
    if (next > 0) {
      // Whoever tags, holds, leases or lists an index guards its row shared.
      RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(listed.manifest), Guard::kExclusive).status());
      ASSIGN_OR_RETURN(const bool index, EdgeRemovals::IsIndexHere(txn, listed));
      if (!index) continue;
      ASSIGN_OR_RETURN(const std::string keeper, KeptBy(txn, listed));
      if (!keeper.empty()) return PartOf(repository, manifest.manifest, listed.manifest, keeper);
    }
    RETURN_IF_ERROR(
        VisitListers(txn, listed, [&](const ImageKeeper& lister) -> absl::StatusOr<bool> {
          if (std::find(seen.begin(), seen.end(), lister.image) == seen.end()) {
            seen.push_back(lister.image);
          }
          return seen.size() <= kMaxListingIndexes;
        }));
    if (seen.size() > kMaxListingIndexes) {
      return absl::FailedPreconditionError(
          StrCat("more than ", kMaxListingIndexes, " image indexes of repository ",
                 ShownName(repository), " list manifest ", manifest.manifest.ToString(),
                 "; delete those first, or let a prune do it"));
    }
  }
  return absl::OkStatus();
}

absl::Status ManifestDeletions::Delete(std::string_view repository, const Digest& digest) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
  ASSIGN_OR_RETURN(
      const Deletion deletion,
      DeleteIf(id, digest, [&](Transaction& txn, const MemberRow&) -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaimIn(txn, {id, digest}));
        if (claim.has_value()) return InUse(repository, digest, *claim);
        RETURN_IF_ERROR(CheckUnlisted(txn, repository, {id, digest}));
        return true;
      }));
  parts_.promises.RenewRepository(id);
  if (deletion == Deletion::kDeleted) return absl::OkStatus();
  return absl::NotFoundError(StrCat("manifest ", digest.ToString(), " is not known in repository ",
                                    ShownName(repository)));
}

absl::StatusOr<Deletion> ManifestDeletions::DeleteIf(RepositoryId repository, const Digest& digest,
                                                     const MayGo& may_go,
                                                     std::string_view told_name) {
  ASSIGN_OR_RETURN(const std::string note, parts_.edge_removals.NewNote());
  std::vector<std::string> untagged;
  Deletion outcome = Deletion::kAbsent;
  const TagVersions::Change change(parts_.tags.versions(), repository);
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        outcome = Deletion::kAbsent;
        // Whoever names or tags the manifest guards its row shared.
        RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(digest), Guard::kExclusive).status());
        const std::string key = MemberKey(repository, digest);
        ASSIGN_OR_RETURN(const std::optional<std::string> value, txn.Get(key));
        if (!value.has_value()) {
          // An earlier deletion was interrupted and left its note, or a put in pages has: this goes
          // on with that one, by a note of its own.
          ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                           txn.GetForUpdate(EdgeRemovalKey(repository, digest), Guard::kExclusive));
          if (!noted.has_value()) return absl::OkStatus();
          untagged.clear();
          outcome = Deletion::kDeleted;
          return txn.Put(EdgeRemovalKey(repository, digest), note);
        }
        ASSIGN_OR_RETURN(const MemberRow member, MemberRow::Decode(*value));
        ASSIGN_OR_RETURN(const bool goes, may_go(txn, member));
        outcome = goes ? Deletion::kDeleted : Deletion::kKept;
        if (!goes) return absl::OkStatus();
        RETURN_IF_ERROR(txn.Delete(key));
        RETURN_IF_ERROR(txn.Delete(PulledKey(repository, digest)));
        if (member.subject.has_value()) {
          RETURN_IF_ERROR(txn.Delete(ReferrerKey(repository, *member.subject, digest)));
        }
        untagged.clear();
        RETURN_IF_ERROR(parts_.tags.RemovePage(txn, {repository, digest}, &untagged).status());
        return txn.Put(EdgeRemovalKey(repository, digest), note);
      },
      Durability::kSynced, Patience::kShort));
  if (outcome != Deletion::kDeleted) return outcome;
  parts_.events.TellDeleted(repository, told_name, digest, untagged);
  RETURN_IF_ERROR(parts_.edge_removals.Run(repository, digest, note));
  return outcome;
}

}  // namespace varve
