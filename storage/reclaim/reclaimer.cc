#include "storage/reclaim/reclaimer.h"

#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/reclaim/work_pace.h"

namespace varve {
namespace {

// The files of a page are unlinked together; many at once hold up the syncs of others.
constexpr size_t kPageRows = 32;
// Clocks are slewed by milliseconds; a difference of a minute is a jump.
constexpr int64_t kClockJumpNanos = 60 * kNanosPerSecond;

}  // namespace

Reclaimer::Reclaimer(Parts parts)
    : parts_(parts),
      last_wall_nanos_(parts.clock.WallNanos()),
      last_monotonic_nanos_(parts.clock.MonotonicNanos()) {}

void Reclaimer::NoticeClockJump() {
  MutexLock lock(clock_mutex_);
  const int64_t wall = parts_.clock.WallNanos();
  const int64_t monotonic = parts_.clock.MonotonicNanos();
  const int64_t jump = (wall - last_wall_nanos_) - (monotonic - last_monotonic_nanos_);
  if (jump > kClockJumpNanos) parts_.promises.HoldEverything();
  last_wall_nanos_ = wall;
  last_monotonic_nanos_ = monotonic;
}

absl::StatusOr<ReclaimReport> Reclaimer::Run() {
  NoticeClockJump();
  MutexLock lock(mutex_);
  ReclaimReport report;
  absl::Status first_error;
  const std::string end = CondemnedKey(parts_.clock.WallNanos() + 1, Digest());
  std::string begin = CondemnedPrefix();
  WorkPace pace(parts_.promises);
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows, parts_.index.Scan({begin, end}, kPageRows));
    for (const KeyValue& row : rows) {
      const absl::Status examined = Examine(row.key, &report);
      // Without room for its record no removal succeeds; one bad row is no reason to keep the rest.
      if (absl::IsResourceExhausted(examined)) return examined;
      first_error.Update(examined);
      begin = row.key + '\0';
      pace.Rest();
    }
    // One sync for a page of removals, and then their files: the space comes back as it goes.
    ASSIGN_OR_RETURN(const uint64_t freed, parts_.removals.UnlinkAdded());
    report.freed_bytes += freed;
    if (rows.size() < kPageRows) break;
  }
  parts_.blobs.DiscardLeftovers();
  RETURN_IF_ERROR(parts_.removals.Finish());
  RETURN_IF_ERROR(first_error);
  return report;
}

absl::Status Reclaimer::Examine(std::string_view condemned_key, ReclaimReport* report) {
  int64_t not_before = 0;
  Digest digest;
  if (!ParseCondemnedKey(condemned_key, &not_before, &digest)) {
    return absl::DataLossError("a condemned row of the index is damaged");
  }
  const std::optional<int64_t> wait = parts_.promises.BeginReclaim(digest);
  if (wait.has_value()) {
    ++report->deferred;
    return Postpone(condemned_key, digest, *wait);
  }
  const absl::Status status = RemoveUnlessKept(condemned_key, digest, report);
  parts_.promises.EndReclaim(digest);
  return status;
}

absl::Status Reclaimer::Postpone(std::string_view condemned_key, const Digest& digest,
                                 int64_t wait_nanos) {
  const std::string later = CondemnedKey(parts_.clock.WallNanos() + wait_nanos, digest);
  return parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        RETURN_IF_ERROR(txn.Delete(condemned_key));
        return txn.Put(later, "");
      },
      Durability::kBuffered);
}

absl::Status Reclaimer::BetweenPasses(const std::function<absl::Status()>& look) {
  MutexLock lock(mutex_);
  return look();
}

absl::StatusOr<std::optional<BlobRow>> Reclaimer::LooksUnkept(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> blob, parts_.index.Get(BlobKey(digest)));
  if (!blob.has_value()) return std::optional<BlobRow>();
  ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                   parts_.index.Scan(PrefixRange(EdgePrefix(digest)), 1));
  if (!edges.empty()) return std::optional<BlobRow>();
  ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*blob));
  return std::optional<BlobRow>(row);
}

absl::Status Reclaimer::RemoveUnlessKept(std::string_view condemned_key, const Digest& digest,
                                         ReclaimReport* report) {
  // Most rows belong to blobs that were named meanwhile.
  ASSIGN_OR_RETURN(const std::optional<BlobRow> unkept, LooksUnkept(digest));
  const bool looks_kept = !unkept.has_value();
  const CountedChanges::Change change(parts_.blobs.changes(), looks_kept ? 0 : 1,
                                      looks_kept ? 0 : unkept->size_bytes);
  std::optional<BlobRow> removed;
  FileId file = 0;
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        ASSIGN_OR_RETURN(const std::optional<std::string> due,
                         txn.GetForUpdate(condemned_key, Guard::kExclusive));
        // Only this thread takes such rows away, so a run before this one, of unknown outcome, was
        // committed: what it removed is still to be unlinked.
        if (!due.has_value()) return absl::OkStatus();
        removed.reset();
        file = 0;
        ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         txn.GetForUpdate(BlobKey(digest), Guard::kExclusive));
        // Adders of edges guard the blob's row shared, so none can appear before the commit.
        ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                         txn.Scan(PrefixRange(EdgePrefix(digest)), 1));
        if (!value.has_value() || !edges.empty()) return txn.Delete(condemned_key);
        if (looks_kept) return absl::OkStatus();  // the last edge went just now: the next pass
        RETURN_IF_ERROR(txn.Delete(condemned_key));
        ASSIGN_OR_RETURN(removed, BlobRow::Decode(*value));
        ASSIGN_OR_RETURN(file, parts_.blobs.Remove(txn, digest, *removed));
        return absl::OkStatus();
      },
      // Lost in a power cut, it is done again: the condemned row is back, too.
      Durability::kBuffered));
  if (!removed.has_value()) return absl::OkStatus();
  ++report->blobs;
  parts_.space.Release(removed->size_bytes);
  if (file != 0) parts_.removals.Add(file);
  return absl::OkStatus();
}

}  // namespace varve
