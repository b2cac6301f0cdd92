#include "storage/claims/leases.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/claim_names.h"
#include "storage/index/counter.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kCounter[] = "leases";
// Digests attached by one transaction: two writes each; let go of by one: three.
constexpr size_t kAttachPageRows = 400;
constexpr size_t kEndPageRows = 300;
constexpr size_t kExpiryPageRows = 256;
static_assert(2 * kAttachPageRows + 1 <= kMaxRunOperations);
static_assert(3 * kEndPageRows + 3 <= kMaxRunOperations);

absl::Status NoSuchLease(std::string_view id) {
  return absl::NotFoundError(StrCat("no such lease: ", id));
}

absl::Status CheckTtl(int64_t ttl_nanos) {
  if (ttl_nanos > 0 && ttl_nanos <= kMaxLeaseNanos) return absl::OkStatus();
  return absl::InvalidArgumentError("a lease lasts up to a day; renew it while the work goes on");
}

absl::Status CheckRequest(const LeaseRequest& request) {
  if (!request.id.empty()) RETURN_IF_ERROR(ValidateClaimName("the id of a lease", request.id));
  RETURN_IF_ERROR(CheckTtl(request.ttl_nanos));
  if (request.owner.size() > kMaxLeaseOwnerBytes) {
    return absl::InvalidArgumentError(
        StrCat("the owner of a lease has at most ", kMaxLeaseOwnerBytes, " bytes"));
  }
  const bool labels_fit =
      request.labels.size() <= kMaxLeaseLabels &&
      std::all_of(request.labels.begin(), request.labels.end(), [](const auto& label) {
        return label.first.size() + label.second.size() <= kMaxLeaseLabelBytes;
      });
  if (labels_fit) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("a lease has at most ", kMaxLeaseLabels,
                                           " labels of at most ", kMaxLeaseLabelBytes,
                                           " bytes each"));
}

LeaseInfo Describe(std::string_view id, LeaseRow row) {
  return {std::string(id),    std::move(row.owner), row.created_nanos,
          row.deadline_nanos, row.contents,         std::move(row.labels)};
}

// The lease's row, guarded; NotFound when there is none, or it is ending.
absl::StatusOr<LeaseRow> ReadForUpdate(Transaction& txn, std::string_view id) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   txn.GetForUpdate(LeaseKey(id), Guard::kExclusive));
  if (!value.has_value()) return NoSuchLease(id);
  ASSIGN_OR_RETURN(LeaseRow row, LeaseRow::Decode(*value));
  if (row.ending) return NoSuchLease(id);
  return row;
}

absl::Status MoveDeadline(Transaction& txn, std::string_view id, LeaseRow* row, int64_t deadline) {
  RETURN_IF_ERROR(txn.Delete(ClaimExpiryKey(EdgeKind::kLease, row->deadline_nanos, id)));
  row->deadline_nanos = deadline;
  RETURN_IF_ERROR(txn.Put(ClaimExpiryKey(EdgeKind::kLease, deadline, id), ""));
  return txn.Put(LeaseKey(id), row->Encode());
}

}  // namespace

Leases::Leases(Parts parts)
    : parts_(parts),
      expiries_(ClaimExpiryPrefix(EdgeKind::kLease), kMaxLeaseNanos + 3600 * kNanosPerSecond) {}

absl::StatusOr<LeaseInfo> Leases::Create(const LeaseRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const std::string id = !request.id.empty() ? request.id
                                             : absl::StrFormat("%016x%016x", parts_.random.Next(),
                                                               parts_.random.Next());
  ASSIGN_OR_RETURN(const std::optional<std::string> counted,
                   parts_.index.Get(CounterKey(kCounter)));
  if (counted.has_value() && DecodeCounter(*counted) >= static_cast<int64_t>(kMaxLeases)) {
    return absl::ResourceExhaustedError(
        StrCat("the store has ", kMaxLeases, " leases; delete some of them"));
  }
  LeaseRow row;
  row.owner = request.owner;
  row.created_nanos = parts_.clock.WallNanos();
  row.deadline_nanos = row.created_nanos + request.ttl_nanos;
  row.labels = request.labels;
  CheckInvariant(row.deadline_nanos > row.created_nanos, "a lease ends after it begins");
  const CountedChanges::Change change(changes_);
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(LeaseKey(id), Guard::kExclusive));
    if (value.has_value()) {
      return absl::AlreadyExistsError(StrCat("there is a lease ", id, "; choose another id"));
    }
    RETURN_IF_ERROR(txn.Add(CounterKey(kCounter), 1));
    RETURN_IF_ERROR(txn.Put(ClaimExpiryKey(EdgeKind::kLease, row.deadline_nanos, id), ""));
    return txn.Put(LeaseKey(id), row.Encode());
  }));
  return Describe(id, std::move(row));
}

