// Prunes by schedule ([prune] in the configuration), and logs what that gave. Owned by main.
#ifndef VARVE_DAEMON_SCHEDULED_PRUNE_H_
#define VARVE_DAEMON_SCHEDULED_PRUNE_H_

#include <chrono>
#include <utility>

#include "daemon/periodic_thread.h"
#include "storage/api/pruning.h"

namespace varve {

class ScheduledPrune {
 public:
  // The first prune is after `every`. `images` must outlive this object, whose end ends a running
  // prune after the images it is at.
  ScheduledPrune(Images& images, std::chrono::nanoseconds every, PruneRequest request)
      : images_(images), request_(std::move(request)), thread_(every, [this] { Prune(); }) {}

 private:
  void Prune();

  Images& images_;
  const PruneRequest request_;
  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace varve

#endif  // VARVE_DAEMON_SCHEDULED_PRUNE_H_
