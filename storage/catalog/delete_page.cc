// Deletions of images that nothing keeps, a page of them at a time. Each has few rows: they go by
// one transaction, and nothing is left to do after it. What the images share is written once.
// Whoever tags, lists, holds or leases one guards its blob row shared; the page guards them all
// exclusively.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/catalog/manifest_deletions.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"

namespace varve {

// Of an image four rows, of a target two edges, a condemned row and a link with its end.
static_assert(4 * ManifestDeletions::kPageImages + 5 * ManifestDeletions::kPageTargets <=
              kMaxRunOperations);
static_assert(2 * ManifestDeletions::kPageTargets <= kMaxBatchReads);
static_assert(2 * ManifestDeletions::kPageImages <= kMaxBatchReads);

absl::StatusOr<std::vector<Deletion>> ManifestDeletions::DeletePage(
    RepositoryId repository, std::string_view name, absl::Span<const UnkeptImage> images) {
  std::vector<Digest> manifests;
  std::vector<std::string> guarded;
  size_t targets = 0;
  for (const UnkeptImage& image : images) {
    manifests.push_back(image.manifest);
    guarded.push_back(BlobKey(image.manifest));
    guarded.push_back(MemberKey(repository, image.manifest));
    // Whoever pulls the image at this moment goes on with what it names.
    const int64_t kept_nanos = parts_.promises.KeptNanos(image.manifest);
    for (const Digest& target : image.targets) parts_.promises.KeepFor(target, kept_nanos);
    targets += image.targets.size();
  }
  CheckInvariant(images.size() <= kPageImages && targets <= kPageTargets,
                 "a page of deletions fits one transaction");
  std::vector<Deletion> outcomes;
  const auto delete_unkept = [&](Transaction& txn) -> absl::Status {
    outcomes.assign(images.size(), Deletion::kAbsent);
    ASSIGN_OR_RETURN(const OptionalValues rows, txn.GetManyForUpdate(guarded, Guard::kExclusive));
    ASSIGN_OR_RETURN(const auto edges, FirstKeepingEdges(txn, manifests));
    CheckInvariant(rows.size() == 2 * images.size() && edges.size() == images.size(),
                   "each image of a page is guarded and looked at");
    std::vector<const UnkeptImage*> going;
    for (size_t i = 0; i < images.size(); ++i) {
      const std::optional<std::string>& member = rows[2 * i + 1];
      if (!member.has_value()) continue;
      ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*member));
      const bool goes = !edges[i].has_value() && !row.subject.has_value();
      outcomes[i] = goes ? Deletion::kDeleted : Deletion::kKept;
      if (goes) going.push_back(&images[i]);
    }
    if (going.empty()) return absl::OkStatus();
    // Links may be added, and no note says that this deletion goes on.
    ASSIGN_OR_RETURN(const RepositoryId named, parts_.repositories.GuardNamed(txn, name));
    if (named != repository) return absl::OutOfRangeError("the repository was renamed");
    return DeleteRows(txn, repository, going);
  };
  RETURN_IF_ERROR(parts_.index.Run(delete_unkept, Durability::kSynced, Patience::kShort));
  bool deleted = false;
  for (size_t i = 0; i < images.size(); ++i) {
    if (outcomes[i] != Deletion::kDeleted) continue;
    parts_.events.Tell(Event::Type::kDelete, name, "", images[i].manifest);
    deleted = true;
  }
  if (deleted) parts_.empty_repositories.Note(repository);
  return outcomes;
}

absl::Status ManifestDeletions::DeleteRows(Transaction& txn, RepositoryId repository,
                                           absl::Span<const UnkeptImage* const> images) {
  const int64_t now = parts_.clock.WallNanos();
  RETURN_IF_ERROR(RemoveEdgesOf(txn, repository, images, now));
  std::vector<std::string> pulled_keys;
  for (const UnkeptImage* image : images) {
    pulled_keys.push_back(PulledKey(repository, image->manifest));
  }
  // Whoever writes one guards the member's row.
  ASSIGN_OR_RETURN(const OptionalValues pulled, txn.GetMany(pulled_keys));
  for (size_t i = 0; i < images.size(); ++i) {
    const Digest& manifest = images[i]->manifest;
    if (pulled[i].has_value()) RETURN_IF_ERROR(txn.Delete(pulled_keys[i]));
    RETURN_IF_ERROR(txn.Delete(MemberKey(repository, manifest)));
    RETURN_IF_ERROR(txn.Delete(MemberEdgeKey(manifest, repository)));
    RETURN_IF_ERROR(txn.Put(CondemnedKey(now, manifest), ""));
  }
  return absl::OkStatus();
}

absl::Status ManifestDeletions::RemoveEdgesOf(Transaction& txn, RepositoryId repository,
                                              absl::Span<const UnkeptImage* const> images,
                                              int64_t now) {
  std::vector<std::string> keys;
  std::vector<Digest> targets;
  for (const UnkeptImage* image : images) {
    for (const Digest& target : image->targets) {
      for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending}) {
        keys.push_back(ReferenceEdgeKey(target, kind, repository, image->manifest));
      }
      targets.push_back(target);
    }
  }
  // A target that comes or goes at this moment turns one kind into the other.
  ASSIGN_OR_RETURN(const OptionalValues edges, txn.GetManyForUpdate(keys, Guard::kExclusive));
  CheckInvariant(edges.size() == keys.size() && keys.size() == 2 * targets.size(),
                 "each target of a deletion is looked for as reference and as pending");
  absl::flat_hash_map<Digest, bool> was_visible;
  for (size_t i = 0; i < keys.size(); ++i) {
    bool& visible = was_visible[targets[i / 2]];
    if (!edges[i].has_value()) continue;
    visible = visible || i % 2 == 0;
    RETURN_IF_ERROR(txn.Delete(keys[i]));
  }
  std::vector<Digest> unlinked;
  for (const auto& [target, visible] : was_visible) {
    if (visible) unlinked.push_back(target);
    RETURN_IF_ERROR(txn.Put(CondemnedKey(now, target), ""));
  }
  return parts_.links.AddToWhatStays(txn, repository, unlinked);
}

}  // namespace varve
