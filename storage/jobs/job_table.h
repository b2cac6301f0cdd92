// Long pieces of work of one kind: one runs at a time, the others wait in order. A request that is
// equal to one that runs or waits attaches to it: all its callers are told the same steps and get
// the same report. Thread-safe.
//
// A job runs on the thread of the caller that brought it, and keeps what it told, up to a bound,
// for those who attach later. A caller whose observer says no leaves; the job ends after the piece
// that it is at when it was the last one, or when somebody cancels it by its id. From then on it is
// on its way out: no equal request attaches to it, and what it did is no other request's success.
// A job lives in memory: a crash ends it.
//
// `Kind` is a struct that says what the jobs are:
//   Request, Step, Report   what a job takes, tells and gives
//   Job                     what a listing shows, with the fields of PruneJob (api/pruning.h)
//   kNoun                   "prune", for messages
//   kMaxJobs                that run or wait; and so many that have ended are listed
//   kMaxSteps               that a job keeps
//   Same(a, b)              two requests for the same work
//   Started(id)             the step that each caller is told first
//   Waiting(id)             the step for a caller that is asked whether it is still there
//   IsNews(step)            whether a step is kept
//   Count(step, report)     what a step that is kept adds to the report so far
//   Amount(report)          "3 images", for messages
#ifndef VARVE_STORAGE_JOBS_JOB_TABLE_H_
#define VARVE_STORAGE_JOBS_JOB_TABLE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

template <typename Kind>
class JobTable {
 public:
  using Request = typename Kind::Request;
  using Step = typename Kind::Step;
  using Report = typename Kind::Report;
  using Job = typename Kind::Job;
  // False when the caller does not want to hear more.
  using Observer = std::function<bool(const Step& step)>;
  // Does one job, from its first step to the report; ends soon when the observer says no.
  using Runner =
      std::function<absl::StatusOr<Report>(const Request& request, const Observer& observer)>;

  JobTable(Clock& clock, RandomSource& random, Runner runner)
      : clock_(clock), random_(random), runner_(std::move(runner)) {}

