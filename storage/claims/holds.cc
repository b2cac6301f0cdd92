#include "storage/claims/holds.h"

#include <algorithm>
#include <string>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/claim_names.h"
#include "storage/index/counter.h"
#include "storage/index/table_visits.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kCounter[] = "holds";
// Holds ended by one transaction: six writes each.
constexpr size_t kExpiryPageRows = 150;
static_assert(6 * kExpiryPageRows <= kMaxRunOperations);

absl::Status NoSuchHold(std::string_view name) {
  return absl::NotFoundError(StrCat("no such hold: ", name));
}

absl::Status CheckRequest(const HoldRequest& request) {
  RETURN_IF_ERROR(ValidateClaimName("the name of a hold", request.name));
  if (request.ttl_nanos < 0 || request.ttl_nanos > kMaxHoldNanos) {
    return absl::InvalidArgumentError("a hold lasts until it is released, or at most ten years");
  }
  return absl::OkStatus();
}

// Whether the repository lists the manifest; 0: whether any does. The caller guards its blob row,
// so that the answer holds until the commit.
absl::StatusOr<bool> IsListedBy(Transaction& txn, RepositoryId repository, const Digest& manifest) {
  if (repository != 0) return txn.Has(MemberKey(repository, manifest));
  bool found = false;
  RETURN_IF_ERROR(VisitEdges(txn, EdgePrefix(manifest, EdgeKind::kMember),
                             [&](const EdgeSource& source) -> absl::StatusOr<bool> {
                               // The edge outlives the membership while a deletion is under way.
                               ASSIGN_OR_RETURN(found,
                                                IsListedBy(txn, source.repository, manifest));
                               return !found;
                             }));
  return found;
}

// Takes the hold's rows away; its image may go with them.
absl::Status Remove(Transaction& txn, std::string_view name, const HoldRow& row, int64_t now) {
  RETURN_IF_ERROR(txn.Delete(HoldKey(name)));
  RETURN_IF_ERROR(txn.Delete(HoldEdgeKey(row.manifest, row.repository, name)));
  if (row.expires_nanos != 0) {
    RETURN_IF_ERROR(txn.Delete(ClaimExpiryKey(EdgeKind::kHold, row.expires_nanos, name)));
  }
  RETURN_IF_ERROR(txn.Add(CounterKey(kCounter), -1));
  return txn.Put(CondemnedKey(now, row.manifest), "");
}

}  // namespace

Holds::Holds(Parts parts)
    : parts_(parts),
      expiries_(ClaimExpiryPrefix(EdgeKind::kHold), kMaxHoldNanos + 3600 * kNanosPerSecond) {}

absl::StatusOr<HoldInfo> Holds::Describe(std::string_view name, const HoldRow& row) {
  HoldInfo info{std::string(name), "", row.manifest, row.created_nanos, row.expires_nanos};
  if (row.repository != 0) {
    ASSIGN_OR_RETURN(info.repository, parts_.repositories.NameOf(row.repository));
  }
  return info;
}

absl::StatusOr<HoldInfo> Holds::Create(const HoldRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  ASSIGN_OR_RETURN(const RepositoryId repository, parts_.repositories.Find(request.repository));
  const absl::Status absent = absl::NotFoundError(
      StrCat("manifest ", request.manifest.ToString(), " is not known in ",
             request.repository.empty() ? "any repository"
                                        : StrCat("repository ", ShownName(request.repository))));
  // One whose bytes are lost answers absent here too; pushing it again heals it.
  ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, parts_.blobs.Find(request.manifest));
  if (!blob.has_value()) return absent;
  ASSIGN_OR_RETURN(const std::optional<std::string> counted,
                   parts_.index.Get(CounterKey(kCounter)));
  if (counted.has_value() && DecodeCounter(*counted) >= static_cast<int64_t>(kMaxHolds)) {
    return absl::ResourceExhaustedError(
        StrCat("the store has ", kMaxHolds, " holds; release some of them"));
  }
  HoldRow row{request.manifest, repository, parts_.clock.WallNanos(), 0};
  if (request.ttl_nanos != 0) row.expires_nanos = row.created_nanos + request.ttl_nanos;
  CheckInvariant(row.expires_nanos == 0 || row.expires_nanos > row.created_nanos,
                 "a hold ends after it begins, or never");
  const std::string key = HoldKey(request.name);
  const CountedChanges::Change change(changes_);
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(request.manifest), Guard::kShared).status());
    ASSIGN_OR_RETURN(const bool listed, IsListedBy(txn, repository, request.manifest));
    if (!listed) return absent;
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (value.has_value()) {
      ASSIGN_OR_RETURN(const HoldRow before, HoldRow::Decode(*value));
      if (before.manifest != row.manifest || before.repository != row.repository) {
        return absl::AlreadyExistsError(StrCat("the hold ", request.name, " is on ",
                                               before.manifest.ToString(),
                                               "; release it, or choose another name"));
      }
      row.created_nanos = before.created_nanos;
      if (before.expires_nanos != 0) {
        RETURN_IF_ERROR(
            txn.Delete(ClaimExpiryKey(EdgeKind::kHold, before.expires_nanos, request.name)));
      }
    } else {
      RETURN_IF_ERROR(txn.Add(CounterKey(kCounter), 1));
    }
    RETURN_IF_ERROR(txn.Put(key, row.Encode()));
    RETURN_IF_ERROR(txn.Put(HoldEdgeKey(row.manifest, repository, request.name), ""));
    if (row.expires_nanos == 0) return absl::OkStatus();
    return txn.Put(ClaimExpiryKey(EdgeKind::kHold, row.expires_nanos, request.name), "");
  }));
  return Describe(request.name, row);
}

