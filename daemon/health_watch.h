// Watches over the health of a store: logs when it changes, tells the gRPC door, whose health
// service it is, and ends the daemon, for its supervisor to start it anew, when only that helps.
// A full disk is none of those cases. Owned by main.
#ifndef VARVE_DAEMON_HEALTH_WATCH_H_
#define VARVE_DAEMON_HEALTH_WATCH_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/periodic_thread.h"
#include "storage/api/system.h"

namespace varve {

// How long a store whose disk failed goes on to serve reads: long enough to be seen by who polls
// health every half minute, and for running pulls of usual layers to end.
inline constexpr std::chrono::seconds kDeadStoreGrace{60};

class HealthWatch {
 public:
  // All outlive this object. `set_serving` is told when the answer of the health service changes;
  // `give_up` is called once, when the daemon has to end. With a zero `interval` nobody looks but
  // who calls Look.
  HealthWatch(System& system, std::chrono::nanoseconds interval,
              std::function<void(bool serving)> set_serving, std::function<void()> give_up);

  // One look, at `monotonic_nanos`. One thread at a time.
  void Look(int64_t monotonic_nanos);

  // Whether the daemon ends because of the store.
  bool gave_up() const { return gave_up_; }

 private:
  System& system_;
  const std::function<void(bool serving)> set_serving_;
  const std::function<void()> give_up_;
  StoreHealth last_ = StoreHealth::kReady;
  int64_t bad_since_nanos_ = 0;
  std::atomic<bool> gave_up_ = false;
  std::unique_ptr<PeriodicThread> thread_;  // last: it uses all of the above
};

// Whether a store in this health takes part in serving: full is not dead.
inline bool IsServing(StoreHealth health) {
  return health == StoreHealth::kReady || health == StoreHealth::kFull;
}

}  // namespace varve

#endif  // VARVE_DAEMON_HEALTH_WATCH_H_
