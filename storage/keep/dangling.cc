#include "storage/keep/dangling.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

absl::StatusOr<std::optional<Claim>> FirstClaim(Reads& reads, const std::string& prefix) {
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges, reads.Scan(PrefixRange(prefix), 1));
  if (edges.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const EdgeSource source, EdgeSourceOf(edges[0].key));
  return Claim{source.kind, std::move(source.name)};
}

absl::StatusOr<std::optional<Claim>> FirstClaimOf(Reads& reads,
                                                  const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    ASSIGN_OR_RETURN(std::optional<Claim> claim, FirstClaim(reads, prefix));
    if (claim.has_value()) return claim;
  }
  return std::nullopt;
}

std::vector<std::string> ClaimPrefixes(const Digest& manifest) {
  return {EdgePrefix(manifest, EdgeKind::kHold), EdgePrefix(manifest, EdgeKind::kLease)};
}

std::vector<std::string> ClaimPrefixesIn(RepositoryId repository, const Digest& manifest) {
  return {EdgePrefix(manifest, EdgeKind::kHold, repository),
          EdgePrefix(manifest, EdgeKind::kHold, 0), EdgePrefix(manifest, EdgeKind::kLease)};
}

}  // namespace

std::string Claim::Text() const {
  return StrCat(kind == EdgeKind::kHold ? "hold " : "lease ", name);
}

absl::StatusOr<std::optional<Claim>> FindClaim(Reads& reads, const Digest& manifest) {
  return FirstClaimOf(reads, ClaimPrefixes(manifest));
}

absl::StatusOr<std::optional<Claim>> FindClaimIn(Reads& reads, RepositoryId repository,
                                                 const Digest& manifest) {
  return FirstClaimOf(reads, ClaimPrefixesIn(repository, manifest));
}

absl::StatusOr<bool> IsDangling(Reads& reads, RepositoryId repository, const Digest& manifest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.Get(MemberKey(repository, manifest)));
  if (!value.has_value()) {
    return absl::NotFoundError(StrCat("manifest ", manifest.ToString(), " is not a member"));
  }
  for (const EdgeKind kind : {EdgeKind::kTag, EdgeKind::kReference, EdgeKind::kPending}) {
    ASSIGN_OR_RETURN(const bool kept, reads.HasAny(EdgePrefix(manifest, kind)));
    if (kept) return false;
  }
  ASSIGN_OR_RETURN(const MemberRow member, MemberRow::Decode(*value));
  if (!member.subject.has_value()) return true;
  ASSIGN_OR_RETURN(const std::optional<std::string> subject,
                   reads.Get(MemberKey(repository, *member.subject)));
  return !subject.has_value();
}

absl::StatusOr<bool> IsTagged(Reads& reads, RepositoryId repository, const Digest& manifest) {
  return reads.HasAny(EdgePrefix(manifest, EdgeKind::kTag, repository));
}

}  // namespace varve
