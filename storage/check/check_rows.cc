// What a check does with a row that it meets: which rule of check_rules.h it must keep, and what is
// noted of it for later.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/check/reference_check.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

Table TableOf(const KeyValue& row) {
  return row.key.empty() ? Table() : static_cast<Table>(row.key.front());
}

std::string NameIn(const KeyValue& row) { return row.key.substr(1); }

}  // namespace

absl::Status ReferenceCheck::VisitRow(const KeyValue& row) {
  about_ = row.key;
  switch (TableOf(row)) {
    case Table::kBlob:
      return VisitBlob(row);
    case Table::kEdge:
      return VisitEdge(row);
    case Table::kMember:
      return VisitMember(row);
    case Table::kLease:
    case Table::kUpload:
    case Table::kHold:
    case Table::kMeta:
    case Table::kRepository:
    case Table::kClaimExpiry:
    case Table::kCounter:
      return VisitName(row);
    case Table::kFile:
    case Table::kInline:
    case Table::kLink:
    case Table::kRepositoryName:
    case Table::kLeaseContent:
    case Table::kPulled:
    case Table::kReferrer:
    case Table::kTag:
      return VisitOther(row);
    case Table::kCondemned:
    case Table::kOrphan:
    case Table::kCommitToken:
    case Table::kEdgeRemoval:
    case Table::kRemoving:
    case Table::kLinkExpiry:
      return VisitNote(row.key);
  }
  return UnreadableKey(row.key);
}

absl::Status ReferenceCheck::VisitBlob(const KeyValue& row) {
  Digest digest;
  if (!ParseBlobKey(row.key, &digest)) return Damaged("the key of a blob row cannot be read");
  ++blobs_.rows;
  const absl::StatusOr<BlobRow> blob = BlobRow::Decode(row.value);
  if (blob.ok()) blobs_.bytes += blob->size_bytes;
  RETURN_IF_ERROR(Apply([&](Reads& reads, CheckFindings* findings) {
    return CheckBlob(reads, parts_.files, digest, findings);
  }));
  ASSIGN_OR_RETURN(const bool kept, parts_.index.HasAny(EdgePrefix(digest)));
  if (kept) return absl::OkStatus();
  unreferenced_.insert(digest);
  return unreferenced_.size() < kMaxCheckedUnreferenced ? absl::OkStatus() : CheckCondemned();
}

absl::Status ReferenceCheck::VisitEdge(const KeyValue& row) {
  EdgeToCheck edge;
  edge.key = row.key;
  if (!ParseEdgeKey(row.key, &edge.target, &edge.source)) {
    return Damaged("the key of an edge row cannot be read");
  }
  const EdgeKind kind = edge.source.kind;
  if (kind == EdgeKind::kReference || kind == EdgeKind::kPending) {
    ASSIGN_OR_RETURN(edge.named, Names(edge.source.manifest, edge.target));
  }
  // Of many that need it the first is told.
  edge.check_target = missing_target_ != edge.target;
  return Apply(
      [&](Reads& reads, CheckFindings* findings) { return CheckEdge(reads, edge, findings); });
}

absl::StatusOr<std::optional<ParsedManifest>> ReferenceCheck::ReadManifest(const Digest& manifest) {
  const absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(manifest, kMaxManifestBytes);
  const bool lost = absl::IsNotFound(bytes.status()) || absl::IsDataLoss(bytes.status()) ||
                    absl::IsResourceExhausted(bytes.status());
  if (lost) return std::optional<ParsedManifest>();
  RETURN_IF_ERROR(bytes.status());
  absl::StatusOr<ParsedManifest> parsed = ParseManifest(*bytes, "", ManifestRules::kStored);
  if (!parsed.ok()) return std::optional<ParsedManifest>();
  return std::optional<ParsedManifest>(*std::move(parsed));
}

absl::StatusOr<std::optional<bool>> ReferenceCheck::Names(const Digest& manifest,
                                                          const Digest& target) {
  auto found = named_.find(manifest);
  if (found == named_.end()) {
    ASSIGN_OR_RETURN(const std::optional<ParsedManifest> parsed, ReadManifest(manifest));
    if (!parsed.has_value()) return std::optional<bool>();
    std::vector<size_t> hashes;
    for (const ContentReference& reference : parsed->References()) {
      hashes.push_back(absl::Hash<Digest>()(reference.descriptor.digest));
    }
    std::sort(hashes.begin(), hashes.end());
    const size_t count = hashes.size() + kCheckedManifestNames;
    if (named_count_ + count > kMaxCheckedNames) {
      named_.clear();
      named_count_ = 0;
    }
    named_count_ += count;
    found = named_.emplace(manifest, std::move(hashes)).first;
  }
  return std::optional<bool>(
      std::binary_search(found->second.begin(), found->second.end(), absl::Hash<Digest>()(target)));
}

