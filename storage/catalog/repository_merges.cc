#include "storage/catalog/repository_merges.h"

#include <algorithm>
#include <functional>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/index/table_visits.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Tags and holds of one manifest that one transaction moves: up to five operations each.
constexpr size_t kRowsAtOnce = 100;
static_assert(5 * kRowsAtOnce + 10 <= kMaxRunOperations);
// How often requests that had found the first repository by its old name may get in the way.
constexpr int kMaxRounds = 8;

// What is left of a repository that is being merged is called so, followed by its number.
constexpr std::string_view kRestPrefix = "varve-merge/";

bool StaysOverFrom(const TagRow& into, const TagRow& from) {
  return into.tagged_nanos >= from.tagged_nanos;
}

// `visit` may remove what it is given, and ends the visit with an error.
absl::Status VisitMembersOf(Index& index, RepositoryId repository,
                            const std::function<absl::Status(const Digest& manifest)>& visit) {
  return VisitMembers(index, PrefixRange(MemberPrefix(repository)),
                      [&](const Member& member, const std::string&) -> absl::StatusOr<bool> {
                        RETURN_IF_ERROR(visit(member.manifest));
                        return true;
                      });
}

}  // namespace

absl::StatusOr<RepositoryMerge> RepositoryMerges::Merge(std::string_view from,
                                                        std::string_view into, bool force) {
  RETURN_IF_ERROR(ValidateRepositoryName(from));
  RETURN_IF_ERROR(ValidateRepositoryName(into));
  ASSIGN_OR_RETURN(const NamedRepository source, parts_.repositories.FindNamed(from));
  RepositoryMerge report;
  report.from = std::string(source.name);
  const absl::StatusOr<NamedRepository> target = parts_.repositories.FindNamed(into);
  if (absl::IsNotFound(target.status())) {
    report.into = std::string(parts_.repositories.names().CanonicalOf(into));
    RETURN_IF_ERROR(parts_.repositories.Rename(source.id, report.from, report.into));
    report.merged = true;
    return report;
  }
  RETURN_IF_ERROR(target.status());
  if (target->id == source.id) {
    return absl::FailedPreconditionError(StrCat(ShownName(from), " and ", ShownName(into),
                                                " are one repository already, ",
                                                ShownName(source.name)));
  }
  report.into = std::string(target->name);
  const Merging merging{source.id, report.from, target->id, report.into};
  RETURN_IF_ERROR(FindCollisions(merging, &report));
  if (!report.collisions.empty() && !force) return report;
  RETURN_IF_ERROR(parts_.pull_times.Flush(parts_.index));
  RETURN_IF_ERROR(CopyRepository(merging));
  const std::string rest = StrCat(kRestPrefix, merging.from);
  if (report.from != rest) {
    RETURN_IF_ERROR(parts_.repositories.Rename(merging.from, report.from, rest));
  }
  const absl::Status moved = MoveRest(merging, rest, &report.manifests);
  if (!moved.ok()) {
    return Annotate(moved, StrCat("the rest is in repository ", rest, ", to be merged again"));
  }
  report.merged = true;
  return report;
}

absl::Status RepositoryMerges::FindCollisions(const Merging& merging, RepositoryMerge* report) {
  const std::string prefix = TagPrefix(merging.from);
  const auto compare = [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
    std::vector<std::string> keys;
    for (const KeyValue& row : rows) {
      keys.push_back(TagKey(merging.into, std::string_view(row.key).substr(prefix.size())));
    }
    ASSIGN_OR_RETURN(const OptionalValues values, parts_.index.GetMany(keys));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!values[i].has_value()) continue;
      ASSIGN_OR_RETURN(const TagRow ours, TagRow::Decode(rows[i].value));
      ASSIGN_OR_RETURN(const TagRow theirs, TagRow::Decode(*values[i]));
      if (ours.digest == theirs.digest) continue;
      if (report->collisions.size() == kMaxMergeCollisions) {
        ++report->more_collisions;
        continue;
      }
      report->collisions.push_back({rows[i].key.substr(prefix.size()), ours.digest, theirs.digest,
                                    !StaysOverFrom(theirs, ours)});
    }
    return true;
  };
  return VisitPages(parts_.index, PrefixRange(prefix), kVisitPageRows, compare);
}

