// The way out of a manifest. One transaction makes it invisible, with its tags, and notes that its
// edges have to go; these go in pages, so that a manifest with many references needs no large
// transaction. A crash in between leaves the note, and FinishDeletions goes on. Indexes that list
// it stay, with a pending edge.
#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/index/table_visits.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Tags removed by one transaction: two rows each.
constexpr size_t kTagPageRows = 300;
// References removed by one transaction: up to five rows each.
constexpr size_t kTargetPageRows = 150;
static_assert(kTargetPageRows <= kMaxBatchReads);
// Edges made pending by one transaction: two rows each.
constexpr size_t kListerPageRows = 300;
// As many of them leave room for a page of tags, and five rows more, in the same transaction.
constexpr size_t kTargetsBesideTags = (kMaxRunOperations - 2 * kTagPageRows - 5) / 5;

// Removes up to a page of the manifest's tags in the repository, and adds their names to
// `*removed`; true when none is left.
absl::StatusOr<bool> RemoveTags(Transaction& txn, RepositoryId repository, const Digest& manifest,
                                std::vector<std::string>* removed) {
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges, txn.Scan(PrefixRange(prefix), kTagPageRows));
  for (const KeyValue& edge : edges) {
    const std::string tag = edge.key.substr(prefix.size());
    const std::string key = TagKey(repository, tag);
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (value.has_value()) {
      ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
      if (row.digest == manifest) {
        RETURN_IF_ERROR(txn.Delete(key));
        removed->push_back(tag);
      }
    }
    RETURN_IF_ERROR(txn.Delete(edge.key));
  }
  return edges.size() < kTagPageRows;
}

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

// Whether an index of the repository is there; an image that names the manifest among its blobs
// needs no more than its bytes.
absl::StatusOr<bool> IsIndexHere(Transaction& txn, const Member& lister) {
  const std::string key = MemberKey(lister.repository, lister.manifest);
  ASSIGN_OR_RETURN(std::optional<std::string> value, txn.Get(key));
  if (!value.has_value()) {
    // A put in pages may be about to end, and guards this row then.
    const std::string unlinking = UnlinkingKey(lister.repository, lister.manifest);
    RETURN_IF_ERROR(txn.GetForUpdate(unlinking, Guard::kShared).status());
    ASSIGN_OR_RETURN(value, txn.Get(key));
  }
  if (!value.has_value()) return false;  // its deletion is under way, or its put
  ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*value));
  return IsIndexType(row.media_type);
}

}  // namespace

absl::Status Catalog::CheckUnlisted(Transaction& txn, std::string_view repository,
                                    const Member& manifest) {
  std::vector<Member> seen = {manifest};
  for (size_t next = 0; next < seen.size(); ++next) {
    const Member listed = seen[next];
    if (next > 0) {
      // Whoever tags, holds, leases or lists an index guards its row shared.
      RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(listed.manifest), Guard::kExclusive).status());
      ASSIGN_OR_RETURN(const bool index, IsIndexHere(txn, listed));
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

absl::Status Catalog::DeleteManifest(std::string_view repository, const Digest& digest) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.Find(repository));
  ASSIGN_OR_RETURN(
      const Deletion deletion,
      DeleteManifestIf(id, digest, [&](Transaction& txn, const MemberRow&) -> absl::StatusOr<bool> {
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

absl::StatusOr<Catalog::Deletion> Catalog::DeleteManifestIf(RepositoryId repository,
                                                            const Digest& digest,
                                                            const MayGo& may_go,
                                                            std::string_view told_name) {
  // Tells this deletion from a later one of the same manifest, pushed again in between.
  ASSIGN_OR_RETURN(const uint64_t number, parts_.ids.Next());
  const std::string note = EncodeNumber(number);
  std::vector<std::string> untagged;
  Deletion outcome = Deletion::kAbsent;
  const TagVersions::Change change(tag_versions_, repository);
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
                           txn.GetForUpdate(UnlinkingKey(repository, digest), Guard::kExclusive));
          if (!noted.has_value()) return absl::OkStatus();
          untagged.clear();
          outcome = Deletion::kDeleted;
          return txn.Put(UnlinkingKey(repository, digest), note);
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
        RETURN_IF_ERROR(RemoveTags(txn, repository, digest, &untagged).status());
        return txn.Put(UnlinkingKey(repository, digest), note);
      },
      Durability::kSynced, Patience::kShort));
  if (outcome != Deletion::kDeleted) return outcome;
  TellDeleted(repository, told_name, digest, untagged);
  RETURN_IF_ERROR(RemoveEdges(repository, digest, note));
  return outcome;
}