  // Does the work, or attaches to a job that does; returns when it has ended or the observer said
  // no. ResourceExhausted when kMaxJobs run or wait; Cancelled when it was cut short.
  absl::StatusOr<Report> Run(const Request& request, const Observer& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // NotFound when no such job runs or waits.
  absl::StatusOr<Report> Attach(std::string_view id, const Observer& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Cancel(std::string_view id) ABSL_LOCKS_EXCLUDED(mutex_);
  // The one that runs, those that wait, and those that ended, the latest first.
  std::vector<Job> List() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Job info;
    std::deque<Step> log;    // of what was told, the newest
    uint64_t dropped = 0;    // steps before those
    int callers = 0;         // that listen
    bool stopping = false;   // nobody wants it any more
    bool cut_short = false;  // and its runner was told so
    absl::Status outcome;    // when it has ended
  };

  // How often a caller that waits is asked whether it still does.
  static constexpr std::chrono::seconds kStillThere{1};

  static absl::Status NoSuchJob(std::string_view id) {
    return absl::NotFoundError(StrCat("no ", Kind::kNoun, " ", id, " is running or waiting"));
  }

  std::shared_ptr<Entry> Find(std::string_view id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An equal request that runs or waits; null: none.
  std::shared_ptr<Entry> FindSame(const Request& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Entry> Enqueue(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Report> RunEntry(Entry& entry, const Observer& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Report> Follow(Entry& entry, const Observer& observer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Until the job is the first; false when it ended before.
  bool WaitForTurn(Entry& entry, const Observer& observer, bool* listening)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A caller does not listen any more; when it was the last one, the job stops.
  void Leave(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CheckInvariant(entry.callers > 0, "a caller leaves a job once");
    --entry.callers;
    entry.stopping = entry.stopping || entry.callers == 0;
  }
  // After a step of the runner; false when the job stops.
  bool GoesOn(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    entry.cut_short = entry.cut_short || entry.stopping;
    return !entry.stopping;
  }
  void Note(Entry& entry, const Step& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Entry& entry, const absl::StatusOr<Report>& report) ABSL_LOCKS_EXCLUDED(mutex_);

  Clock& clock_;
  RandomSource& random_;
  const Runner runner_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::shared_ptr<Entry>> waiting_ ABSL_GUARDED_BY(mutex_);  // the first one runs
  std::deque<Job> done_ ABSL_GUARDED_BY(mutex_);                        // the latest
};

template <typename Kind>
absl::StatusOr<typename Kind::Report> JobTable<Kind>::Run(const Request& request,
                                                          const Observer& observer) {
  std::shared_ptr<Entry> entry;
  bool attaches = false;
  {
    MutexLock lock(mutex_);
    entry = FindSame(request);
    attaches = entry != nullptr;
    if (!attaches && waiting_.size() >= Kind::kMaxJobs) {
      return absl::ResourceExhaustedError(
          StrCat(Kind::kMaxJobs, " ", Kind::kNoun, "s are running or waiting; try again later"));
    }
    if (!attaches) entry = Enqueue(request);
    ++entry->callers;
  }
  return attaches ? Follow(*entry, observer) : RunEntry(*entry, observer);
}

template <typename Kind>
absl::StatusOr<typename Kind::Report> JobTable<Kind>::Attach(std::string_view id,
                                                             const Observer& observer) {
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(mutex_);
    entry = Find(id);
    if (entry == nullptr) return NoSuchJob(id);
    ++entry->callers;
  }
  return Follow(*entry, observer);
}

template <typename Kind>
absl::Status JobTable<Kind>::Cancel(std::string_view id) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Entry> entry = Find(id);
  if (entry == nullptr) return NoSuchJob(id);
  entry->stopping = true;
  changed_.NotifyAll();
  return absl::OkStatus();
}

template <typename Kind>
std::vector<typename Kind::Job> JobTable<Kind>::List() const {
  MutexLock lock(mutex_);
  std::vector<Job> jobs;
  for (const auto& entry : waiting_) {
    jobs.push_back(entry->info);
    jobs.back().callers = entry->callers;
  }
  jobs.insert(jobs.end(), done_.rbegin(), done_.rend());
  return jobs;
}

template <typename Kind>
auto JobTable<Kind>::Find(std::string_view id) const -> std::shared_ptr<Entry> {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& entry) { return entry->info.id == id; });
  return found == waiting_.end() ? nullptr : *found;
}

template <typename Kind>
auto JobTable<Kind>::FindSame(const Request& request) const -> std::shared_ptr<Entry> {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& entry) {
    return !entry->stopping && Kind::Same(entry->info.request, request);
  });
  return found == waiting_.end() ? nullptr : *found;
}

template <typename Kind>
auto JobTable<Kind>::Enqueue(const Request& request) -> std::shared_ptr<Entry> {
  auto entry = std::make_shared<Entry>();
  entry->info.id = absl::StrFormat("%016x", random_.Next());
  entry->info.request = request;
  entry->info.queued_nanos = clock_.WallNanos();
  waiting_.push_back(entry);
  return entry;
}

template <typename Kind>
bool JobTable<Kind>::WaitForTurn(Entry& entry, const Observer& observer, bool* listening) {
  for (;;) {
    {
      MutexLock lock(mutex_);
      CheckInvariant(!waiting_.empty(), "a job that waits for its turn is in the queue");
      const bool first = waiting_.front().get() == &entry;
      if (entry.stopping) return false;
      if (first) {
        CheckInvariant(entry.info.state == Job::State::kQueued, "a job begins once");
        entry.info.state = Job::State::kRunning;
        entry.info.started_nanos = clock_.WallNanos();
        return true;
      }
      changed_.WaitFor(mutex_, kStillThere);
    }
    if (!*listening || observer == nullptr) continue;
    *listening = observer(Kind::Waiting(entry.info.id));
    if (*listening) continue;
    MutexLock lock(mutex_);
    Leave(entry);
  }
}

