#include "daemon/maintenance.h"

#include <string>

#include "daemon/log.h"

namespace varve {

void Maintenance::Reclaim() {
  const absl::StatusOr<ReclaimReport> report = system_.Reclaim();
  if (!report.ok()) {
    Log(LogLevel::kError, "reclaim failed", {{"error", std::string(report.status().message())}});
    return;
  }
  for (const std::string& problem : report->problems) {
    Log(LogLevel::kWarning, "kept aside",
        {{"reason", problem}, {"kept_aside", std::to_string(report->kept_aside)}});
  }
  if (report->blobs == 0 && report->freed_bytes == 0) return;
  Log(LogLevel::kInfo, "reclaimed",
      {{"blobs", report->blobs},
       {"freed_bytes", report->freed_bytes},
       {"deferred", report->deferred}});
}

}  // namespace varve