absl::Status RepositoryMerges::CopyRepository(const Merging& merging) {
  return VisitMembersOf(parts_.index, merging.from, [&](const Digest& manifest) -> absl::Status {
    RETURN_IF_ERROR(CopyManifest(merging, manifest));
    return CopyTagsAndHolds(merging, manifest).status();
  });
}

absl::Status RepositoryMerges::CopyManifest(const Merging& merging, const Digest& manifest) {
  ImageCopies::Copying copying;
  copying.from = merging.from;
  copying.to_name = merging.into_name;
  copying.to = merging.into;
  copying.whole_repository = true;
  const absl::Status copied = parts_.copies.Copy(copying, manifest, {});
  if (absl::IsNotFound(copied) || absl::IsDataLoss(copied)) {
    ASSIGN_OR_RETURN(const bool listed, parts_.members.Has(merging.from, manifest));
    if (!listed) return absl::OkStatus();  // deleted meanwhile
    return absl::FailedPreconditionError(StrCat(
        "the bytes of manifest ", manifest.ToString(), " of repository ",
        ShownName(merging.from_name), " are lost or damaged; push it again or delete it first"));
  }
  return copied;
}

absl::StatusOr<std::vector<std::string>> RepositoryMerges::CopyTagsAndHolds(
    const Merging& merging, const Digest& manifest) {
  ASSIGN_OR_RETURN(std::vector<std::string> tags, parts_.tags.Of(merging.from, manifest));
  for (size_t begin = 0; begin < tags.size(); begin += kRowsAtOnce) {
    const size_t count = std::min(kRowsAtOnce, tags.size() - begin);
    RETURN_IF_ERROR(CopyTags(merging, manifest, absl::MakeConstSpan(tags).subspan(begin, count)));
  }
  RETURN_IF_ERROR(MoveHolds(merging, manifest));
  RETURN_IF_ERROR(CopyPullTime(merging, manifest));
  return tags;
}

absl::Status RepositoryMerges::CopyTags(const Merging& merging, const Digest& manifest,
                                        absl::Span<const std::string> tags) {
  std::vector<std::string> set;
  const TagVersions::Change change(parts_.tags.versions(), merging.into);
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    set.clear();
    // Guards against a deletion of the manifest, which guards the same row exclusively.
    RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(manifest), Guard::kShared).status());
    ASSIGN_OR_RETURN(const std::optional<std::string> member,
                     txn.Get(MemberKey(merging.into, manifest)));
    if (!member.has_value()) {
      return absl::AbortedError(
          StrCat("manifest ", manifest.ToString(), " was deleted while it was merged; try again"));
    }
    for (const std::string& tag : tags) {
      ASSIGN_OR_RETURN(const std::optional<std::string> ours, txn.Get(TagKey(merging.from, tag)));
      if (!ours.has_value()) continue;
      ASSIGN_OR_RETURN(const TagRow from, TagRow::Decode(*ours));
      if (from.digest != manifest) continue;
      ASSIGN_OR_RETURN(const std::optional<std::string> theirs,
                       txn.GetForUpdate(TagKey(merging.into, tag), Guard::kExclusive));
      if (theirs.has_value()) {
        ASSIGN_OR_RETURN(const TagRow into, TagRow::Decode(*theirs));
        if (into.digest == manifest || StaysOverFrom(into, from)) continue;
      }
      RETURN_IF_ERROR(parts_.tags.Set(txn, merging.into, tag, from));
      set.push_back(tag);
    }
    return absl::OkStatus();
  }));
  for (const std::string& tag : set) {
    parts_.events.Tell(Event::Type::kTag, merging.into_name, tag, manifest);
  }
  return absl::OkStatus();
}

