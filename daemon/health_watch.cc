#include "daemon/health_watch.h"

#include <utility>

#include "daemon/log.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

void LogHealth(StoreHealth health) {
  switch (health) {
    case StoreHealth::kReady:
      Log(LogLevel::kInfo, "health", {{"store", "ready"}});
      return;
    case StoreHealth::kFull:
      Log(LogLevel::kWarning, "health",
          {{"store", "full"}, {"reason", "the disk is full; prune images or add space"}});
      return;
    case StoreHealth::kDead:
      Log(LogLevel::kError, "health",
          {{"store", "dead"},
           {"reason", "the disk failed; nothing is written any more, and the daemon ends soon"}});
      return;
    case StoreHealth::kLost:
      Log(LogLevel::kError, "health",
          {{"store", "lost"}, {"reason", "the index could not be opened again on a full disk"}});
      return;
  }
}

}  // namespace

HealthWatch::HealthWatch(System& system, std::chrono::nanoseconds interval,
                         std::function<void(bool serving)> set_serving,
                         std::function<void()> give_up)
    : system_(system), set_serving_(std::move(set_serving)), give_up_(std::move(give_up)) {
  if (interval.count() == 0) return;
  thread_ =
      std::make_unique<PeriodicThread>(interval, [this] { Look(SystemClock().MonotonicNanos()); });
}

void HealthWatch::Look(int64_t monotonic_nanos) {
  const StoreHealth health = system_.Health();
  if (health != last_) LogHealth(health);
  const bool serves = IsServing(health);
  if (serves != IsServing(last_)) {
    set_serving_(serves);
    bad_since_nanos_ = monotonic_nanos;
  }
  last_ = health;
  if (serves || gave_up_) return;
  const int64_t bad_nanos = monotonic_nanos - bad_since_nanos_;
  const int64_t grace_nanos = std::chrono::nanoseconds(kDeadStoreGrace).count();
  if (health == StoreHealth::kLost || bad_nanos >= grace_nanos) {
    gave_up_ = true;
    give_up_();
  }
}

}  // namespace varve
