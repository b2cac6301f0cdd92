#include "storage/jobs/prune_jobs.h"

#include <algorithm>
#include <vector>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

std::vector<std::string> InOrder(std::vector<std::string> filters) {
  std::sort(filters.begin(), filters.end());
  return filters;
}

PruneStep JobStep(PruneStep::Kind kind, const std::string& id) {
  PruneStep step;
  step.kind = kind;
  step.job = id;
  return step;
}

}  // namespace

bool PruneKind::Same(const PruneRequest& a, const PruneRequest& b) {
  return a.all == b.all && a.dry_run == b.dry_run && a.now == b.now &&
         InOrder(a.filters) == InOrder(b.filters);
}

PruneStep PruneKind::Started(const std::string& id) {
  return JobStep(PruneStep::Kind::kStarted, id);
}

PruneStep PruneKind::Waiting(const std::string& id) {
  return JobStep(PruneStep::Kind::kQueued, id);
}

void PruneKind::Count(const PruneStep& step, PruneReport* report) {
  if (step.kind == PruneStep::Kind::kRemoved) {
    ++report->images;
    report->untagged += step.untagged.size();
  }
  if (step.kind == PruneStep::Kind::kDeferred) ++report->deferred;
  if (step.kind == PruneStep::Kind::kSkipped) ++report->skipped;
}

std::string PruneKind::Amount(const PruneReport& report) {
  return StrCat(report.images, " images");
}

}  // namespace varve
