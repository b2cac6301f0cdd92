#include "daemon/scheduled_prune.h"

#include <string>

#include "daemon/log.h"

namespace varve {

void ScheduledPrune::Prune() {
  const absl::StatusOr<PruneReport> report =
      images_.Prune(request_, [this](const PruneStep&) { return !thread_.stopping(); });
  if (!report.ok()) {
    Log(LogLevel::kError, "scheduled prune failed",
        {{"error", std::string(report.status().message())}});
    return;
  }
  Log(LogLevel::kInfo, "pruned",
      {{"images", report->images},
       {"untagged", report->untagged},
       {"freed_bytes", report->freed_bytes},
       {"deferred", report->deferred},
       {"skipped", report->skipped}});
}

}  // namespace varve