absl::Status RepositoryMerges::MoveHolds(const Merging& merging, const Digest& manifest) {
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kHold, merging.from);
  const auto move_page = [&](absl::Span<const KeyValue> edges) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
      RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(manifest), Guard::kShared).status());
      for (const KeyValue& edge : edges) {
        const std::string name = edge.key.substr(prefix.size());
        const std::string key = HoldKey(name);
        ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         txn.GetForUpdate(key, Guard::kExclusive));
        RETURN_IF_ERROR(txn.Delete(edge.key));
        if (!value.has_value()) continue;  // released meanwhile
        ASSIGN_OR_RETURN(HoldRow hold, HoldRow::Decode(*value));
        if (hold.manifest != manifest || hold.repository != merging.from) continue;
        hold.repository = merging.into;
        RETURN_IF_ERROR(txn.Put(key, hold.Encode()));
        RETURN_IF_ERROR(txn.Put(HoldEdgeKey(manifest, merging.into, name), ""));
      }
      return absl::OkStatus();
    }));
    return true;
  };
  return VisitPages(parts_.index, PrefixRange(prefix), kRowsAtOnce, move_page);
}

absl::Status RepositoryMerges::CopyPullTime(const Merging& merging, const Digest& manifest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> pulled,
                   parts_.index.Get(PulledKey(merging.from, manifest)));
  if (!pulled.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const uint64_t ours, DecodeNumber(*pulled));
  return parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(manifest), Guard::kShared).status());
        ASSIGN_OR_RETURN(const std::optional<std::string> member,
                         txn.Get(MemberKey(merging.into, manifest)));
        if (!member.has_value()) return absl::OkStatus();
        const std::string key = PulledKey(merging.into, manifest);
        ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         txn.GetForUpdate(key, Guard::kExclusive));
        if (value.has_value()) {
          ASSIGN_OR_RETURN(const uint64_t theirs, DecodeNumber(*value));
          if (theirs >= ours) return absl::OkStatus();
        }
        return txn.Put(key, *pulled);
      },
      Durability::kBuffered);
}

// Requests that found the repository by its old name may still end in it: then it is looked at once
// more.
absl::Status RepositoryMerges::MoveRest(const Merging& merging, const std::string& rest,
                                        uint64_t* manifests) {
  for (int round = 0; round < kMaxRounds; ++round) {
    RETURN_IF_ERROR(
        VisitMembersOf(parts_.index, merging.from, [&](const Digest& manifest) -> absl::Status {
          RETURN_IF_ERROR(MoveMember(merging, manifest));
          ++*manifests;
          return absl::OkStatus();
        }));
    // After the members: what these named is visible by links then.
    RETURN_IF_ERROR(parts_.links.MoveAll(merging.from, merging.into));
    RETURN_IF_ERROR(
        parts_.empty_repositories.RemoveIfEmpty(merging.from, rest, Durability::kSynced));
    ASSIGN_OR_RETURN(const std::optional<std::string> name,
                     parts_.index.Get(RepositoryNameKey(merging.from)));
    if (!name.has_value()) return absl::OkStatus();
  }
  return absl::UnavailableError("what is being merged keeps changing");
}

absl::Status RepositoryMerges::MoveMember(const Merging& merging, const Digest& manifest) {
  for (int round = 0; round < kMaxRounds; ++round) {
    ASSIGN_OR_RETURN(const bool copied, parts_.members.Has(merging.into, manifest));
    if (!copied) RETURN_IF_ERROR(CopyManifest(merging, manifest));
    ASSIGN_OR_RETURN(const std::vector<std::string> tags, CopyTagsAndHolds(merging, manifest));
    const auto all_copied = [&](Transaction& txn, const MemberRow&) -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(const bool held,
                       txn.HasAny(EdgePrefix(manifest, EdgeKind::kHold, merging.from)));
      if (held) return false;
      return parts_.tags.HasNoOther(txn, {merging.from, manifest}, tags);
    };
    ASSIGN_OR_RETURN(
        const Deletion deletion,
        parts_.deletions.DeleteIf(merging.from, manifest, all_copied, merging.from_name));
    if (deletion != Deletion::kKept) return absl::OkStatus();
  }
  return absl::UnavailableError(
      StrCat("manifest ", manifest.ToString(), " gets new tags and holds all the time"));
}

}  // namespace varve