absl::StatusOr<std::vector<Digest>> Leases::Attach(std::string_view id,
                                                   absl::Span<const Digest> contents) {
  RETURN_IF_ERROR(ValidateClaimName("the id of a lease", id));
  if (contents.size() > kMaxAttachedDigests) {
    return absl::InvalidArgumentError(
        StrCat("attach at most ", kMaxAttachedDigests, " digests at once"));
  }
  // One order for all transactions, so that two of them never wait for each other in a circle.
  std::vector<Digest> sorted(contents.begin(), contents.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  size_t begin = 0;
  do {  // also with nothing to attach: is the lease there?
    RETURN_IF_ERROR(AttachPage(id, absl::MakeConstSpan(sorted).subspan(begin, kAttachPageRows)));
    begin += kAttachPageRows;
  } while (begin < sorted.size());
  // Looked at after they are kept, so that a yes lasts.
  std::vector<Digest> absent;
  for (const Digest& digest : contents) {
    ASSIGN_OR_RETURN(const std::optional<BlobRow> row, parts_.blobs.Find(digest));
    if (!row.has_value()) absent.push_back(digest);
  }
  return absent;
}

absl::Status Leases::AttachPage(std::string_view id, absl::Span<const Digest> contents) {
  CheckInvariant(contents.size() <= kAttachPageRows, "a page of contents fits one transaction");
  CheckInvariant(std::is_sorted(contents.begin(), contents.end()),
                 "a lease guards its contents in one order");
  return parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(LeaseRow row, ReadForUpdate(txn, id));
    const uint64_t attached_before = row.contents;
    for (const Digest& digest : contents) {
      RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(digest), Guard::kShared).status());
      const std::string key = LeaseContentKey(id, digest);
      ASSIGN_OR_RETURN(const std::optional<std::string> attached, txn.Get(key));
      if (attached.has_value()) continue;
      ++row.contents;
      RETURN_IF_ERROR(txn.Put(key, ""));
      RETURN_IF_ERROR(txn.Put(LeaseEdgeKey(digest, id), ""));
    }
    if (row.contents > kMaxLeaseContents) {
      return absl::ResourceExhaustedError(
          StrCat("a lease has at most ", kMaxLeaseContents, " digests; create another one"));
    }
    // Clients name the same content again and again: then nothing is written, and nothing synced.
    if (row.contents == attached_before) return absl::OkStatus();
    return txn.Put(LeaseKey(id), row.Encode());
  });
}

absl::StatusOr<LeaseInfo> Leases::Renew(std::string_view id, int64_t ttl_nanos) {
  RETURN_IF_ERROR(ValidateClaimName("the id of a lease", id));
  RETURN_IF_ERROR(CheckTtl(ttl_nanos));
  const int64_t deadline = parts_.clock.WallNanos() + ttl_nanos;
  LeaseRow row;
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(row, ReadForUpdate(txn, id));
    return MoveDeadline(txn, id, &row, deadline);
  }));
  return Describe(id, std::move(row));
}

absl::Status Leases::Delete(std::string_view id) {
  RETURN_IF_ERROR(ValidateClaimName("the id of a lease", id));
  const int64_t now = parts_.clock.WallNanos();
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(LeaseRow row, ReadForUpdate(txn, id));
    row.ending = true;
    return MoveDeadline(txn, id, &row, now);
  }));
  return End(id, std::nullopt);
}