void Catalog::TellDeleted(RepositoryId repository, std::string_view told_name,
                          const Digest& manifest, const std::vector<std::string>& untagged) {
  const absl::StatusOr<std::string> name =
      told_name.empty() ? repositories.NameOf(repository)
                        : absl::StatusOr<std::string>(std::string(told_name));
  if (!name.ok()) return;  // the deletion stands all the same
  for (const std::string& tag : untagged) Tell(Event::Type::kUntag, *name, tag, manifest);
  // The tags whose rows RemoveEdges removes: without their manifest they are gone already.
  VisitEdges(parts_.index, EdgePrefix(manifest, EdgeKind::kTag, repository),
             [&](const EdgeSource& source) -> absl::StatusOr<bool> {
               Tell(Event::Type::kUntag, *name, source.name, manifest);
               return true;
             })
      .IgnoreError();
  Tell(Event::Type::kDelete, *name, "", manifest);
}

absl::Status Catalog::RemoveEdges(RepositoryId repository, const Digest& manifest,
                                  const std::string& note) {
  std::vector<Digest> targets;
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(manifest, kMaxManifestBytes);
  // Without its bytes, or when they are damaged, nobody knows what it named; those edges stay until
  // a full check. An error here would stop the reclamation of everything else.
  const bool lost = absl::IsNotFound(bytes.status()) || absl::IsDataLoss(bytes.status());
  if (!bytes.ok() && !lost) return bytes.status();
  const absl::StatusOr<ParsedManifest> parsed =
      bytes.ok() ? ParseManifest(*bytes, "", ManifestRules::kStored)
                 : absl::StatusOr<ParsedManifest>(bytes.status());
  if (parsed.ok()) {
    for (const ContentReference& reference : parsed->References()) {
      targets.push_back(reference.descriptor.digest);
    }
  }
  // Whoever pulls the image at this moment goes on with what it names.
  const int64_t kept_nanos = parts_.promises.KeptNanos(manifest);
  for (const Digest& target : targets) parts_.promises.KeepFor(target, kept_nanos);
  RETURN_IF_ERROR(Unlist({repository, manifest}, note));
  for (size_t begin = 0;; begin += kTargetPageRows) {
    ASSIGN_OR_RETURN(const bool done, RemoveEdgePage(repository, manifest, note, targets, begin));
    if (!done) continue;
    empty_repositories.Note(repository);
    return absl::OkStatus();
  }
}

absl::StatusOr<bool> Catalog::UnlistPage(Transaction& txn, const Member& manifest) {
  // Those of images, which stay, are few or none: what names a manifest is an index. Its own member
  // edge, which goes last, keeps the manifest meanwhile.
  size_t changed = 0;
  const auto make_pending = [&](const EdgeSource& source) -> absl::StatusOr<bool> {
    const Member lister{source.repository, source.manifest};
    ASSIGN_OR_RETURN(const bool index, IsIndexHere(txn, lister));
    if (!index) return true;
    const auto edge = [&](EdgeKind kind) {
      return ReferenceEdgeKey(manifest.manifest, kind, lister.repository, lister.manifest);
    };
    // The deletion of the index may have taken it since.
    ASSIGN_OR_RETURN(const std::optional<std::string> still,
                     txn.GetForUpdate(edge(EdgeKind::kReference), Guard::kExclusive));
    if (!still.has_value()) return true;
    RETURN_IF_ERROR(txn.Delete(edge(EdgeKind::kReference)));
    RETURN_IF_ERROR(txn.Put(edge(EdgeKind::kPending), *still));
    return ++changed < kListerPageRows;
  };
  RETURN_IF_ERROR(
      VisitEdges(txn, EdgePrefix(manifest.manifest, EdgeKind::kReference, manifest.repository),
                 make_pending, kListerPageRows));
  return changed < kListerPageRows;
}

