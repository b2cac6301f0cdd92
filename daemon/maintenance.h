// Keeps a store tidy in the background: gives back, at a fixed pause, what nothing refers to any
// more, and logs what that freed. Owned by main.
#ifndef VARVE_DAEMON_MAINTENANCE_H_
#define VARVE_DAEMON_MAINTENANCE_H_

#include <chrono>

#include "daemon/periodic_thread.h"
#include "storage/api/system.h"

namespace varve {

class Maintenance {
 public:
  // `system` must outlive this object, whose end waits for a running round to end.
  Maintenance(System& system, std::chrono::nanoseconds interval)
      : system_(system), thread_(interval, [this] { Reclaim(); }) {}

 private:
  void Reclaim();

  System& system_;
  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace varve

#endif  // VARVE_DAEMON_MAINTENANCE_H_
