#include "storage/reclaim/dangling_set.h"

#include <string>

#include "storage/base/status.h"
#include "storage/catalog/dangling.h"
#include "storage/catalog/manifest.h"
#include "storage/catalog/names.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

}  // namespace

absl::Status VisitMembers(Index& index, const std::function<absl::Status(const Member&)>& visit) {
  return VisitRows(index, MemberPrefix(), kPageRows,
                   [&](const KeyValue& row) -> absl::StatusOr<bool> {
                     Member member;
                     if (!ParseMemberKey(row.key, &member.repository, &member.manifest)) {
                       return absl::DataLossError("a member row of the index is damaged");
                     }
                     RETURN_IF_ERROR(visit(member));
                     return true;
                   });
}

absl::Status DanglingSet::Gather(
    const Member& member,
    const std::function<absl::StatusOr<bool>(const Content& content, bool follows)>& take) {
  std::vector<Member> waiting = {member};
  for (bool follows = false; !waiting.empty(); follows = true) {
    const Member one = waiting.back();
    waiting.pop_back();
    ASSIGN_OR_RETURN(const bool dangling, IsDangling(one));
    if (!dangling) continue;
    ASSIGN_OR_RETURN(const Content content, Read(one));
    ASSIGN_OR_RETURN(const bool taken, take(content, follows));
    if (!taken) continue;
    Add(content);
    ASSIGN_OR_RETURN(const std::vector<Member> more, Followers(content));
    waiting.insert(waiting.end(), more.begin(), more.end());
  }
  return absl::OkStatus();
}

// Whether an edge of this kind leads to `target` from anywhere but the set.
absl::StatusOr<bool> DanglingSet::KeptFromOutside(const Digest& target, EdgeKind kind) {
  const std::string prefix = EdgePrefix(target, kind);
  std::string after;
  for (;;) {
    // What is kept is kept by its first edge, as a rule.
    const size_t limit = after.empty() ? 1 : kPageRows;
    ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                     parts_.index.Scan(PrefixRange(prefix, after), limit));
    for (const KeyValue& edge : edges) {
      Digest named;
      EdgeSource source;
      if (!ParseEdgeKey(edge.key, &named, &source)) {
        return absl::DataLossError("an edge row of the index is damaged");
      }
      // A tag is kept by the manifest it names, which a member of its repository is.
      const bool of_target = kind == EdgeKind::kMember || kind == EdgeKind::kTag;
      const Digest& manifest = of_target ? target : source.manifest;
      if (!members_.contains({source.repository, manifest})) return true;
      after = edge.key.substr(prefix.size());
    }
    if (edges.size() < limit) return false;
  }
}

absl::StatusOr<bool> DanglingSet::SubjectStays(RepositoryId repository, const Digest& subject) {
  if (members_.contains({repository, subject})) return false;
  const absl::Status listed = parts_.catalog.ReadMember(repository, subject).status();
  if (absl::IsNotFound(listed)) return false;
  RETURN_IF_ERROR(listed);
  return true;
}

absl::StatusOr<bool> DanglingSet::KeptByTag(const Member& member) {
  const std::string prefix = scope_ == Scope::kUnused
                                 ? EdgePrefix(member.manifest, EdgeKind::kTag, member.repository)
                                 : EdgePrefix(member.manifest, EdgeKind::kTag);
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                     parts_.index.Scan(PrefixRange(prefix, after), kPageRows));
    for (const KeyValue& edge : edges) {
      Digest named;
      EdgeSource source;
      if (!ParseEdgeKey(edge.key, &named, &source)) {
        return absl::DataLossError("an edge row of the index is damaged");
      }
      after = edge.key.substr(prefix.size());
      const std::optional<Digest> subject = SubjectOfTag(source.tag);
      if (subject.has_value()) {
        ASSIGN_OR_RETURN(const bool stays, SubjectStays(source.repository, *subject));
        if (stays) return true;
        if (members_.contains({source.repository, *subject})) continue;
      }
      if (scope_ == Scope::kDangling) return true;
    }
    if (edges.size() < kPageRows) return false;
  }
}

