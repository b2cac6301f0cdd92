// The way out of a manifest. One transaction makes it invisible, with its tags, and notes that its
// edges have to go; these go in pages, so that a manifest with many references needs no large
// transaction. A crash in between leaves the note, and FinishUnlinking goes on.
#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/catalog/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Tags removed by one transaction: two rows each.
constexpr size_t kTagPageRows = 300;
// References removed by one transaction: up to five rows each.
constexpr size_t kTargetPageRows = 150;

// Removes up to a page of the manifest's tags in the repository; true when none is left.
absl::StatusOr<bool> RemoveTags(Transaction& txn, RepositoryId repository, const Digest& manifest) {
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges, txn.Scan(PrefixRange(prefix), kTagPageRows));
  for (const KeyValue& edge : edges) {
    const std::string key = TagKey(repository, std::string_view(edge.key).substr(prefix.size()));
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (value.has_value()) {
      ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
      if (row.digest == manifest) RETURN_IF_ERROR(txn.Delete(key));
    }
    RETURN_IF_ERROR(txn.Delete(edge.key));
  }
  return edges.size() < kTagPageRows;
}

}  // namespace

absl::Status Catalog::DeleteManifest(std::string_view repository, const Digest& digest) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, FindRepository(repository));
  // Tells this deletion from a later one of the same manifest, pushed again in between.
  ASSIGN_OR_RETURN(const uint64_t deletion, parts_.ids.Next());
  std::string note;
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    // Whoever names or tags the manifest guards its row shared.
    RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(digest), Guard::kExclusive).status());
    const std::string key = MemberKey(id, digest);
    ASSIGN_OR_RETURN(const std::optional<std::string> value, txn.Get(key));
    if (!value.has_value()) {
      // An earlier run, whose outcome was unknown or that was interrupted, left its note: go on
      // with that deletion.
      ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                       txn.GetForUpdate(UnlinkingKey(id, digest), Guard::kExclusive));
      if (noted.has_value()) {
        note = *noted;
        return absl::OkStatus();
      }
      return absl::NotFoundError(
          StrCat("manifest ", digest.ToString(), " is not known in repository ", repository));
    }
    ASSIGN_OR_RETURN(const MemberRow member, MemberRow::Decode(*value));
    RETURN_IF_ERROR(txn.Delete(key));
    RETURN_IF_ERROR(txn.Delete(PulledKey(id, digest)));
    if (member.subject.has_value()) {
      RETURN_IF_ERROR(txn.Delete(ReferrerKey(id, *member.subject, digest)));
    }
    RETURN_IF_ERROR(RemoveTags(txn, id, digest).status());
    note = EncodeNumber(deletion);
    return txn.Put(UnlinkingKey(id, digest), note);
  }));
  parts_.promises.RenewRepository(id);
  return Unlink(id, digest, note);
}

absl::Status Catalog::Unlink(RepositoryId repository, const Digest& manifest,
                             const std::string& note) {
  std::vector<Digest> targets;
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(manifest, kMaxManifestBytes);
  // Without its bytes, or when they are damaged, nobody knows what it named; those edges stay until
  // a full check. An error here would stop the reclamation of everything else.
  const bool lost = absl::IsNotFound(bytes.status()) || absl::IsDataLoss(bytes.status());
  if (!bytes.ok() && !lost) return bytes.status();
  const absl::StatusOr<ParsedManifest> parsed =
      bytes.ok() ? ParseManifest(*bytes, "") : absl::StatusOr<ParsedManifest>(bytes.status());
  if (parsed.ok()) {
    for (const ContentReference& reference : parsed->References()) {
      targets.push_back(reference.descriptor.digest);
    }
  }
  for (size_t begin = 0;; begin += kTargetPageRows) {
    ASSIGN_OR_RETURN(const bool done, UnlinkPage(repository, manifest, note, targets, begin));
    if (done) return absl::OkStatus();
  }
}

absl::StatusOr<bool> Catalog::UnlinkPage(RepositoryId repository, const Digest& manifest,
                                         const std::string& note,
                                         const std::vector<Digest>& targets, size_t begin) {
  const std::string key = UnlinkingKey(repository, manifest);
  const size_t end = std::min(targets.size(), begin + kTargetPageRows);
  bool done = false;
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    const int64_t now = parts_.clock.WallNanos();
    ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                     txn.GetForUpdate(key, Guard::kExclusive));
    done = noted != note;  // the manifest was pushed again, or somebody else has finished
    if (done) return absl::OkStatus();
    for (size_t i = begin; i < end; ++i) {
      const Digest& target = targets[i];
      const std::string reference =
          ReferenceEdgeKey(target, EdgeKind::kReference, repository, manifest);
      ASSIGN_OR_RETURN(const std::optional<std::string> was_visible, txn.Get(reference));
      // It was pushed here: it stays visible until it is reclaimed.
      if (was_visible.has_value()) RETURN_IF_ERROR(Link(txn, repository, target));
      RETURN_IF_ERROR(txn.Delete(reference));
      RETURN_IF_ERROR(
          txn.Delete(ReferenceEdgeKey(target, EdgeKind::kPending, repository, manifest)));
      RETURN_IF_ERROR(txn.Put(CondemnedKey(now, target), ""));
    }
    if (end < targets.size()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool tags_gone, RemoveTags(txn, repository, manifest));
    if (!tags_gone) return absl::OkStatus();
    done = true;
    // Last, because it keeps the manifest's bytes readable for the pages before.
    RETURN_IF_ERROR(txn.Delete(MemberEdgeKey(manifest, repository)));
    RETURN_IF_ERROR(txn.Put(CondemnedKey(now, manifest), ""));
    return txn.Delete(key);
  }));
  return done;
}

absl::Status Catalog::FinishUnlinking() {
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> notes,
                     parts_.index.Scan(PrefixRange(UnlinkingPrefix()), 1));
    if (notes.empty()) return absl::OkStatus();
    RepositoryId repository = 0;
    Digest manifest;
    if (!ParseUnlinkingKey(notes[0].key, &repository, &manifest)) {
      return absl::DataLossError("an unlinking row of the index is damaged");
    }
    RETURN_IF_ERROR(Unlink(repository, manifest, notes[0].value));
  }
}

absl::Status Catalog::Untag(std::string_view repository, std::string_view tag) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RETURN_IF_ERROR(ValidateTag(tag));
  ASSIGN_OR_RETURN(const RepositoryId id, FindRepository(repository));
  const std::string key = TagKey(id, tag);
  bool removed = false;
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    // Gone in a run whose outcome was unknown counts as done by this call.
    if (!value.has_value()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
    removed = true;
    RETURN_IF_ERROR(txn.Delete(TagEdgeKey(row.digest, id, tag)));
    return txn.Delete(key);
  }));
  if (removed) return absl::OkStatus();
  return absl::NotFoundError(StrCat("tag ", tag, " does not exist in repository ", repository));
}

}  // namespace varve
