#include "storage/base/clock.h"

#include <sys/random.h>
#include <time.h>

#include <cstdlib>

namespace varve {
namespace {

int64_t ReadClock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

class RealClock final : public Clock {
 public:
  int64_t WallNanos() override { return ReadClock(CLOCK_REALTIME); }
  int64_t MonotonicNanos() override { return ReadClock(CLOCK_MONOTONIC); }
};

class KernelRandom final : public RandomSource {
 public:
  uint64_t Next() override {
    uint64_t value = 0;
    // Never short for 8 bytes once the pool is initialised; without randomness upload ids would be
    // guessable, so there is nothing sensible to go on with.
    if (getrandom(&value, sizeof(value), 0) != static_cast<ssize_t>(sizeof(value))) std::abort();
    return value;
  }
};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

RandomSource& SystemRandom() {
  static KernelRandom source;
  return source;
}

}  // namespace varve