absl::Status Catalog::Unlist(const Member& manifest, const std::string& note) {
  // As a rule nothing lists it. No index comes that does: a put looks for the member.
  const std::string prefix =
      EdgePrefix(manifest.manifest, EdgeKind::kReference, manifest.repository);
  ASSIGN_OR_RETURN(const bool listed, parts_.index.HasAny(prefix));
  for (bool done = !listed; !done;) {
    RETURN_IF_ERROR(parts_.index.Run(
        [&](Transaction& txn) -> absl::Status {
          ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                           txn.GetForUpdate(UnlinkingKey(manifest.repository, manifest.manifest),
                                            Guard::kExclusive));
          done = noted != note;  // pushed again, or somebody else has finished
          if (done) return absl::OkStatus();
          ASSIGN_OR_RETURN(done, UnlistPage(txn, manifest));
          return absl::OkStatus();
        },
        Durability::kBuffered));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Catalog::RemoveEdgePage(RepositoryId repository, const Digest& manifest,
                                             const std::string& note,
                                             const std::vector<Digest>& targets, size_t begin) {
  const std::string key = UnlinkingKey(repository, manifest);
  const size_t end = std::min(targets.size(), begin + kTargetPageRows);
  bool done = false;
  const auto unlink = [&](Transaction& txn) -> absl::Status {
    const int64_t now = parts_.clock.WallNanos();
    ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                     txn.GetForUpdate(key, Guard::kExclusive));
    done = noted != note;  // the manifest was pushed again, or somebody else has finished
    if (done) return absl::OkStatus();
    std::vector<Digest> unlinked;
    for (size_t i = begin; i < end; ++i) {
      const Digest& target = targets[i];
      const std::string reference =
          ReferenceEdgeKey(target, EdgeKind::kReference, repository, manifest);
      ASSIGN_OR_RETURN(const std::optional<std::string> was_visible, txn.Get(reference));
      if (was_visible.has_value()) unlinked.push_back(target);
      RETURN_IF_ERROR(txn.Delete(reference));
      RETURN_IF_ERROR(
          txn.Delete(ReferenceEdgeKey(target, EdgeKind::kPending, repository, manifest)));
      RETURN_IF_ERROR(txn.Put(CondemnedKey(now, target), ""));
    }
    RETURN_IF_ERROR(LinkWhatStays(txn, repository, unlinked));
    if (end < targets.size()) return absl::OkStatus();
    // The tags need a page of their own when the targets have filled this one.
    if (end > begin && end - begin > kTargetsBesideTags) return absl::OkStatus();
    std::vector<std::string> untagged;  // which TellDeleted has told
    ASSIGN_OR_RETURN(const bool tags_gone, RemoveTags(txn, repository, manifest, &untagged));
    if (!tags_gone) return absl::OkStatus();
    done = true;
    // Last, because it keeps the manifest's bytes readable for the pages before.
    RETURN_IF_ERROR(txn.Delete(MemberEdgeKey(manifest, repository)));
    RETURN_IF_ERROR(txn.Put(CondemnedKey(now, manifest), ""));
    return txn.Delete(key);
  };
  // The deletion is durable by its note: what a power cut takes of this, opening does again.
  RETURN_IF_ERROR(parts_.index.Run(unlink, Durability::kBuffered));
  return done;
}

// By a note of its own, which stops whoever wrote the old one: a put in pages writes no more edges.
absl::Status Catalog::TakeOverDeletion(RepositoryId repository, const Digest& manifest,
                                       const std::string& note) {
  ASSIGN_OR_RETURN(const uint64_t number, parts_.ids.Next());
  const std::string own_note = EncodeNumber(number);
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        const std::string key = UnlinkingKey(repository, manifest);
        ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                         txn.GetForUpdate(key, Guard::kExclusive));
        return noted == note ? txn.Put(key, own_note) : absl::OkStatus();
      },
      Durability::kBuffered));
  return RemoveEdges(repository, manifest, own_note);
}

absl::Status Catalog::FinishDeletions() {
  absl::Status first_error;
  // One at a time, as it is then: each is much work.
  RETURN_IF_ERROR(VisitRows(parts_.index, PrefixRange(UnlinkingPrefix()), 1,
                            [&](const KeyValue& note) -> absl::StatusOr<bool> {
                              RepositoryId repository = 0;
                              Digest manifest;
                              absl::Status status =
                                  absl::DataLossError("an unlinking row of the index is damaged");
                              if (note.value == EncodeNumber(put_in_pages_)) {
                                status = absl::OkStatus();
                              } else if (ParseUnlinkingKey(note.key, &repository, &manifest)) {
                                status = TakeOverDeletion(repository, manifest, note.value);
                              }
                              // One that cannot be finished must not be in the way of the others.
                              first_error.Update(status);
                              return true;
                            }));
  return first_error;
}

absl::Status Catalog::Untag(std::string_view repository, std::string_view tag, bool force) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RETURN_IF_ERROR(ValidateTag(tag));
  ASSIGN_OR_RETURN(const NamedRepository found, repositories.FindNamed(repository));
  const RepositoryId id = found.id;
  const std::string key = TagKey(id, tag);
  absl::StatusOr<Digest> named;
  if (!force) named = Resolve(id, std::string(tag));
  Digest digest;
  const TagVersions::Change change(tag_versions_, id);
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    // Whoever removes another tag of it guards the same row.
    if (named.ok()) RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(*named), Guard::kExclusive).status());
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (!value.has_value()) {
      return absl::NotFoundError(
          StrCat("tag ", tag, " does not exist in repository ", ShownName(repository)));
    }
    ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
    digest = row.digest;
    if (!force) {
      if (!named.ok() || *named != digest) {
        return absl::AbortedError(StrCat("tag ", tag, " moved just now; try again"));
      }
      RETURN_IF_ERROR(CheckLastTag(txn, id, tag, digest));
    }
    RETURN_IF_ERROR(txn.Delete(TagEdgeKey(row.digest, id, tag)));
    return txn.Delete(key);
  }));
  parts_.promises.RenewRepository(id);
  Tell(Event::Type::kUntag, found.name, tag, digest);
  return absl::OkStatus();
}

}  // namespace varve
