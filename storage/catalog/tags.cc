#include "storage/catalog/tags.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/image/short_id.h"
#include "storage/index/table_visits.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"

namespace varve {

absl::Status Tags::Tag(std::string_view repository, std::string_view tag, const Digest& digest) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RETURN_IF_ERROR(ValidateTag(tag));
  return parts_.repositories.InRepository(
      repository, [&](const NamedRepository& found) { return TagIn(found, tag, digest); });
}

absl::Status Tags::TagIn(const NamedRepository& repository, std::string_view tag,
                         const Digest& digest) {
  const absl::Status unknown = absl::NotFoundError(StrCat(
      "manifest ", digest.ToString(), " is not known in repository ", ShownName(repository.name)));
  // One whose bytes are lost answers absent here too; pushing it again heals it.
  ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, parts_.blobs.Find(digest));
  if (!blob.has_value()) return unknown;
  const TagVersions::Change change(versions_, repository.id);
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    // Guards against a deletion of the manifest, which guards the same row exclusively.
    RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(digest), Guard::kShared).status());
    ASSIGN_OR_RETURN(const std::optional<std::string> member,
                     txn.Get(MemberKey(repository.id, digest)));
    if (!member.has_value()) return unknown;
    return Set(txn, repository.id, tag, {digest, parts_.clock.WallNanos()});
  }));
  parts_.promises.RenewRepository(repository.id);
  parts_.events.Tell(Event::Type::kTag, repository.name, tag, digest);
  return absl::OkStatus();
}

absl::Status Tags::Untag(std::string_view repository, std::string_view tag, bool force) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RETURN_IF_ERROR(ValidateTag(tag));
  ASSIGN_OR_RETURN(const NamedRepository found, parts_.repositories.FindNamed(repository));
  const RepositoryId id = found.id;
  const std::string key = TagKey(id, tag);
  absl::StatusOr<Digest> named;
  if (!force) named = Find(id, std::string(tag));
  Digest digest;
  const TagVersions::Change change(versions_, id);
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
      RETURN_IF_ERROR(CheckNotLast(txn, id, tag, digest));
    }
    RETURN_IF_ERROR(txn.Delete(TagEdgeKey(row.digest, id, tag)));
    return txn.Delete(key);
  }));
  parts_.promises.RenewRepository(id);
  parts_.events.Tell(Event::Type::kUntag, found.name, tag, digest);
  return absl::OkStatus();
}

absl::StatusOr<Page<TagInfo>> Tags::List(std::string_view repository, const PageRequest& page) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
  const std::string prefix = TagPrefix(id);
  const size_t page_rows = std::min(page.limit, kMaxPageRows);
  ASSIGN_OR_RETURN(std::vector<KeyValue> rows,
                   parts_.index.Scan(PrefixRange(prefix, page.after), page_rows + 1));
  Page<TagInfo> tags;
  tags.more = rows.size() > page_rows;
  if (tags.more) rows.pop_back();
  for (const KeyValue& row : rows) {
    ASSIGN_OR_RETURN(const TagRow tag, TagRow::Decode(row.value));
    tags.rows.push_back({row.key.substr(prefix.size()), tag.digest, tag.tagged_nanos});
  }
  return tags;
}

absl::StatusOr<uint64_t> Tags::Version(std::string_view repository) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
  return versions_.Of(id);
}

absl::StatusOr<Digest> Tags::Find(RepositoryId repository, const std::string& tag) {
  RETURN_IF_ERROR(ValidateTag(tag));
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   parts_.index.Get(TagKey(repository, tag)));
  if (!value.has_value()) return absl::NotFoundError(StrCat("tag ", tag, " does not exist"));
  ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
  return row.digest;
}

absl::StatusOr<std::vector<std::string>> Tags::Of(RepositoryId repository, const Digest& manifest) {
  std::vector<std::string> tags;
  RETURN_IF_ERROR(VisitEdges(parts_.index, EdgePrefix(manifest, EdgeKind::kTag, repository),
                             [&](EdgeSource source) -> absl::StatusOr<bool> {
                               tags.push_back(std::move(source.name));
                               return true;
                             }));
  return tags;
}

absl::StatusOr<std::vector<Digest>> Tags::ReferrersOf(RepositoryId repository,
                                                      const Digest& subject) {
  std::vector<Digest> referrers;
  const std::string begin = SubjectTagPrefix(subject);
  if (begin.empty()) return referrers;
  RETURN_IF_ERROR(VisitTags(parts_.index, PrefixRange(TagKey(repository, begin)),
                            [&](const std::string& tag, const TagRow& row) -> absl::StatusOr<bool> {
                              if (SubjectOfTag(tag) == subject) referrers.push_back(row.digest);
                              return true;
                            }));
  return referrers;
}

absl::Status Tags::Set(Transaction& txn, RepositoryId repository, std::string_view tag,
                       const TagRow& row) {
  const std::string key = TagKey(repository, tag);
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   txn.GetForUpdate(key, Guard::kExclusive));
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const TagRow old, TagRow::Decode(*value));
    if (old.digest != row.digest) {
      RETURN_IF_ERROR(txn.Delete(TagEdgeKey(old.digest, repository, tag)));
    }
  }
  RETURN_IF_ERROR(txn.Put(key, row.Encode()));
  return txn.Put(TagEdgeKey(row.digest, repository, tag), "");
}

absl::StatusOr<bool> Tags::RemovePage(Transaction& txn, const Member& manifest,
                                      std::vector<std::string>* removed) {
  const std::string prefix = EdgePrefix(manifest.manifest, EdgeKind::kTag, manifest.repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges, txn.Scan(PrefixRange(prefix), kPageRows));
  for (const KeyValue& edge : edges) {
    const std::string tag = edge.key.substr(prefix.size());
    const std::string key = TagKey(manifest.repository, tag);
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (value.has_value()) {
      ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
      if (row.digest == manifest.manifest) {
        RETURN_IF_ERROR(txn.Delete(key));
        removed->push_back(tag);
      }
    }
    RETURN_IF_ERROR(txn.Delete(edge.key));
  }
  return edges.size() < kPageRows;
}

absl::StatusOr<bool> Tags::HasNoOther(Transaction& txn, const Member& manifest,
                                      const std::vector<std::string>& tags) {
  const std::string prefix = EdgePrefix(manifest.manifest, EdgeKind::kTag, manifest.repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                   txn.Scan(PrefixRange(prefix), tags.size() + 1));
  return std::all_of(edges.begin(), edges.end(), [&](const KeyValue& edge) {
    return std::find(tags.begin(), tags.end(), edge.key.substr(prefix.size())) != tags.end();
  });
}

absl::Status Tags::CheckNotLast(Transaction& txn, RepositoryId repository, std::string_view tag,
                                const Digest& manifest) {
  // In whichever repository: what it loses is the last name that people have for it.
  ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaim(txn, manifest));
  // A lease is a program's, and names content by its digest: it loses nothing with a tag.
  if (!claim.has_value() || claim->kind != EdgeKind::kHold) return absl::OkStatus();
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> tags, txn.Scan(PrefixRange(prefix), 2));
  if (tags.size() > 1) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string name, parts_.repositories.NameOf(repository));
  return absl::FailedPreconditionError(
      StrCat("conflict: unable to remove repository reference \"", ShownName(name), ":", tag,
             "\" (must force) - ", claim->Text(), " is using its image ", ShortId(manifest)));
}

}  // namespace varve