template <typename Kind>
absl::StatusOr<typename Kind::Report> JobTable<Kind>::RunEntry(Entry& entry,
                                                               const Observer& observer) {
  bool listening = true;
  const auto tell = [&](const Step& step) {
    if (listening && observer != nullptr && !observer(step)) {
      listening = false;
      MutexLock lock(mutex_);
      Leave(entry);
    }
  };
  tell(Kind::Started(entry.info.id));
  if (!WaitForTurn(entry, observer, &listening)) {
    End(entry, absl::CancelledError(StrCat("the ", Kind::kNoun, " was cancelled before it began")));
    MutexLock lock(mutex_);
    return entry.outcome;
  }
  const absl::StatusOr<Report> report = runner_(entry.info.request, [&](const Step& step) {
    {
      MutexLock lock(mutex_);
      Note(entry, step);
    }
    tell(step);
    MutexLock lock(mutex_);
    return GoesOn(entry);
  });
  End(entry, report);
  MutexLock lock(mutex_);
  // Who left knows that it was cut short, and is told what it did.
  const bool left = !listening && entry.cut_short;
  if (!entry.outcome.ok() && !(left && absl::IsCancelled(entry.outcome))) return entry.outcome;
  return entry.info.report;
}

template <typename Kind>
void JobTable<Kind>::Note(Entry& entry, const Step& step) {
  if (!Kind::IsNews(step)) return;
  if (entry.log.size() == Kind::kMaxSteps) {
    entry.log.pop_front();
    ++entry.dropped;
  }
  CheckInvariant(entry.log.size() < Kind::kMaxSteps, "a job keeps a bounded number of steps");
  entry.log.push_back(step);
  Kind::Count(step, &entry.info.report);
  changed_.NotifyAll();
}

template <typename Kind>
void JobTable<Kind>::End(Entry& entry, const absl::StatusOr<Report>& report) {
  MutexLock lock(mutex_);
  CheckInvariant(entry.info.ended_nanos == 0, "a job ends once");
  entry.info.ended_nanos = clock_.WallNanos();
  if (report.ok()) entry.info.report = *report;
  entry.outcome = report.status();
  if (entry.cut_short && report.ok()) {
    entry.outcome = absl::CancelledError(
        StrCat("the ", Kind::kNoun, " was cancelled after ", Kind::Amount(*report)));
  }
  entry.info.state = absl::IsCancelled(entry.outcome) ? Job::State::kCancelled : Job::State::kDone;
  entry.info.error = IsPrivate(entry.outcome) ? "the store failed; the daemon's log has the reason"
                                              : std::string(ToStd(entry.outcome.message()));
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& one) { return one.get() == &entry; });
  CheckInvariant(place != waiting_.end(), "a job is in the queue until it ends");
  waiting_.erase(place);
  done_.push_back(entry.info);
  if (done_.size() > Kind::kMaxJobs) done_.pop_front();
  changed_.NotifyAll();
}

template <typename Kind>
absl::StatusOr<typename Kind::Report> JobTable<Kind>::Follow(Entry& entry,
                                                             const Observer& observer) {
  const auto tell = [&](const Step& step) { return observer == nullptr || observer(step); };
  bool listening = tell(Kind::Started(entry.info.id));
  for (uint64_t next = 0; listening;) {
    Step step;
    {
      MutexLock lock(mutex_);
      next = std::max(next, entry.dropped);
      const bool news = next < entry.dropped + entry.log.size();
      if (!news && entry.info.ended_nanos != 0) {
        CheckInvariant(entry.callers > 0, "who hears the end of a job has not left it");
        --entry.callers;
        if (!entry.outcome.ok()) return entry.outcome;
        return entry.info.report;
      }
      if (news) {
        step = entry.log[next++ - entry.dropped];
      } else {
        changed_.WaitFor(mutex_, kStillThere);
        step = Kind::Waiting(entry.info.id);
      }
    }
    listening = tell(step);
  }
  MutexLock lock(mutex_);
  Leave(entry);
  return entry.info.report;
}

}  // namespace varve

#endif  // VARVE_STORAGE_JOBS_JOB_TABLE_H_
