// Holds, leases and links, which end some day, and the names of repositories.
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/check/check_rules.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

using Kind = CheckFinding::Kind;

}  // namespace

absl::Status CheckHold(Reads& reads, const std::string& hold, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(HoldKey(hold)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const HoldRow row, HoldRow::Decode(*value));
  ASSIGN_OR_RETURN(const bool kept, reads.Has(HoldEdgeKey(row.manifest, row.repository, hold)));
  if (!kept) {
    findings->push_back({Kind::kMissingEdge, row.manifest, "",
                         StrCat("hold ", hold, " is on ", row.manifest.ToString(),
                                ", but no edge keeps that: a prune may take it")});
  }
  if (row.expires_nanos == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool ends,
                   reads.Has(ClaimExpiryKey(EdgeKind::kHold, row.expires_nanos, hold)));
  if (ends) return absl::OkStatus();
  findings->push_back({Kind::kNeverEnds, row.manifest, "",
                       StrCat("hold ", hold,
                              " has an end that nobody will look for; release it "
                              "when its container has gone")});
  return absl::OkStatus();
}

absl::Status CheckLease(Reads& reads, const std::string& lease, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(LeaseKey(lease)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const LeaseRow row, LeaseRow::Decode(*value));
  ASSIGN_OR_RETURN(const bool ends,
                   reads.Has(ClaimExpiryKey(EdgeKind::kLease, row.deadline_nanos, lease)));
  if (!ends) {
    findings->push_back({Kind::kNeverEnds, std::nullopt, "",
                         StrCat("lease ", lease,
                                " has a deadline that nobody will look for; "
                                "delete it when its work is done")});
  }
  if (row.ending) return absl::OkStatus();  // its content goes in pages
  ASSIGN_OR_RETURN(const uint64_t contents, CountRows(reads, LeaseContentPrefix(lease)));
  if (contents == row.contents) return absl::OkStatus();
  findings->push_back({Kind::kWrongStatistics, std::nullopt, "",
                       StrCat("lease ", lease, " says that it has ", row.contents,
                              " digests, but has ", contents)});
  return absl::OkStatus();
}

absl::Status CheckLeaseContent(Reads& reads, const std::string& lease, const Digest& content,
                               CheckFindings* findings) {
  ASSIGN_OR_RETURN(const bool leased, reads.HasGuarded(LeaseKey(lease)));
  ASSIGN_OR_RETURN(const bool kept, reads.Has(LeaseEdgeKey(content, lease)));
  if (leased && kept) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool there, reads.Has(LeaseContentKey(lease, content)));
  if (!there) return absl::OkStatus();
  if (!leased) {
    findings->push_back(
        {Kind::kOrphanRow, content, "",
         StrCat(content.ToString(), " is attached to lease ", lease, ", which is gone")});
    return absl::OkStatus();
  }
  findings->push_back({Kind::kMissingEdge, content, "",
                       StrCat(content.ToString(), " is attached to lease ", lease,
                              ", but no edge keeps it: it may be reclaimed")});
  return absl::OkStatus();
}

absl::Status CheckLink(Reads& reads, RepositoryId repository, const Digest& blob,
                       CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.GetGuarded(LinkKey(repository, blob)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*value));
  ASSIGN_OR_RETURN(const bool ends, reads.Has(LinkExpiryKey(row.expires_nanos, repository, blob)));
  if (ends) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
  findings->push_back({Kind::kNeverEnds, blob, name,
                       StrCat("blob ", blob.ToString(), " stays visible in repository ", name,
                              ": nobody will look for the end of its link")});
  return absl::OkStatus();
}

// Of repositories that have images; one that has none goes by itself.
absl::Status CheckOneName(Reads& reads, const std::string& name, RepositoryId repository,
                          std::string_view canonical, CheckFindings* findings) {
  if (canonical == name) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   reads.GetGuarded(RepositoryKey(canonical)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RepositoryRow other, RepositoryRow::Decode(*value));
  for (const RepositoryId one : {repository, other.id}) {
    ASSIGN_OR_RETURN(const bool has_members, reads.HasAny(MemberPrefix(one)));
    if (!has_members) return absl::OkStatus();
  }
  findings->push_back({Kind::kTwoNames, std::nullopt, name,
                       StrCat(name, " and ", canonical,
                              " are two repositories, and would be one "
                              "today: varve repo merge ",
                              name, " ", canonical)});
  return absl::OkStatus();
}

absl::Status CheckRepository(Reads& reads, const std::string& name, std::string_view canonical,
                             CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(RepositoryKey(name)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*value));
  RETURN_IF_ERROR(CheckOneName(reads, name, row.id, canonical, findings));
  ASSIGN_OR_RETURN(const std::optional<std::string> named, reads.Get(RepositoryNameKey(row.id)));
  if (named == name) return absl::OkStatus();
  findings->push_back({Kind::kMissingRow, std::nullopt, name,
                       StrCat("no row says that repository number ", row.id, " is ", name,
                              ": images of it are not found by their id")});
  return absl::OkStatus();
}

absl::Status CheckRepositoryName(Reads& reads, RepositoryId repository, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> name,
                   reads.GetGuarded(RepositoryNameKey(repository)));
  if (!name.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(RepositoryKey(*name)));
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*value));
    if (row.id == repository) return absl::OkStatus();
  }
  findings->push_back({Kind::kOrphanRow, std::nullopt, *name,
                       StrCat("a row says that ", *name, " is repository number ", repository,
                              ", but there is no such repository")});
  return absl::OkStatus();
}

absl::Status CheckPulled(Reads& reads, RepositoryId repository, const Digest& manifest,
                         CheckFindings* findings) {
  ASSIGN_OR_RETURN(const bool listed, reads.HasGuarded(MemberKey(repository, manifest)));
  if (listed) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool there, reads.Has(PulledKey(repository, manifest)));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string name, RepositoryText(reads, repository));
  findings->push_back({Kind::kOrphanRow, manifest, name,
                       StrCat("a row says when manifest ", manifest.ToString(),
                              " was pulled from repository ", name, ", which does not list it")});
  return absl::OkStatus();
}

}  // namespace varve
