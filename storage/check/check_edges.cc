// Edges, and the tags, members and manifests that they come from.
#include <optional>
#include <string>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/check/check_rules.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

using Kind = CheckFinding::Kind;

// A manifest in a repository. With its blob row and the note of its deletion guarded, it is neither
// put nor deleted, and its edges stay, but for a pending one that becomes live.
struct Membership {
  bool listed = false;
  bool deleting = false;  // its edges are still to go
};

absl::StatusOr<Membership> ReadMembership(Reads& reads, RepositoryId repository,
                                          const Digest& manifest) {
  RETURN_IF_ERROR(reads.GetGuarded(BlobKey(manifest)).status());
  Membership membership;
  ASSIGN_OR_RETURN(membership.deleting, reads.HasGuarded(EdgeRemovalKey(repository, manifest)));
  ASSIGN_OR_RETURN(membership.listed, reads.Has(MemberKey(repository, manifest)));
  return membership;
}

// Whether what an edge comes from is there and names its target.
absl::StatusOr<bool> HasSource(Reads& reads, const EdgeToCheck& edge) {
  const EdgeSource& source = edge.source;
  switch (source.kind) {
    case EdgeKind::kTag: {
      ASSIGN_OR_RETURN(const std::optional<std::string> value,
                       reads.GetGuarded(TagKey(source.repository, source.name)));
      if (!value.has_value()) return false;
      ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
      return row.digest == edge.target;
    }
    case EdgeKind::kHold: {
      ASSIGN_OR_RETURN(const std::optional<std::string> value,
                       reads.GetGuarded(HoldKey(source.name)));
      if (!value.has_value()) return false;
      ASSIGN_OR_RETURN(const HoldRow row, HoldRow::Decode(*value));
      return row.manifest == edge.target && row.repository == source.repository;
    }
    case EdgeKind::kLease: {
      ASSIGN_OR_RETURN(const bool leased, reads.HasGuarded(LeaseKey(source.name)));
      if (!leased) return false;
      return reads.Has(LeaseContentKey(source.name, edge.target));
    }
    case EdgeKind::kMember: {
      ASSIGN_OR_RETURN(const Membership member,
                       ReadMembership(reads, source.repository, edge.target));
      return member.listed || member.deleting;
    }
    case EdgeKind::kReference:
    case EdgeKind::kPending: {
      ASSIGN_OR_RETURN(const Membership member,
                       ReadMembership(reads, source.repository, source.manifest));
      return member.deleting || (member.listed && edge.named != false);
    }
  }
  return false;
}

// "tag library/debian:12".
absl::StatusOr<std::string> SourceText(Reads& reads, const EdgeToCheck& edge) {
  const EdgeSource& source = edge.source;
  if (source.kind == EdgeKind::kHold) return StrCat("hold ", source.name);
  if (source.kind == EdgeKind::kLease) return StrCat("lease ", source.name);
  ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, source.repository));
  if (source.kind == EdgeKind::kTag) return StrCat("tag ", name, ":", source.name);
  if (source.kind == EdgeKind::kMember) return StrCat("repository ", name);
  return StrCat("manifest ", source.manifest.ToString(), " of repository ", name);
}

// The repository of a finding; "" when it is about none.
absl::StatusOr<std::string> PlaceOf(Reads& reads, RepositoryId repository) {
  if (repository == 0) return "";
  return RepositoryText(reads, repository);
}

// Whether the target of a reference has its edge: a pending one becomes live, never the other way.
absl::StatusOr<bool> HasReferenceEdge(Reads& reads, const Digest& target, RepositoryId repository,
                                      const Digest& manifest) {
  for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending, EdgeKind::kReference}) {
    ASSIGN_OR_RETURN(const bool there,
                     reads.Has(ReferenceEdgeKey(target, kind, repository, manifest)));
    if (there) return true;
  }
  return false;
}

// A child that the repository does not list has a pending edge: a deletion leaves one.
absl::Status CheckChild(Reads& reads, RepositoryId repository, const Digest& manifest,
                        const Digest& child, std::string_view self, const std::string& name,
                        CheckFindings* findings) {
  ASSIGN_OR_RETURN(const Membership member, ReadMembership(reads, repository, child));
  if (member.listed || member.deleting) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool live,
                   reads.Has(ReferenceEdgeKey(child, EdgeKind::kReference, repository, manifest)));
  if (!live) return absl::OkStatus();
  findings->push_back({Kind::kMissingContent, child, name,
                       StrCat(self, " lists ", child.ToString(),
                              ", which the repository does not have; push that again")});
  return absl::OkStatus();
}

std::optional<Digest> DigestOf(const std::optional<Descriptor>& descriptor) {
  return descriptor.has_value() ? std::optional<Digest>(descriptor->digest) : std::nullopt;
}

