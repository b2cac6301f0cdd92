#include "storage/jobs/prune_jobs.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_format.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

// How often a caller that waits is asked whether it still does.
constexpr std::chrono::seconds kStillThere{1};

absl::Status NoSuchJob(std::string_view id) {
  return absl::NotFoundError(StrCat("no prune ", id, " is running or waiting"));
}

PruneRequest KeyOf(const PruneRequest& request) {
  PruneRequest key = request;
  std::sort(key.filters.begin(), key.filters.end());
  return key;
}

bool SameRequest(const PruneRequest& a, const PruneRequest& b) {
  return a.filters == b.filters && a.all == b.all && a.dry_run == b.dry_run && a.now == b.now;
}

PruneStep JobStep(PruneStep::Kind kind, const std::string& id) {
  PruneStep step;
  step.kind = kind;
  step.job = id;
  return step;
}

}  // namespace

std::shared_ptr<PruneJobs::Job> PruneJobs::Find(std::string_view id) const {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& job) { return job->info.id == id; });
  return found == waiting_.end() ? nullptr : *found;
}

absl::StatusOr<PruneReport> PruneJobs::Run(const PruneRequest& request,
                                           const PruneObserver& observer) {
  const PruneRequest key = KeyOf(request);
  std::shared_ptr<Job> job;
  bool attaches = true;
  {
    MutexLock lock(mutex_);
    for (const auto& other : waiting_) {
      if (!other->stopping && SameRequest(other->key, key)) job = other;
    }
    if (job == nullptr) {
      if (waiting_.size() >= kMaxPruneJobs) {
        return absl::ResourceExhaustedError(
            StrCat(kMaxPruneJobs, " prunes are running or waiting; try again later"));
      }
      attaches = false;
      job = std::make_shared<Job>();
      job->info.id = absl::StrFormat("%016x", random_.Next());
      job->info.request = request;
      job->info.queued_nanos = clock_.WallNanos();
      job->key = key;
      waiting_.push_back(job);
    }
    ++job->callers;
  }
  return attaches ? Follow(*job, observer) : RunJob(*job, observer);
}

absl::StatusOr<PruneReport> PruneJobs::Attach(std::string_view id, const PruneObserver& observer) {
  std::shared_ptr<Job> job;
  {
    MutexLock lock(mutex_);
    job = Find(id);
    if (job == nullptr) return NoSuchJob(id);
    ++job->callers;
  }
  return Follow(*job, observer);
}

bool PruneJobs::WaitForTurn(Job& job, const PruneObserver& observer, bool* listening) {
  for (;;) {
    {
      MutexLock lock(mutex_);
      CheckInvariant(!waiting_.empty(), "a prune that waits for its turn is in the queue");
      const bool first = waiting_.front().get() == &job;
      if (job.stopping) return false;
      if (first) {
        CheckInvariant(job.info.state == PruneJob::State::kQueued, "a prune begins once");
        job.info.state = PruneJob::State::kRunning;
        job.info.started_nanos = clock_.WallNanos();
        return true;
      }
      changed_.WaitFor(mutex_, kStillThere);
    }
    if (!*listening || observer == nullptr) continue;
    *listening = observer(JobStep(PruneStep::Kind::kQueued, job.info.id));
    if (*listening) continue;
    MutexLock lock(mutex_);
    Leave(job);
  }
}

void PruneJobs::Leave(Job& job) {
  CheckInvariant(job.callers > 0, "a caller leaves a prune once");
  --job.callers;
  job.stopping = job.stopping || job.callers == 0;
}

bool PruneJobs::GoesOn(Job& job) {
  job.cut_short = job.cut_short || job.stopping;
  return !job.stopping;
}

