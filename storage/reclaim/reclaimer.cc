#include "storage/reclaim/reclaimer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/jobs/work_pace.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Rows looked at together: their digests are told apart within a page.
constexpr size_t kPageRows = 256;
// Removed by one transaction, whose files are unlinked together; many at once hold up the syncs of
// others. Each is up to five writes besides its rows, and all are counted by two.
constexpr size_t kRemovalsTogether = 32;
static_assert(kPageRows + 5 * kRemovalsTogether + 2 <= kMaxRunOperations);
static_assert(kPageRows + kRemovalsTogether <= kMaxBatchReads);
// Places of edges that are remembered: 16,384 x ~250 B = 4 MB.
constexpr size_t kMaxSeenEdges = 16'384;
// When to look again at a blob of which something is damaged.
constexpr int64_t kKeptAsideNanos = 3600 * kNanosPerSecond;
// Clocks are slewed by milliseconds; a difference of a minute is a jump.
constexpr int64_t kClockJumpNanos = 60 * kNanosPerSecond;
// Nothing is put off for longer than a day, or than the promise of a blob that was just pushed.
constexpr int64_t kDayNanos = 24 * 3600 * kNanosPerSecond;

int64_t Horizon(const Promises& promises) {
  return std::max(kDayNanos, promises.promise_nanos()) + 3600 * kNanosPerSecond;
}

}  // namespace

// A digest that rows of a page say to look at.
struct Reclaimer::Candidate {
  Digest digest;
  std::vector<std::string> rows;

  bool kept = false;              // or absent
  std::optional<BlobRow> unkept;  // else, once it was looked at
  bool postponed = false;
  std::optional<BlobStore::Removed> removed;
};

struct Reclaimer::Pass {
  explicit Pass(const Promises& promises) : pace(promises) {}

  ReclaimReport report;
  absl::Status first_error;
  WorkPace pace;
  bool looks_ahead = false;  // at rows that are not due

  void Tell(std::string_view problem) {
    ++report.kept_aside;
    if (report.problems.size() < kMaxReclaimProblems) report.problems.emplace_back(problem);
  }

  // The key of an edge that was there when it was last looked for. Only a place to look first.
  absl::flat_hash_map<Digest, std::string> seen_edges;
};

Reclaimer::Reclaimer(Parts parts)
    : parts_(parts),
      queue_(CondemnedPrefix(), Horizon(parts.promises)),
      last_wall_nanos_(parts_.clock.WallNanos()),
      last_monotonic_nanos_(parts_.clock.MonotonicNanos()) {}

void Reclaimer::NoticeClockJump() {
  MutexLock lock(clock_mutex_);
  const int64_t wall = parts_.clock.WallNanos();
  const int64_t monotonic = parts_.clock.MonotonicNanos();
  const int64_t jump = (wall - last_wall_nanos_) - (monotonic - last_monotonic_nanos_);
  if (jump > kClockJumpNanos) parts_.promises.KeepEverything();
  last_wall_nanos_ = wall;
  last_monotonic_nanos_ = monotonic;
}

absl::StatusOr<ReclaimReport> Reclaimer::Run() {
  NoticeClockJump();
  MutexLock lock(mutex_);
  Pass pass(parts_.promises);
  RETURN_IF_ERROR(
      queue_.Visit(parts_.index, parts_.clock.WallNanos(), kPageRows,
                   [&](absl::Span<const KeyValue> rows) { return ExaminePage(rows, pass); }));
  if (look_at_everything_.exchange(false)) RETURN_IF_ERROR(ExaminePutOff(pass));
  parts_.blobs.DiscardLeftovers();
  RETURN_IF_ERROR(parts_.removals.Finish());
  RETURN_IF_ERROR(pass.first_error);
  return pass.report;
}

absl::Status Reclaimer::ExaminePutOff(Pass& pass) {
  pass.looks_ahead = true;
  KeyRange range = PrefixRange(CondemnedPrefix());
  range.begin = CondemnedKey(parts_.clock.WallNanos() + 1, Digest());
  return VisitPages(parts_.index, std::move(range), kPageRows,
                    [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
                      RETURN_IF_ERROR(ExaminePage(rows, pass).status());
                      return true;
                    });
}

