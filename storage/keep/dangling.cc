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

// Reads of Index and Transaction have the same form.
template <typename Reads>
absl::StatusOr<bool> HasEdge(Reads& reads, const Digest& target, EdgeKind kind) {
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                   reads.Scan(PrefixRange(EdgePrefix(target, kind)), 1));
  return !edges.empty();
}

template <typename Reads>
absl::StatusOr<bool> IsDanglingIn(Reads& reads, RepositoryId repository, const Digest& manifest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.Get(MemberKey(repository, manifest)));
  if (!value.has_value()) {
    return absl::NotFoundError(StrCat("manifest ", manifest.ToString(), " is not a member"));
  }
  for (const EdgeKind kind : {EdgeKind::kTag, EdgeKind::kReference, EdgeKind::kPending}) {
    ASSIGN_OR_RETURN(const bool kept, HasEdge(reads, manifest, kind));
    if (kept) return false;
  }
  ASSIGN_OR_RETURN(const MemberRow member, MemberRow::Decode(*value));
  if (!member.subject.has_value()) return true;
  ASSIGN_OR_RETURN(const std::optional<std::string> subject,
                   reads.Get(MemberKey(repository, *member.subject)));
  return !subject.has_value();
}

template <typename Reads>
absl::StatusOr<std::optional<Claim>> FirstClaim(Reads& reads, const std::string& prefix) {
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges, reads.Scan(PrefixRange(prefix), 1));
  if (edges.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const EdgeSource source, EdgeSourceOf(edges[0].key));
  return Claim{source.kind, std::move(source.tag)};
}

template <typename Reads>
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

absl::StatusOr<std::optional<Claim>> FindClaim(Index& index, const Digest& manifest) {
  return FirstClaimOf(index, ClaimPrefixes(manifest));
}

absl::StatusOr<std::optional<Claim>> FindClaim(Transaction& txn, const Digest& manifest) {
  return FirstClaimOf(txn, ClaimPrefixes(manifest));
}

absl::StatusOr<std::optional<Claim>> FindClaimIn(Index& index, RepositoryId repository,
                                                 const Digest& manifest) {
  return FirstClaimOf(index, ClaimPrefixesIn(repository, manifest));
}

absl::StatusOr<std::optional<Claim>> FindClaimIn(Transaction& txn, RepositoryId repository,
                                                 const Digest& manifest) {
  return FirstClaimOf(txn, ClaimPrefixesIn(repository, manifest));
}

absl::StatusOr<bool> IsDangling(Index& index, RepositoryId repository, const Digest& manifest) {
  return IsDanglingIn(index, repository, manifest);
}

absl::StatusOr<bool> IsDangling(Transaction& txn, RepositoryId repository, const Digest& manifest) {
  return IsDanglingIn(txn, repository, manifest);
}

absl::StatusOr<bool> IsTagged(Index& index, RepositoryId repository, const Digest& manifest) {
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kTag, repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> tags, index.Scan(PrefixRange(prefix), 1));
  return !tags.empty();
}

}  // namespace varve
