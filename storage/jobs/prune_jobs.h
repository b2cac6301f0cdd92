// The prunes of a store: one at a time, the others wait in order. A request that is equal to one
// that runs or waits attaches to it: all its callers are told the same steps and get the same
// report. Owned by the engine; thread-safe.
//
// A job runs on the thread of the caller that brought it, and keeps what it told, up to a bound,
// for those who attach later. A caller whose observer says no leaves; the job ends after the
// images it is at when it was the last one, or when somebody cancels it by its id. From then on it
// is on its way out: no equal request attaches to it, and what it did is no other request's
// success. A job lives in memory: a crash ends it, and leaves nothing half done.
#ifndef VARVE_STORAGE_JOBS_PRUNE_JOBS_H_
#define VARVE_STORAGE_JOBS_PRUNE_JOBS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/pruning.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace varve {

class PruneJobs {
 public:
  // One prune, from the first image to the report.
  using Runner = std::function<absl::StatusOr<PruneReport>(const PruneRequest& request,
                                                           const PruneObserver& observer)>;

  PruneJobs(Clock& clock, RandomSource& random, Runner runner)
      : clock_(clock), random_(random), runner_(std::move(runner)) {}

  // Images::Prune.
  absl::StatusOr<PruneReport> Run(const PruneRequest& request, const PruneObserver& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Images::AttachPrune, CancelPrune and ListPrunes.
  absl::StatusOr<PruneReport> Attach(std::string_view id, const PruneObserver& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Cancel(std::string_view id) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<PruneJob> List() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Job {
    PruneJob info;
    PruneRequest key;           // the request, its filters in order
    std::deque<PruneStep> log;  // of what was told, the newest
    uint64_t dropped = 0;       // steps before those
    int callers = 0;            // that listen
    bool stopping = false;      // nobody wants it any more
    bool cut_short = false;     // and its runner was told so
    absl::Status outcome;       // when it has ended
  };

  std::shared_ptr<Job> Find(std::string_view id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<PruneReport> RunJob(Job& job, const PruneObserver& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<PruneReport> Follow(Job& job, const PruneObserver& observer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Until the job is the first; false when it ended before.
  bool WaitForTurn(Job& job, const PruneObserver& observer, bool* listening)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A caller does not listen any more; when it was the last one, the job stops.
  void Leave(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Notes a step of the runner; false when the job stops.
  bool GoesOn(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(Job& job, const PruneStep& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Job& job, const absl::StatusOr<PruneReport>& report) ABSL_LOCKS_EXCLUDED(mutex_);

  Clock& clock_;
  RandomSource& random_;
  const Runner runner_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::shared_ptr<Job>> waiting_ ABSL_GUARDED_BY(mutex_);  // the first one runs
  std::deque<PruneJob> done_ ABSL_GUARDED_BY(mutex_);                 // the latest
};

}  // namespace varve

#endif  // VARVE_STORAGE_JOBS_PRUNE_JOBS_H_
