#include "daemon/maintenance.h"

#include <string>

#include "daemon/log.h"

namespace varve {

Maintenance::Maintenance(Store& store, std::chrono::nanoseconds interval)
    : store_(store), interval_(interval), thread_([this] { Run(); }) {}

Maintenance::~Maintenance() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

void Maintenance::Run() {
  while (Pause()) Reclaim();
}

bool Maintenance::Pause() {
  const auto deadline = std::chrono::steady_clock::now() + interval_;
  const MutexLock lock(mutex_);
  while (!stopping_) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) return true;
    wake_.WaitFor(mutex_, left);
  }
  return false;
}

void Maintenance::Reclaim() {
  const absl::StatusOr<ReclaimReport> report = store_.Reclaim();
  if (!report.ok()) {
    Log(LogLevel::kError, "reclaim failed", {{"error", std::string(report.status().message())}});
    return;
  }
  if (report->blobs == 0 && report->freed_bytes == 0) return;
  Log(LogLevel::kInfo, "reclaimed",
      {{"blobs", std::to_string(report->blobs)},
       {"freed_bytes", std::to_string(report->freed_bytes)},
       {"deferred", std::to_string(report->deferred)}});
}

}  // namespace varve