absl::StatusOr<bool> Reclaimer::ExaminePage(absl::Span<const KeyValue> rows, Pass& pass) {
  absl::Status error;
  std::vector<Candidate> candidates;
  absl::flat_hash_map<Digest, size_t> places;
  for (const KeyValue& row : rows) {
    int64_t not_before = 0;
    Digest digest;
    if (!ParseCondemnedKey(row.key, &not_before, &digest)) {
      pass.Tell("a condemned row of the index is damaged, and stays");
      continue;
    }
    const auto [place, is_new] = places.try_emplace(digest, candidates.size());
    if (is_new) candidates.emplace_back().digest = digest;
    candidates[place->second].rows.push_back(row.key);
  }
  error.Update(TogetherOrEach(absl::MakeSpan(candidates), pass,
                              [&](absl::Span<Candidate> some) { return DropKept(some, pass); }));
  pass.pace.Rest();
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [](const Candidate& one) { return !one.unkept.has_value(); }),
                   candidates.end());
  for (size_t begin = 0; begin < candidates.size(); begin += kRemovalsTogether) {
    const absl::Status removed =
        TogetherOrEach(absl::MakeSpan(candidates).subspan(begin, kRemovalsTogether), pass,
                       [&](absl::Span<Candidate> some) { return RemoveOrPostpone(some, pass); });
    // Without room for its record no removal succeeds.
    if (absl::IsResourceExhausted(removed)) return removed;
    error.Update(removed);
    // One sync for these removals, and then their files: the space comes back as it goes.
    ASSIGN_OR_RETURN(const uint64_t freed, parts_.removals.UnlinkAdded());
    pass.report.freed_bytes += freed;
    pass.pace.Rest();
  }
  pass.first_error.Update(error);
  return error.ok();
}

// One that cannot be dealt with holds up no other.
absl::Status Reclaimer::TogetherOrEach(
    absl::Span<Candidate> candidates, Pass& pass,
    const std::function<absl::Status(absl::Span<Candidate>)>& handle) {
  const absl::Status together = handle(candidates);
  if (together.ok() || absl::IsResourceExhausted(together)) return together;
  if (candidates.size() == 1) return KeepAside(candidates.front(), together, pass);
  absl::Status first_error;
  for (size_t i = 0; i < candidates.size(); ++i) {
    first_error.Update(TogetherOrEach(candidates.subspan(i, 1), pass, handle));
  }
  return first_error;
}

absl::Status Reclaimer::KeepAside(Candidate& candidate, const absl::Status& why, Pass& pass) {
  if (!absl::IsDataLoss(why)) return why;
  // One that is not due has its time, and must not be met again further on in this pass.
  if (!pass.looks_ahead) RETURN_IF_ERROR(Postpone({{&candidate, kKeptAsideNanos}}));
  pass.Tell(ToStd(why.message()));
  return absl::OkStatus();
}

// The rows are guarded first and the edges looked for after. A deletion that takes the last edge
// writes a row of its own in the same transaction: either it has committed, and its edge is not
// seen here, or it commits later, and then its row, be it of the same nanosecond as one that goes
// here, is written after that one went. So a row goes only when an edge was there after the row,
// and the blob's own row, which every push of the layer guards, need not be guarded.
absl::Status Reclaimer::DropKept(absl::Span<Candidate> candidates, Pass& pass) {
  std::vector<std::string> rows;
  for (const Candidate& candidate : candidates) {
    rows.insert(rows.end(), candidate.rows.begin(), candidate.rows.end());
  }
  return parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        RETURN_IF_ERROR(txn.GetManyForUpdate(rows, Guard::kExclusive).status());
        RETURN_IF_ERROR(LookForEdges(txn, candidates, pass));
        for (const Candidate& candidate : candidates) {
          if (!candidate.kept) continue;
          for (const std::string& row : candidate.rows) RETURN_IF_ERROR(txn.Delete(row));
        }
        return absl::OkStatus();
      },
      Durability::kBuffered);
}

absl::Status Reclaimer::LookForEdges(Transaction& txn, absl::Span<Candidate> candidates,
                                     Pass& pass) {
  std::vector<Candidate*> seen_before;
  std::vector<Candidate*> others;
  std::vector<std::string> keys;
  for (Candidate& candidate : candidates) {
    candidate.kept = false;
    candidate.unkept.reset();
    const auto seen = pass.seen_edges.find(candidate.digest);
    if (seen != pass.seen_edges.end()) keys.push_back(seen->second);
    (seen != pass.seen_edges.end() ? seen_before : others).push_back(&candidate);
  }
  ASSIGN_OR_RETURN(OptionalValues values, txn.GetMany(keys));
  for (size_t i = 0; i < seen_before.size(); ++i) {
    seen_before[i]->kept = values[i].has_value();
    if (!seen_before[i]->kept) others.push_back(seen_before[i]);
  }

  keys.clear();
  std::vector<KeyRange> ranges;
  for (const Candidate* candidate : others) {
    keys.push_back(BlobKey(candidate->digest));
    ranges.push_back(PrefixRange(EdgePrefix(candidate->digest)));
  }
  ASSIGN_OR_RETURN(const FirstRows edges, txn.FirstOfEach(ranges));
  ASSIGN_OR_RETURN(values, txn.GetMany(keys));
  for (size_t i = 0; i < others.size(); ++i) {
    others[i]->kept = edges[i].has_value() || !values[i].has_value();
    if (edges[i].has_value()) {
      if (pass.seen_edges.size() >= kMaxSeenEdges) pass.seen_edges.clear();
      pass.seen_edges.insert_or_assign(others[i]->digest, edges[i]->key);
    } else if (values[i].has_value()) {
      ASSIGN_OR_RETURN(others[i]->unkept, BlobRow::Decode(*values[i]));
    }
  }
  return absl::OkStatus();
}

