// Keeps a store tidy in the background: gives back, at a fixed pause, what nothing refers to any
// more, and logs what that freed. Owned by main.
#ifndef VARVE_DAEMON_MAINTENANCE_H_
#define VARVE_DAEMON_MAINTENANCE_H_

#include <chrono>

#include "daemon/periodic_thread.h"
#include "storage/api/store.h"

namespace varve {

class Maintenance {
 public:
  // `store` must outlive this object, whose end waits for a running round to end.
  Maintenance(Store& store, std::chrono::nanoseconds interval)
      : store_(store), thread_(interval, [this] { Reclaim(); }) {}

 private:
  void Reclaim();

  Store& store_;
  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace varve

#endif  // VARVE_DAEMON_MAINTENANCE_H_
