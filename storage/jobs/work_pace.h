// Keeps background work from slowing down those who wait for an answer: while clients push, it
// rests after each piece as long as the piece took, so that at least half of the time the disk and
// the processors are theirs. Nobody pushes, nothing rests. Belongs to one piece of work; one
// thread.
#ifndef VARVE_STORAGE_JOBS_WORK_PACE_H_
#define VARVE_STORAGE_JOBS_WORK_PACE_H_

#include <chrono>

#include "storage/promises/promises.h"

namespace varve {

class WorkPace {
 public:
  explicit WorkPace(const Promises& promises) : promises_(promises) {}

  // Between two pieces of work, where nothing is held that a client may wait for.
  void Rest();

 private:
  using SteadyClock = std::chrono::steady_clock;

  const Promises& promises_;  // know when a client pushed last
  SteadyClock::time_point begin_ = SteadyClock::now();
};

}  // namespace varve

#endif  // VARVE_STORAGE_JOBS_WORK_PACE_H_