absl::Status Holds::Release(std::string_view name) {
  RETURN_IF_ERROR(ValidateClaimName("the name of a hold", name));
  const CountedChanges::Change change(changes_);
  return parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(HoldKey(name), Guard::kExclusive));
    if (!value.has_value()) return NoSuchHold(name);
    ASSIGN_OR_RETURN(const HoldRow row, HoldRow::Decode(*value));
    return Remove(txn, name, row, parts_.clock.WallNanos());
  });
}

absl::StatusOr<Page<HoldInfo>> Holds::List(const PageRequest& page) {
  const size_t limit = std::min(page.limit, kMaxPageRows);
  ASSIGN_OR_RETURN(std::vector<KeyValue> rows,
                   parts_.index.Scan(PrefixRange(HoldPrefix(), page.after), limit + 1));
  Page<HoldInfo> holds;
  holds.more = rows.size() > limit;
  if (holds.more) rows.pop_back();
  for (const KeyValue& row : rows) {
    ASSIGN_OR_RETURN(const HoldRow hold, HoldRow::Decode(row.value));
    ASSIGN_OR_RETURN(HoldInfo info, Describe(row.key.substr(HoldPrefix().size()), hold));
    holds.rows.push_back(std::move(info));
  }
  return holds;
}

absl::Status Holds::Expire() {
  const int64_t now = parts_.clock.WallNanos();
  absl::Status damage;
  RETURN_IF_ERROR(expiries_.Visit(parts_.index, now, kExpiryPageRows,
                                  [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
                                    const CountedChanges::Change change(changes_, rows.size());
                                    bool all_gone = true;
                                    RETURN_IF_ERROR(
                                        parts_.index.Run([&](Transaction& txn) -> absl::Status {
                                          all_gone = true;
                                          for (const KeyValue& row : rows) {
                                            const absl::Status expired = ExpireOne(txn, row, now);
                                            // One damaged row holds up no other.
                                            if (!expired.ok() && !absl::IsDataLoss(expired))
                                              return expired;
                                            damage.Update(expired);
                                            all_gone = all_gone && expired.ok();
                                          }
                                          return absl::OkStatus();
                                        }));
                                    return all_gone;
                                  }));
  return damage;
}

absl::Status Holds::ExpireOne(Transaction& txn, const KeyValue& row, int64_t now) {
  EdgeKind kind = EdgeKind::kHold;
  int64_t expires = 0;
  std::string name;
  if (!ParseClaimExpiryKey(row.key, &kind, &expires, &name)) {
    return absl::DataLossError("an expiry row of the index is damaged");
  }
  const std::string key = HoldKey(name);
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   txn.GetForUpdate(key, Guard::kExclusive));
  if (!value.has_value()) return txn.Delete(row.key);
  ASSIGN_OR_RETURN(HoldRow hold, HoldRow::Decode(*value));
  RETURN_IF_ERROR(txn.Delete(row.key));
  // One that was set anew has another row.
  if (hold.expires_nanos != expires) return absl::OkStatus();
  if (expires <= now) return Remove(txn, name, hold, now);
  // Set while the clock was ahead: its time begins now.
  hold.expires_nanos = now + std::clamp<int64_t>(expires - hold.created_nanos, 0, kMaxHoldNanos);
  RETURN_IF_ERROR(txn.Put(key, hold.Encode()));
  return txn.Put(ClaimExpiryKey(EdgeKind::kHold, hold.expires_nanos, name), "");
}

}  // namespace varve