absl::StatusOr<bool> DanglingSet::IsDangling(const Member& member) {
  if (members_.contains(member)) return false;
  ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaim(parts_.index, member.manifest));
  if (claim.has_value() && claim->kind == EdgeKind::kHold) return false;
  ASSIGN_OR_RETURN(const bool tagged, KeptByTag(member));
  if (tagged) return false;
  for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending}) {
    ASSIGN_OR_RETURN(const bool kept, KeptFromOutside(member.manifest, kind));
    if (kept) return false;
  }
  const absl::StatusOr<ManifestInfo> info =
      parts_.catalog.ReadMember(member.repository, member.manifest);
  if (absl::IsNotFound(info.status())) return false;
  RETURN_IF_ERROR(info.status());
  if (!info->subject.has_value()) return true;
  ASSIGN_OR_RETURN(const bool subject_stays, SubjectStays(member.repository, *info->subject));
  return !subject_stays;
}

absl::Status DanglingSet::AddBlob(const Digest& digest, Content* content) {
  if (blobs_.contains(digest)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(BlobKey(digest)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*value));
  Copy copy{row.file, row.size_bytes, 0};
  if (row.file != 0) {
    const absl::StatusOr<FileStat> stat = parts_.files.Stat(row.file);
    if (stat.ok()) copy.allocated_bytes = stat->allocated_bytes;
  }
  content->blobs.emplace_back(digest, copy);
  return absl::OkStatus();
}

absl::StatusOr<DanglingSet::Content> DanglingSet::Read(const Member& member) {
  Content content;
  content.member = member;
  RETURN_IF_ERROR(AddBlob(member.manifest, &content));
  const absl::StatusOr<std::string> bytes =
      parts_.blobs.ReadAll(member.manifest, kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status()) || absl::IsDataLoss(bytes.status())) return content;
  RETURN_IF_ERROR(bytes.status());
  const absl::StatusOr<ParsedManifest> parsed = ParseManifest(*bytes, "", ManifestRules::kStored);
  if (!parsed.ok()) return content;
  for (const ContentReference& reference : parsed->References()) {
    // An entry may be a manifest for all that: its type is what the index says.
    if (reference.role == ContentReference::Role::kChild ||
        reference.role == ContentReference::Role::kEntry) {
      content.children.push_back(reference.descriptor.digest);
    }
    RETURN_IF_ERROR(AddBlob(reference.descriptor.digest, &content));
  }
  return content;
}

void DanglingSet::Add(const Content& content) {
  members_.insert(content.member);
  for (const auto& [digest, copy] : content.blobs) blobs_.try_emplace(digest, copy);
}

absl::StatusOr<std::vector<Member>> DanglingSet::Followers(const Content& content) {
  std::vector<Member> followers;
  for (const Digest& child : content.children) {
    ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories,
                     parts_.catalog.RepositoriesOf(child));
    for (const RepositoryId repository : repositories) followers.push_back({repository, child});
  }
  const std::string prefix = ReferrerPrefix(content.member.repository, content.member.manifest);
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     parts_.index.Scan(PrefixRange(prefix, after), kPageRows));
    for (const KeyValue& row : rows) {
      after = row.key.substr(prefix.size());
      std::string_view key = after;
      Digest referrer;
      if (!Digest::ConsumeKey(&key, &referrer)) {
        return absl::DataLossError("a referrer row of the index is damaged");
      }
      followers.push_back({content.member.repository, referrer});
    }
    if (rows.size() < kPageRows) break;
  }
  ASSIGN_OR_RETURN(
      const std::vector<Digest> tagged,
      parts_.catalog.TaggedReferrersOf(content.member.repository, content.member.manifest));
  for (const Digest& referrer : tagged) followers.push_back({content.member.repository, referrer});
  return followers;
}

absl::Status DanglingSet::VisitOwnBlobs(
    const std::function<absl::Status(const Digest& digest, const Copy& copy)>& visit) {
  for (const auto& [digest, copy] : blobs_) {
    bool kept = false;
    for (const EdgeKind kind :
         {EdgeKind::kTag, EdgeKind::kMember, EdgeKind::kReference, EdgeKind::kPending}) {
      if (kept) break;
      ASSIGN_OR_RETURN(kept, KeptFromOutside(digest, kind));
    }
    if (!kept) RETURN_IF_ERROR(visit(digest, copy));
  }
  return absl::OkStatus();
}

}  // namespace varve
