#include "storage/check/reference_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

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
    RETURN_IF_ERROR(Damaged(
        IsPrivate(damage) ? StrCat("a row that the row ", KeyText(about_), " needs cannot be read")
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

}  // namespace varve
