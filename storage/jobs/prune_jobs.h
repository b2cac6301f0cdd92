// The prunes of a store as jobs. Owned by the engine; thread-safe. What ends one leaves nothing
// half done.
#ifndef VARVE_STORAGE_JOBS_PRUNE_JOBS_H_
#define VARVE_STORAGE_JOBS_PRUNE_JOBS_H_

#include <string>

#include "storage/api/pruning.h"
#include "storage/jobs/job_table.h"
#include "storage/limits.h"

namespace varve {

struct PruneKind {
  using Request = PruneRequest;
  using Step = PruneStep;
  using Report = PruneReport;
  using Job = PruneJob;

  static constexpr char kNoun[] = "prune";
  static constexpr size_t kMaxJobs = kMaxPruneJobs;
  static constexpr size_t kMaxSteps = kMaxPruneSteps;

  // With the same filters in any order.
  static bool Same(const PruneRequest& a, const PruneRequest& b);
  static PruneStep Started(const std::string& id);
  static PruneStep Waiting(const std::string& id);
  static bool IsNews(const PruneStep& step) { return step.kind != PruneStep::Kind::kQueued; }
  static void Count(const PruneStep& step, PruneReport* report);
  static std::string Amount(const PruneReport& report);
};

using PruneJobs = JobTable<PruneKind>;

}  // namespace varve

#endif  // VARVE_STORAGE_JOBS_PRUNE_JOBS_H_
