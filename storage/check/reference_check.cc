#include "storage/check/reference_check.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/escaping.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/counter.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

using Kind = CheckFinding::Kind;

// 2,048 x ~150 B = 300 kB.
constexpr size_t kPageRows = 2048;
// Uploads and inline bytes are rows of up to 64 KiB: 16 x 64 KiB = 1 MiB. Only holds, which are
// small, lie between them.
constexpr size_t kLargePageRows = 16;

// Above every table byte.
constexpr char kAfterAllKeys[] = "\x7f";
// Keys that share their first 47 bytes are told apart: a table byte, a digest, and some more.
constexpr int kMaxHalvings = 8 * 48;
constexpr size_t kMaxMiddleBytes = 48;

unsigned ByteAt(const std::string& key, size_t i) {
  return i < key.size() ? static_cast<uint8_t>(key[i]) : 0;
}

// Halfway between two keys, as fractions to the base 256.
std::string MiddleKey(const std::string& low, const std::string& high) {
  const size_t size = std::min(std::max(low.size(), high.size()) + 1, kMaxMiddleBytes);
  std::string middle(size, '\0');
  unsigned carry = 0;
  for (size_t i = size; i-- > 0;) {
    const unsigned sum = ByteAt(low, i) + ByteAt(high, i) + carry;
    middle[i] = static_cast<char>(sum & 0xff);
    carry = sum >> 8;
  }
  for (char& byte : middle) {
    const unsigned value = carry * 256 + static_cast<uint8_t>(byte);
    byte = static_cast<char>(value / 2);
    carry = value % 2;
  }
  return middle;
}

// "b 0120ab…": the table byte, then the parts in hexadecimal digits.
std::string KeyText(std::string_view key) {
  if (key.empty()) return "the first key";
  constexpr size_t kMaxShownBytes = 40;
  return StrCat(key.substr(0, 1), " ",
                ToStd(absl::BytesToHexString(ToAbsl(key.substr(1, kMaxShownBytes)))));
}

Table TableOf(const KeyValue& row) {
  return row.key.empty() ? Table() : static_cast<Table>(row.key.front());
}

std::string NameIn(const KeyValue& row) { return row.key.substr(1); }

}  // namespace

absl::StatusOr<CheckReport> ReferenceCheck::Run() {
  RETURN_IF_ERROR(WalkIndex());
  RETURN_IF_ERROR(WalkFiles());
  RETURN_IF_ERROR(Say(std::nullopt));
  return report_;
}

absl::Status ReferenceCheck::Tell(CheckFinding finding) {
  if (finding.kind != Kind::kTwoNames) ++report_.findings;
  if (finding.kind == Kind::kMissingContent) missing_target_ = finding.digest;
  if (finding.kind == Kind::kMissingContent || finding.kind == Kind::kBadContent) {
    finding.text += OrphanAdvice();
  }
  return Say(std::move(finding));
}

std::string ReferenceCheck::OrphanAdvice() const {
  const uint64_t count = parts_.orphans.Usage().count;
  if (count == 0) return "";
  return StrCat("; `varve fsck --adopt` gives its bytes back if ",
                count == 1 ? "the one file" : StrCat("one of the ", count, " files"),
                " that the index lost has them");
}

absl::Status ReferenceCheck::Damaged(std::string text) {
  return Tell({Kind::kDamagedRow, std::nullopt, "", std::move(text)});
}

absl::Status ReferenceCheck::Say(std::optional<CheckFinding> finding) {
  CheckStep step;
  step.finding = std::move(finding);
  step.so_far = report_;
  return observer_ == nullptr || observer_(step) ? absl::OkStatus()
                                                 : absl::CancelledError("the check was stopped");
}

absl::Status ReferenceCheck::Apply(const Rule& rule) {
  CheckFindings findings;
  absl::Status status = rule(parts_.index, &findings);
  if (status.ok() && findings.empty()) return absl::OkStatus();
  if (!status.ok() && !absl::IsDataLoss(status)) return status;
  absl::Status damage;
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        findings.clear();
        const absl::Status again = rule(txn, &findings);
        CheckInvariant(!txn.has_writes(), "a check changes nothing");
        damage = absl::IsDataLoss(again) ? again : absl::OkStatus();
        return absl::IsDataLoss(again) ? absl::OkStatus() : again;
      },
      Durability::kBuffered));
  if (!damage.ok()) {
    unreadable_ = unreadable_ || IsPrivate(damage);
    RETURN_IF_ERROR(Damaged(IsPrivate(damage) ? "a row that this one needs cannot be read"
                                              : std::string(damage.message())));
  }
  for (CheckFinding& finding : findings) RETURN_IF_ERROR(Tell(std::move(finding)));
  return absl::OkStatus();
}

absl::Status ReferenceCheck::WalkStretch(std::string begin, const std::string& end,
                                         size_t page_rows) {
  size_t limit = page_rows;
  for (;;) {
    const absl::StatusOr<std::vector<KeyValue>> rows = parts_.index.Walk({begin, end}, limit);
    if (absl::IsDataLoss(rows.status())) {
      // First up to what is damaged, then past it.
      if (limit > 1) {
        limit /= 2;
        continue;
      }
      ASSIGN_OR_RETURN(begin, SkipDamage(begin, end));
      if (begin == end) return absl::OkStatus();
      limit = page_rows;
      continue;
    }
    RETURN_IF_ERROR(rows.status());
    for (const KeyValue& row : *rows) {
      ++report_.rows;
      RETURN_IF_ERROR(Tolerate(VisitRow(row), "what row ", row.key));
    }
    RETURN_IF_ERROR(Say(std::nullopt));
    if (rows->size() < limit) return absl::OkStatus();
    begin = rows->back().key + '\0';
  }
}

