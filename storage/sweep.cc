// A pass of the reclaimer: gives back what is due, ends what has expired, saves what waits.
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/status.h"
#include "storage/engine_parts.h"
#include "storage/limits.h"

namespace varve {

absl::StatusOr<ReclaimReport> EngineParts::Reclaim() {
  ReclaimReport report;
  RETURN_IF_ERROR(reserve.Run([&] { return Sweep(&report); }));
  reserve.Take();
  return report;
}

absl::Status EngineParts::ExpireClaims() {
  absl::Status first_error = holds.Expire();
  first_error.Update(leases.Expire());
  return first_error;
}

absl::Status EngineParts::Sweep(ReclaimReport* report) {
  // Each step runs whatever became of the others: what one of them cannot deal with holds up
  // nobody.
  absl::Status first_error = catalog.edge_removals.FinishAll();
  absl::StatusOr<ReclaimReport> reclaimed = reclaimer.Run();
  first_error.Update(reclaimed.status());
  if (reclaimed.ok()) *report = *std::move(reclaimed);
  // These go by the wall clock: after a jump of it, which the reclaimer notices, they wait too.
  if (!promises.KeepsEverything()) {
    uploads.Expire();
    first_error.Update(catalog.links.Expire());
    first_error.Update(ExpireClaims());
    first_error.Update(orphans.Expire());
  }
  first_error.Update(catalog.empty_repositories.RemoveSome());
  uploads.CheckpointIdle();
  first_error.Update(pull_times.Flush(*index));
  first_error.Update(SaveLowWater());
  TakeProblems(report);
  if (!absl::IsDataLoss(first_error)) return first_error;
  // One damaged row: the pass went round it.
  report->problems.push_back(std::string(first_error.message()));
  return absl::OkStatus();
}

void EngineParts::TakeProblems(ReclaimReport* report) {
  report->kept_aside += removals.kept_aside();
  const auto take = [&](std::vector<std::string> from) {
    for (std::string& problem : from) {
      if (report->problems.size() < kMaxReclaimProblems) {
        report->problems.push_back(std::move(problem));
      }
    }
  };
  take(removals.TakeProblems());
  take(uploads.TakeProblems());
  MutexLock held(problems_mutex);
  take(std::exchange(problems, {}));
}

}  // namespace varve