absl::Status Reclaimer::RemoveOrPostpone(absl::Span<Candidate> candidates, Pass& pass) {
  std::vector<Candidate*> announced;
  std::vector<std::pair<Candidate*, int64_t>> promised;
  for (Candidate& candidate : candidates) {
    if (candidate.postponed) continue;
    const std::optional<int64_t> wait = parts_.promises.BeginReclaim(candidate.digest);
    if (wait.has_value()) {
      promised.emplace_back(&candidate, *wait);
    } else {
      announced.push_back(&candidate);
    }
  }
  const absl::Status removed = Remove(announced, pass);
  for (const Candidate* candidate : announced) parts_.promises.EndReclaim(candidate->digest);
  pass.report.deferred += promised.size();
  // What was put off already would be met again further on, put off anew.
  if (!pass.looks_ahead) RETURN_IF_ERROR(Postpone(promised));
  return removed;
}

absl::Status Reclaimer::Postpone(absl::Span<const std::pair<Candidate*, int64_t>> later) {
  if (later.empty()) return absl::OkStatus();
  const int64_t now = parts_.clock.WallNanos();
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        for (const auto& [candidate, wait_nanos] : later) {
          CheckInvariant(wait_nanos > 0, "what is put off is put off to a later time");
          for (const std::string& row : candidate->rows) RETURN_IF_ERROR(txn.Delete(row));
          RETURN_IF_ERROR(txn.Put(CondemnedKey(now + wait_nanos, candidate->digest), ""));
        }
        return absl::OkStatus();
      },
      Durability::kBuffered));
  for (const auto& [candidate, wait_nanos] : later) candidate->postponed = true;
  return absl::OkStatus();
}

absl::Status Reclaimer::BetweenPasses(const std::function<absl::Status()>& look) {
  MutexLock lock(mutex_);
  return look();
}

absl::Status Reclaimer::Remove(absl::Span<Candidate* const> candidates, Pass& pass) {
  if (candidates.empty()) return absl::OkStatus();
  uint64_t bytes = 0;
  for (const Candidate* candidate : candidates) {
    CheckInvariant(candidate->unkept.has_value(), "a blob is looked at before it is removed");
    bytes += candidate->unkept->size_bytes;
  }
  const CountedChanges::Change change(parts_.blobs.changes(), candidates.size(), bytes);
  RETURN_IF_ERROR(
      parts_.index.Run([&](Transaction& txn) { return RemoveIn(txn, candidates); },
                       // Lost in a power cut, it is done again: the condemned rows are back, too.
                       Durability::kBuffered, Patience::kShort));
  for (const Candidate* candidate : candidates) {
    if (!candidate->removed.has_value()) continue;
    ++pass.report.blobs;
    parts_.space.Release(candidate->removed->bytes);
    parts_.removals.Add(candidate->removed->unlink);
  }
  return absl::OkStatus();
}

absl::Status Reclaimer::RemoveIn(Transaction& txn, absl::Span<Candidate* const> candidates) {
  std::vector<std::string> keys;
  std::vector<KeyRange> ranges;
  for (const Candidate* candidate : candidates) {
    keys.push_back(BlobKey(candidate->digest));
    keys.insert(keys.end(), candidate->rows.begin(), candidate->rows.end());
    ranges.push_back(PrefixRange(EdgePrefix(candidate->digest)));
  }
  ASSIGN_OR_RETURN(const OptionalValues values, txn.GetManyForUpdate(keys, Guard::kExclusive));
  // Adders of edges guard the blob's row shared, so none can appear before the commit.
  ASSIGN_OR_RETURN(const FirstRows edges, txn.FirstOfEach(ranges));
  size_t next = 0;
  int64_t blobs = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = *candidates[i];
    const std::optional<std::string>& blob = values[next++];
    next += candidate.rows.size();
    candidate.removed.reset();
    for (const std::string& row : candidate.rows) RETURN_IF_ERROR(txn.Delete(row));
    if (!blob.has_value() || edges[i].has_value()) continue;
    ASSIGN_OR_RETURN(candidate.unkept, BlobRow::Decode(*blob));
    ASSIGN_OR_RETURN(candidate.removed,
                     parts_.blobs.Remove(txn, candidate.digest, *candidate.unkept));
    ++blobs;
    bytes += static_cast<int64_t>(candidate.unkept->size_bytes);
  }
  CheckInvariant(next == values.size(), "each row of a removal is looked at once");
  return blobs == 0 ? absl::OkStatus() : BlobStore::Count(txn, -blobs, -bytes);
}

}  // namespace varve