absl::Status ReferenceCheck::Tolerate(const absl::Status& status, std::string_view what,
                                      std::string_view key) {
  if (!absl::IsDataLoss(status)) return status;
  unreadable_ = true;
  return Damaged(StrCat(what, KeyText(key), " needs of the index cannot be read"));
}

// Rows are read in blocks, and one of which the checksum is wrong hides its rows. The first key
// from which on reading works is found by halving the stretch of keys.
absl::StatusOr<std::string> ReferenceCheck::SkipDamage(const std::string& begin,
                                                       const std::string& end) {
  std::string damaged = begin;
  std::string readable = end.empty() ? kAfterAllKeys : end;
  for (int step = 0; step < kMaxHalvings; ++step) {
    const std::string middle = MiddleKey(damaged, readable);
    if (middle <= damaged || middle >= readable) break;
    const absl::Status status = parts_.index.Walk({middle, end}, 1).status();
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    (status.ok() ? readable : damaged) = middle;
  }
  unreadable_ = true;
  RETURN_IF_ERROR(Damaged(StrCat("the rows of the index from ", KeyText(begin), " up to ",
                                 KeyText(readable), " cannot be read")));
  return readable == kAfterAllKeys ? end : readable;
}

absl::Status ReferenceCheck::WalkIndex() {
  const CountedChanges& blob_changes = parts_.blobs.changes();
  const CountedChanges::Amount blobs_ended = blob_changes.Ended();
  const CountedChanges::Amount leases_ended = parts_.lease_changes.Ended();
  RETURN_IF_ERROR(WalkStretch("", CondemnedPrefix(), kPageRows));
  RETURN_IF_ERROR(Tolerate(CheckCondemned(), "what the condemned queue"));
  RETURN_IF_ERROR(
      CheckCounter("blobs", blobs_.rows, [&] { return blob_changes.Since(blobs_ended).rows; }));
  RETURN_IF_ERROR(CheckCounter("blob_bytes", blobs_.bytes,
                               [&] { return blob_changes.Since(blobs_ended).bytes; }));
  RETURN_IF_ERROR(CheckCounter("leases", leases_,
                               [&] { return parts_.lease_changes.Since(leases_ended).rows; }));
  RETURN_IF_ERROR(WalkStretch(CondemnedPrefix(), UploadPrefix(), kPageRows));
  const CountedChanges::Amount holds_ended = parts_.hold_changes.Ended();
  const std::string after_inline = PrefixRange(TablePrefix(Table::kInline)).end;
  RETURN_IF_ERROR(WalkStretch(UploadPrefix(), after_inline, kLargePageRows));
  RETURN_IF_ERROR(
      CheckCounter("holds", holds_, [&] { return parts_.hold_changes.Since(holds_ended).rows; }));
  return WalkStretch(after_inline, "", kPageRows);
}

absl::Status ReferenceCheck::VisitRow(const KeyValue& row) {
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
    case Table::kUnlinking:
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

absl::Status ReferenceCheck::DropCondemned(absl::flat_hash_set<Digest>* digests) {
  if (digests->empty()) return absl::OkStatus();
  return WalkRows(parts_.index, CondemnedPrefix(), kPageRows,
                  [&](const KeyValue& row) -> absl::StatusOr<bool> {
                    int64_t not_before = 0;
                    Digest digest;
                    if (ParseCondemnedKey(row.key, &not_before, &digest)) digests->erase(digest);
                    return !digests->empty();
                  });
}

absl::Status ReferenceCheck::CheckCondemned() {
  absl::flat_hash_set<Digest> lost;
  lost.swap(unreferenced_);
  RETURN_IF_ERROR(DropCondemned(&lost));
  if (lost.empty()) return absl::OkStatus();
  // A pass of the reclaimer moves and drops such rows. Without one, whoever commits a blob or takes
  // its last edge away leaves a row that stays: what has neither now has none.
  RETURN_IF_ERROR(parts_.reclaimer.BetweenPasses([&]() -> absl::Status {
    for (auto it = lost.begin(); it != lost.end();) {
      const Digest digest = *it;
      ASSIGN_OR_RETURN(const bool kept, parts_.index.HasAny(EdgePrefix(digest)));
      ASSIGN_OR_RETURN(const std::optional<std::string> row, parts_.index.Get(BlobKey(digest)));
      if (kept || !row.has_value()) {
        lost.erase(it++);
      } else {
        ++it;
      }
    }
    return DropCondemned(&lost);
  }));
  for (const Digest& digest : lost) {
    RETURN_IF_ERROR(Tell({Kind::kNeverReclaimed, digest, "",
                          StrCat("blob ", digest.ToString(),
                                 " is kept by nothing, and the reclaimer will never look at it")}));
  }
  return absl::OkStatus();
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
                     ParseOrphanKey(key, &file) || ParseUnlinkingKey(key, &repository, &digest) ||
                     ParseLinkExpiryKey(key, &time, &repository, &digest) ||
                     ParseCommitTokenKey(key, &slot);
  return noted ? absl::OkStatus() : UnreadableKey(key);
}

absl::Status ReferenceCheck::UnreadableKey(std::string_view key) {
  return Damaged(StrCat("a key of the index cannot be read; it begins with byte ",
                        key.empty() ? 0 : static_cast<int>(static_cast<uint8_t>(key.front()))));
}

}  // namespace varve
