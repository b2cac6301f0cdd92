// The way of a manifest that names more than one transaction takes: the reverse of its deletion.
// The first transaction commits the bytes and notes that its edges have to go, as a deletion does;
// pages of edges follow; the last one makes the manifest visible and takes the note back. What a
// crash or an error leaves behind, EdgeRemovals removes by the note.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/catalog/manifest_puts.h"
#include "storage/limits.h"

namespace varve {

absl::Status ManifestPuts::PutInPages(const NewManifest& put) {
  ASSIGN_OR_RETURN(const std::string note, parts_.edge_removals.NewNote());
  const std::string key = EdgeRemovalKey(put.id, put.digest);
  const MutexLock lock(paged_put_mutex_);
  const EdgeRemovals::RunningPut running(parts_.edge_removals, note);
  CheckInvariant(put.references.size() > kReferencesAtOnce, "what fits one transaction takes one");
  // Edges of an earlier deletion, or of a put that broke off, may say what is not so any more.
  ASSIGN_OR_RETURN(const std::optional<std::string> earlier, parts_.index.Get(key));
  if (earlier.has_value())
    RETURN_IF_ERROR(parts_.edge_removals.TakeOver(put.id, put.digest, *earlier));
  const auto references = absl::MakeConstSpan(put.references);
  RETURN_IF_ERROR(CommitBytes(put, [&](Transaction& txn) -> absl::Status {
    RETURN_IF_ERROR(WriteEdges(txn, put, references.subspan(0, kReferencesAtOnce)));
    ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (noted.has_value()) return absl::OutOfRangeError("the manifest is being deleted");
    // A deletion guards the row of the bytes, as this commit does.
    ASSIGN_OR_RETURN(const std::optional<std::string> member,
                     txn.Get(MemberKey(put.id, put.digest)));
    if (member.has_value()) return absl::OkStatus();  // pushed again: its edges stay anyway
    RETURN_IF_ERROR(txn.Put(MemberEdgeKey(put.digest, put.id), ""));
    return txn.Put(key, note);
  }));
  for (size_t begin = kReferencesAtOnce; begin < references.size(); begin += kReferencesAtOnce) {
    const bool last = references.size() - begin <= kReferencesAtOnce;
    const auto page = [&](Transaction& txn) -> absl::Status {
      RETURN_IF_ERROR(WriteEdges(txn, put, references.subspan(begin, kReferencesAtOnce)));
      RETURN_IF_ERROR(GuardNote(txn, put, note));
      if (!last) return absl::OkStatus();
      RETURN_IF_ERROR(CheckChildren(txn, put));
      return ShowManifest(txn, put);
    };
    RETURN_IF_ERROR(parts_.index.Run(page, last ? Durability::kSynced : Durability::kBuffered));
  }
  return absl::OkStatus();
}

// After this, nobody removes the edges written so far before the transaction ends.
absl::Status ManifestPuts::GuardNote(Transaction& txn, const NewManifest& put,
                                     const std::string& note) {
  ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                   txn.GetForUpdate(EdgeRemovalKey(put.id, put.digest), Guard::kExclusive));
  if (noted == note) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<std::string> member, txn.Get(MemberKey(put.id, put.digest)));
  if (!noted.has_value() && member.has_value()) return absl::OkStatus();
  return absl::OutOfRangeError("the manifest is being deleted");
}

// What the earlier pages name was guarded until they ended. Bytes stay because of the edges; a
// manifest may have been deleted, and its deletion waits for the guard of the note (IsIndexHere).
absl::Status ManifestPuts::CheckChildren(Transaction& txn, const NewManifest& put) {
  std::vector<std::string> members;
  for (const ResolvedReference& reference : put.references) {
    if (reference.visible && reference.is_child) {
      members.push_back(MemberKey(put.id, reference.digest));
    }
  }
  ASSIGN_OR_RETURN(const OptionalValues rows, GetAll(txn, members));
  const bool all =
      std::all_of(rows.begin(), rows.end(), [](const auto& member) { return member.has_value(); });
  return all ? absl::OkStatus() : absl::OutOfRangeError("a child was deleted");
}

}  // namespace varve