// What a manifest says against the edges and rows that its put wrote.
absl::Status CheckMemberContent(Reads& reads, RepositoryId repository, const Digest& manifest,
                                const MemberRow& row, const ParsedManifest& content,
                                CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
  const std::string self = StrCat("manifest ", manifest.ToString(), " of repository ", name);
  for (const ContentReference& reference : content.References()) {
    const Digest& target = reference.descriptor.digest;
    if (reference.role == ContentReference::Role::kChild) {
      RETURN_IF_ERROR(CheckChild(reads, repository, manifest, target, self, name, findings));
    }
    ASSIGN_OR_RETURN(const bool kept, HasReferenceEdge(reads, target, repository, manifest));
    if (kept) continue;
    findings->push_back({Kind::kMissingEdge, target, name,
                         StrCat(self, " names ", target.ToString(),
                                ", but no edge keeps that: it may be reclaimed")});
  }
  if (DigestOf(content.subject) != row.subject || DigestOf(content.config) != row.config) {
    findings->push_back({Kind::kDamagedRow, manifest, name,
                         StrCat("the row of ", self, " has another config or subject than it")});
  }
  if (!row.subject.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool refers, reads.Has(ReferrerKey(repository, *row.subject, manifest)));
  if (refers) return absl::OkStatus();
  findings->push_back(
      {Kind::kMissingRow, manifest, name,
       StrCat(self, " refers to ", row.subject->ToString(), ", but is not listed as referrer")});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> RepositoryText(Reads& reads, RepositoryId repository) {
  ASSIGN_OR_RETURN(std::optional<std::string> name, reads.Get(RepositoryNameKey(repository)));
  return name.has_value() ? *std::move(name) : StrCat("number ", repository);
}

absl::Status CheckEdge(Reads& reads, const EdgeToCheck& edge, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const bool has_source, HasSource(reads, edge));
  // Nobody removes the target while an edge is there; a lease may be for what is to come.
  bool target_missing = false;
  const EdgeKind kind = edge.source.kind;
  if (edge.check_target && kind != EdgeKind::kLease && kind != EdgeKind::kPending) {
    ASSIGN_OR_RETURN(const bool here, reads.HasGuarded(BlobKey(edge.target)));
    target_missing = !here;
  }
  if (has_source && !target_missing) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool there, reads.Has(edge.key));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string source, SourceText(reads, edge));
  ASSIGN_OR_RETURN(const std::string place, PlaceOf(reads, edge.source.repository));
  if (!has_source) {
    findings->push_back({Kind::kEdgeWithoutSource, edge.target, place,
                         StrCat("an edge of ", source, " keeps ", edge.target.ToString(),
                                ", which that does not name: it is never reclaimed")});
  }
  if (has_source && target_missing) {
    findings->push_back(
        {Kind::kMissingContent, edge.target, place,
         StrCat(source, " needs ", edge.target.ToString(), ", which is not here; push it again")});
  }
  return absl::OkStatus();
}

absl::Status CheckTag(Reads& reads, RepositoryId repository, const std::string& tag,
                      CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.GetGuarded(TagKey(repository, tag)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
  ASSIGN_OR_RETURN(const bool kept, reads.Has(TagEdgeKey(row.digest, repository, tag)));
  ASSIGN_OR_RETURN(const Membership member, ReadMembership(reads, repository, row.digest));
  const bool named = member.listed || member.deleting;
  if (kept && named) return absl::OkStatus();
  // The tag of an image that was deleted while this was read in passing.
  ASSIGN_OR_RETURN(const bool there, reads.Has(TagKey(repository, tag)));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
  const std::string self = StrCat("tag ", name, ":", tag, " names ", row.digest.ToString());
  if (!kept) {
    findings->push_back({Kind::kMissingEdge, row.digest, name,
                         StrCat(self, ", but no edge keeps that: a prune may take it")});
  }
  if (!named) {
    findings->push_back({Kind::kTagWithoutImage, row.digest, name,
                         StrCat(self,
                                ", which the repository does not list; push it again, or "
                                "remove the tag")});
  }
  return absl::OkStatus();
}

absl::Status CheckMember(Reads& reads, RepositoryId repository, const Digest& manifest,
                         const ParsedManifest* content, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const Membership member, ReadMembership(reads, repository, manifest));
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.Get(MemberKey(repository, manifest)));
  if (!member.listed || !value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*value));
  if (member.deleting) {
    ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
    findings->push_back({Kind::kLiveRemoval, manifest, name,
                         StrCat("manifest ", manifest.ToString(), " of repository ", name,
                                " is listed, and marked as being deleted: what it names may go")});
  }
  ASSIGN_OR_RETURN(const bool kept, reads.Has(MemberEdgeKey(manifest, repository)));
  if (!kept) {
    ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
    findings->push_back({Kind::kMissingEdge, manifest, name,
                         StrCat("repository ", name, " lists manifest ", manifest.ToString(),
                                ", but no edge keeps that: it may be reclaimed")});
  }
  if (content == nullptr) return absl::OkStatus();
  return CheckMemberContent(reads, repository, manifest, row, *content, findings);
}

absl::Status CheckReferrer(Reads& reads, RepositoryId repository, const Digest& subject,
                           const Digest& referrer, CheckFindings* findings) {
  RETURN_IF_ERROR(ReadMembership(reads, repository, referrer).status());
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.Get(MemberKey(repository, referrer)));
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*value));
    if (row.subject == subject) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool there, reads.Has(ReferrerKey(repository, subject, referrer)));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
  findings->push_back({Kind::kOrphanRow, referrer, name,
                       StrCat("repository ", name, " has ", referrer.ToString(), " as referrer of ",
                              subject.ToString(), ", but lists none such")});
  return absl::OkStatus();
}

}  // namespace varve
