#include "daemon/scheduled_prune.h"

#include <string>

#include "daemon/log.h"

namespace varve {

void ScheduledPrune::Prune() {
  const absl::StatusOr<PruneReport> report =
      store_.Prune(request_, [this](const PruneStep&) { return !thread_.stopping(); });
  if (!report.ok()) {
    Log(LogLevel::kError, "scheduled prune failed",
        {{"error", std::string(report.status().message())}});
    return;
  }
  Log(LogLevel::kInfo, "pruned",
      {{"images", std::to_string(report->images)},
       {"untagged", std::to_string(report->untagged)},
       {"freed_bytes", std::to_string(report->freed_bytes)},
       {"deferred", std::to_string(report->deferred)},
       {"skipped", std::to_string(report->skipped)}});
}

}  // namespace varve
