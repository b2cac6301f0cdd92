#include "storage/catalog/edge_removals.h"

#include <algorithm>
#include <optional>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/image/manifest.h"
#include "storage/index/rows.h"
#include "storage/index/table_visits.h"
#include "storage/limits.h"

namespace varve {
namespace {

// References removed by one transaction: up to five rows each.
constexpr size_t kTargetPageRows = 150;
static_assert(kTargetPageRows <= kMaxBatchReads);
// Edges made pending by one transaction: two rows each.
constexpr size_t kListerPageRows = 300;
// As many of them leave room for a page of tags, and five rows more, in the same transaction.
constexpr size_t kTargetsBesideTags = (kMaxRunOperations - 2 * Tags::kPageRows - 5) / 5;

}  // namespace

absl::StatusOr<std::string> EdgeRemovals::NewNote() {
  ASSIGN_OR_RETURN(const uint64_t number, parts_.ids.Next());
  return EncodeNumber(number);
}

absl::Status EdgeRemovals::Run(RepositoryId repository, const Digest& manifest,
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
    parts_.empty_repositories.Note(repository);
    return absl::OkStatus();
  }
}

absl::StatusOr<bool> EdgeRemovals::UnlistPage(Transaction& txn, const Member& manifest) {
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

absl::Status EdgeRemovals::Unlist(const Member& manifest, const std::string& note) {
  // As a rule nothing lists it. No index comes that does: a put looks for the member.
  const std::string prefix =
      EdgePrefix(manifest.manifest, EdgeKind::kReference, manifest.repository);
  ASSIGN_OR_RETURN(const bool listed, parts_.index.HasAny(prefix));
  for (bool done = !listed; !done;) {
    RETURN_IF_ERROR(parts_.index.Run(
        [&](Transaction& txn) -> absl::Status {
          ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                           txn.GetForUpdate(EdgeRemovalKey(manifest.repository, manifest.manifest),
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

absl::StatusOr<bool> EdgeRemovals::RemoveEdgePage(RepositoryId repository, const Digest& manifest,
                                                  const std::string& note,
                                                  const std::vector<Digest>& targets,
                                                  size_t begin) {
  const std::string key = EdgeRemovalKey(repository, manifest);
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
    RETURN_IF_ERROR(parts_.links.AddToWhatStays(txn, repository, unlinked));
    if (end < targets.size()) return absl::OkStatus();
    // The tags need a page of their own when the targets have filled this one.
    if (end > begin && end - begin > kTargetsBesideTags) return absl::OkStatus();
    std::vector<std::string> untagged;  // which TellDeleted has told
    ASSIGN_OR_RETURN(const bool tags_gone,
                     parts_.tags.RemovePage(txn, {repository, manifest}, &untagged));
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

absl::Status EdgeRemovals::TakeOver(RepositoryId repository, const Digest& manifest,
                                    const std::string& note) {
  ASSIGN_OR_RETURN(const std::string own_note, NewNote());
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        const std::string key = EdgeRemovalKey(repository, manifest);
        ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                         txn.GetForUpdate(key, Guard::kExclusive));
        return noted == note ? txn.Put(key, own_note) : absl::OkStatus();
      },
      Durability::kBuffered));
  return Run(repository, manifest, own_note);
}

absl::Status EdgeRemovals::FinishAll() {
  absl::Status first_error;
  // One at a time, as it is then: each is much work.
  RETURN_IF_ERROR(VisitRows(parts_.index, PrefixRange(EdgeRemovalPrefix()), 1,
                            [&](const KeyValue& note) -> absl::StatusOr<bool> {
                              RepositoryId repository = 0;
                              Digest manifest;
                              absl::Status status = absl::DataLossError(
                                  "an edge removal row of the index is damaged");
                              if (IsOfRunningPut(note.value)) {
                                status = absl::OkStatus();
                              } else if (ParseEdgeRemovalKey(note.key, &repository, &manifest)) {
                                status = TakeOver(repository, manifest, note.value);
                              }
                              // One that cannot be finished must not be in the way of the others.
                              first_error.Update(status);
                              return true;
                            }));
  return first_error;
}

EdgeRemovals::RunningPut::RunningPut(EdgeRemovals& edge_removals, const std::string& note)
    : edge_removals_(edge_removals) {
  const MutexLock lock(edge_removals_.running_mutex_);
  CheckInvariant(edge_removals_.running_put_.empty(), "one manifest at a time is put in pages");
  edge_removals_.running_put_ = note;
}

EdgeRemovals::RunningPut::~RunningPut() {
  const MutexLock lock(edge_removals_.running_mutex_);
  edge_removals_.running_put_.clear();
}

bool EdgeRemovals::IsOfRunningPut(const std::string& note) {
  const MutexLock lock(running_mutex_);
  return note == running_put_;
}

absl::StatusOr<bool> EdgeRemovals::IsIndexHere(Transaction& txn, const Member& lister) {
  const std::string key = MemberKey(lister.repository, lister.manifest);
  ASSIGN_OR_RETURN(std::optional<std::string> value, txn.Get(key));
  if (!value.has_value()) {
    // A put in pages may be about to end, and guards this row then.
    const std::string note_key = EdgeRemovalKey(lister.repository, lister.manifest);
    RETURN_IF_ERROR(txn.GetForUpdate(note_key, Guard::kShared).status());
    ASSIGN_OR_RETURN(value, txn.Get(key));
  }
  if (!value.has_value()) return false;  // its deletion is under way, or its put
  ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*value));
  return IsIndexType(row.media_type);
}

}  // namespace varve