absl::Status ReferenceCheck::VisitMember(const KeyValue& row) {
  RepositoryId repository = 0;
  Digest manifest;
  if (!ParseMemberKey(row.key, &repository, &manifest)) {
    return Damaged("the key of a member row cannot be read");
  }
  ASSIGN_OR_RETURN(const std::optional<ParsedManifest> content, ReadManifest(manifest));
  ++report_.manifests;
  return Apply([&](Reads& reads, CheckFindings* findings) {
    return CheckMember(reads, repository, manifest, content.has_value() ? &*content : nullptr,
                       findings);
  });
}

absl::Status ReferenceCheck::VisitName(const KeyValue& row) {
  const std::string name = NameIn(row);
  switch (TableOf(row)) {
    case Table::kLease:
      ++leases_;
      return Apply(
          [&](Reads& reads, CheckFindings* findings) { return CheckLease(reads, name, findings); });
    case Table::kHold:
      ++holds_;
      return Apply(
          [&](Reads& reads, CheckFindings* findings) { return CheckHold(reads, name, findings); });
    case Table::kRepository:
      return Apply([&](Reads& reads, CheckFindings* findings) {
        return CheckRepository(reads, name, parts_.names.CanonicalOf(name), findings);
      });
    case Table::kUpload: {
      const absl::Status status = UploadRow::Decode(row.value).status();
      return status.ok() ? status : Damaged(StrCat("the row of upload ", name, " cannot be read"));
    }
    case Table::kClaimExpiry: {
      EdgeKind kind = EdgeKind::kHold;
      int64_t expires = 0;
      std::string claim;
      if (ParseClaimExpiryKey(row.key, &kind, &expires, &claim)) return absl::OkStatus();
      return Damaged("the key of an expiry row cannot be read");
    }
    default:
      return absl::OkStatus();  // one number or text, which opening the store has read
  }
}

absl::Status ReferenceCheck::VisitOther(const KeyValue& row) {
  RepositoryId repository = 0;
  FileId file = 0;
  Digest digest;
  Digest other;
  std::string name;
  const std::string_view key = row.key;
  if (ParseTagKey(key, &repository, &name)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckTag(reads, repository, name, findings);
    });
  }
  if (ParseLeaseContentKey(key, &name, &digest)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckLeaseContent(reads, name, digest, findings);
    });
  }
  if (ParseReferrerKey(key, &repository, &digest, &other)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckReferrer(reads, repository, digest, other, findings);
    });
  }
  if (ParseLinkKey(key, &repository, &digest)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckLink(reads, repository, digest, findings);
    });
  }
  if (ParsePulledKey(key, &repository, &digest)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckPulled(reads, repository, digest, findings);
    });
  }
  if (ParseRepositoryNameKey(key, &repository)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckRepositoryName(reads, repository, findings);
    });
  }
  if (ParseInlineKey(key, &digest)) {
    return Apply([&](Reads& reads, CheckFindings* findings) {
      return CheckInlineBytes(reads, digest, findings);
    });
  }
  if (ParseFileKey(key, &file)) {
    return Apply(
        [&](Reads& reads, CheckFindings* findings) { return CheckFileRow(reads, file, findings); });
  }
  return UnreadableKey(key);
}

// What is to be done, which is found there or not when it is.
absl::Status ReferenceCheck::VisitNote(std::string_view key) {
  RepositoryId repository = 0;
  FileId file = 0;
  uint32_t slot = 0;
  int64_t time = 0;
  Digest digest;
  const bool noted = ParseCondemnedKey(key, &time, &digest) || ParseRemovingKey(key, &file) ||
                     ParseOrphanKey(key, &file) || ParseEdgeRemovalKey(key, &repository, &digest) ||
                     ParseLinkExpiryKey(key, &time, &repository, &digest) ||
                     ParseCommitTokenKey(key, &slot);
  return noted ? absl::OkStatus() : UnreadableKey(key);
}

absl::Status ReferenceCheck::UnreadableKey(std::string_view key) {
  return Damaged(StrCat("a key of the index cannot be read; it begins with byte ",
                        key.empty() ? 0 : static_cast<int>(static_cast<uint8_t>(key.front()))));
}

}  // namespace varve