absl::Status Leases::End(std::string_view id, std::optional<int64_t> due) {
  const std::string key = LeaseKey(id);
  const std::string prefix = LeaseContentPrefix(id);
  const CountedChanges::Change change(changes_);
  // A page goes by one transaction; the next begins after it. Nothing is attached any more.
  KeyRange left = PrefixRange(prefix);
  std::string next;
  for (bool done = false; !done; left.begin = next) {
    RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
      done = true;
      ASSIGN_OR_RETURN(const std::optional<std::string> value,
                       txn.GetForUpdate(key, Guard::kExclusive));
      LeaseRow row;
      if (value.has_value()) {
        ASSIGN_OR_RETURN(row, LeaseRow::Decode(*value));
      }
      // Gone, or renewed: `due` is not its deadline any more.
      if (!value.has_value() || (!row.ending && row.deadline_nanos != due)) {
        if (!due.has_value()) return absl::OkStatus();
        return txn.Delete(ClaimExpiryKey(EdgeKind::kLease, *due, id));
      }
      ASSIGN_OR_RETURN(const std::vector<KeyValue> contents, txn.Scan(left, kEndPageRows));
      const int64_t now = parts_.clock.WallNanos();
      for (const KeyValue& content : contents) {
        std::string_view rest = std::string_view(content.key).substr(prefix.size());
        Digest digest;
        if (!Digest::ConsumeKey(&rest, &digest)) {
          return absl::DataLossError("a lease content row of the index is damaged");
        }
        RETURN_IF_ERROR(txn.Delete(content.key));
        RETURN_IF_ERROR(txn.Delete(LeaseEdgeKey(digest, id)));
        RETURN_IF_ERROR(txn.Put(CondemnedKey(now, digest), ""));
      }
      done = contents.size() < kEndPageRows;
      row.ending = true;
      if (!done) {
        next = contents.back().key + '\0';
        return txn.Put(key, row.Encode());
      }
      RETURN_IF_ERROR(txn.Add(CounterKey(kCounter), -1));
      RETURN_IF_ERROR(txn.Delete(ClaimExpiryKey(EdgeKind::kLease, row.deadline_nanos, id)));
      return txn.Delete(key);
    }));
  }
  return absl::OkStatus();
}

absl::StatusOr<Page<LeaseInfo>> Leases::List(const PageRequest& page) {
  const size_t limit = std::min(page.limit, kMaxPageRows);
  Page<LeaseInfo> leases;
  const auto add = [&](const KeyValue& row) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(LeaseRow lease, LeaseRow::Decode(row.value));
    if (lease.ending) return true;
    leases.more = leases.rows.size() == limit;
    if (leases.more) return false;
    leases.rows.push_back(Describe(row.key.substr(LeasePrefix().size()), std::move(lease)));
    return true;
  };
  RETURN_IF_ERROR(VisitRows(parts_.index, PrefixRange(LeasePrefix(), page.after), limit + 1, add));
  return leases;
}

absl::Status Leases::Expire() {
  const int64_t now = parts_.clock.WallNanos();
  absl::Status damage;
  RETURN_IF_ERROR(expiries_.Visit(
      parts_.index, now, kExpiryPageRows,
      [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
        bool all_gone = true;
        for (const KeyValue& row : rows) {
          EdgeKind kind = EdgeKind::kLease;
          int64_t deadline = 0;
          std::string id;
          absl::Status ended = absl::DataLossError("an expiry row of the index is damaged");
          if (ParseClaimExpiryKey(row.key, &kind, &deadline, &id)) {
            ended = deadline <= now ? End(id, deadline) : BeginAnew(id, deadline, now);
          }
          // One damaged row holds up no other.
          if (!ended.ok() && !absl::IsDataLoss(ended)) return ended;
          damage.Update(ended);
          all_gone = all_gone && ended.ok();
        }
        return all_gone;
      }));
  return damage;
}

absl::Status Leases::BeginAnew(std::string_view id, int64_t deadline, int64_t now) {
  return parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(LeaseKey(id), Guard::kExclusive));
    std::optional<LeaseRow> row;
    if (value.has_value()) {
      ASSIGN_OR_RETURN(row, LeaseRow::Decode(*value));
    }
    // One that was renewed has another expiry row.
    if (!row.has_value() || row->deadline_nanos != deadline) {
      return txn.Delete(ClaimExpiryKey(EdgeKind::kLease, deadline, id));
    }
    const int64_t left = std::clamp<int64_t>(deadline - row->created_nanos, 0, kMaxLeaseNanos);
    return MoveDeadline(txn, id, &*row, now + left);
  });
}

}  // namespace varve