absl::StatusOr<PruneReport> PruneJobs::RunJob(Job& job, const PruneObserver& observer) {
  bool listening = true;
  const auto tell = [&](const PruneStep& step) {
    if (listening && observer != nullptr && !observer(step)) {
      listening = false;
      MutexLock lock(mutex_);
      Leave(job);
    }
  };
  tell(JobStep(PruneStep::Kind::kStarted, job.info.id));
  if (!WaitForTurn(job, observer, &listening)) {
    End(job, absl::CancelledError("the prune was cancelled before it began"));
    MutexLock lock(mutex_);
    return job.outcome;
  }
  const absl::StatusOr<PruneReport> report = runner_(job.info.request, [&](const PruneStep& step) {
    {
      MutexLock lock(mutex_);
      Note(job, step);
    }
    tell(step);
    MutexLock lock(mutex_);
    return GoesOn(job);
  });
  End(job, report);
  MutexLock lock(mutex_);
  // Who left knows that it was cut short, and is told what it did.
  const bool left = !listening && job.cut_short;
  if (!job.outcome.ok() && !(left && absl::IsCancelled(job.outcome))) return job.outcome;
  return job.info.report;
}

void PruneJobs::Note(Job& job, const PruneStep& step) {
  if (step.kind == PruneStep::Kind::kQueued) return;  // nothing new
  if (job.log.size() == kMaxPruneSteps) {
    job.log.pop_front();
    ++job.dropped;
  }
  CheckInvariant(job.log.size() < kMaxPruneSteps, "a prune keeps a bounded number of steps");
  job.log.push_back(step);
  PruneReport& report = job.info.report;
  if (step.kind == PruneStep::Kind::kRemoved) {
    ++report.images;
    report.untagged += step.untagged.size();
  }
  if (step.kind == PruneStep::Kind::kDeferred) ++report.deferred;
  if (step.kind == PruneStep::Kind::kSkipped) ++report.skipped;
  changed_.NotifyAll();
}

void PruneJobs::End(Job& job, const absl::StatusOr<PruneReport>& report) {
  MutexLock lock(mutex_);
  CheckInvariant(job.info.ended_nanos == 0, "a prune ends once");
  job.info.ended_nanos = clock_.WallNanos();
  if (report.ok()) job.info.report = *report;
  job.outcome = report.status();
  if (job.cut_short && report.ok()) {
    job.outcome =
        absl::CancelledError(StrCat("the prune was cancelled after ", report->images, " images"));
  }
  job.info.state =
      absl::IsCancelled(job.outcome) ? PruneJob::State::kCancelled : PruneJob::State::kDone;
  job.info.error = IsPrivate(job.outcome) ? "the store failed; the daemon's log has the reason"
                                          : std::string(ToStd(job.outcome.message()));
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& one) { return one.get() == &job; });
  CheckInvariant(place != waiting_.end(), "a prune is in the queue until it ends");
  waiting_.erase(place);
  done_.push_back(job.info);
  if (done_.size() > kMaxPruneJobs) done_.pop_front();
  changed_.NotifyAll();
}

absl::StatusOr<PruneReport> PruneJobs::Follow(Job& job, const PruneObserver& observer) {
  const auto tell = [&](const PruneStep& step) { return observer == nullptr || observer(step); };
  bool listening = tell(JobStep(PruneStep::Kind::kStarted, job.info.id));
  for (uint64_t next = 0; listening;) {
    PruneStep step;
    {
      MutexLock lock(mutex_);
      next = std::max(next, job.dropped);
      const bool news = next < job.dropped + job.log.size();
      if (!news && job.info.ended_nanos != 0) {
        CheckInvariant(job.callers > 0, "who hears the end of a prune has not left it");
        --job.callers;
        if (!job.outcome.ok()) return job.outcome;
        return job.info.report;
      }
      if (news) {
        step = job.log[next++ - job.dropped];
      } else {
        changed_.WaitFor(mutex_, kStillThere);
        step = JobStep(PruneStep::Kind::kQueued, job.info.id);
      }
    }
    listening = tell(step);
  }
  MutexLock lock(mutex_);
  Leave(job);
  return job.info.report;
}

absl::Status PruneJobs::Cancel(std::string_view id) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Job> job = Find(id);
  if (job == nullptr) return NoSuchJob(id);
  job->stopping = true;
  changed_.NotifyAll();
  return absl::OkStatus();
}

std::vector<PruneJob> PruneJobs::List() const {
  MutexLock lock(mutex_);
  std::vector<PruneJob> jobs;
  for (const auto& job : waiting_) {
    jobs.push_back(job->info);
    jobs.back().callers = job->callers;
  }
  jobs.insert(jobs.end(), done_.rbegin(), done_.rend());
  return jobs;
}

}  // namespace varve
