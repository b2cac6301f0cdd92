// Where the engine gets the time and its randomness from. Tests pass a FakeClock and a seeded
// source, so that they are deterministic. Both interfaces are thread-safe.
#ifndef VARVE_STORAGE_BASE_CLOCK_H_
#define VARVE_STORAGE_BASE_CLOCK_H_

#include <cstdint>

namespace varve {

inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since the Unix epoch, UTC. May jump, forward and back.
  virtual int64_t WallNanos() = 0;
  // Nanoseconds since an arbitrary point; never goes back and never jumps.
  virtual int64_t MonotonicNanos() = 0;
};

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual uint64_t Next() = 0;
};

// The machine's clock and the kernel's random numbers; never destroyed.
Clock& SystemClock();
RandomSource& SystemRandom();

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_CLOCK_H_
