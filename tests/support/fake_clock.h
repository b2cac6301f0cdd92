// Time and randomness for tests: a clock that moves only when told to, and a repeatable source.
// Owned by the test; both are thread-safe.
#ifndef VARVE_TESTS_SUPPORT_FAKE_CLOCK_H_
#define VARVE_TESTS_SUPPORT_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "storage/base/clock.h"

namespace varve {

class FakeClock final : public Clock {
 public:
  // 2030-01-01T00:00:00Z: later than any real time that a test could mix it up with.
  static constexpr int64_t kDefaultWallNanos = 1'893'456'000 * kNanosPerSecond;

  explicit FakeClock(int64_t wall_nanos = kDefaultWallNanos) : wall_nanos_(wall_nanos) {}

  int64_t WallNanos() override { return wall_nanos_.load(); }
  int64_t MonotonicNanos() override { return monotonic_nanos_.load(); }

  // Time passes: both readings move on by `nanos` (>= 0).
  void Advance(int64_t nanos) {
    monotonic_nanos_.fetch_add(nanos);
    wall_nanos_.fetch_add(nanos);
  }
  // Somebody sets the machine's clock, forward or back: no time passes.
  void JumpWall(int64_t nanos) { wall_nanos_.fetch_add(nanos); }
  void SetWall(int64_t wall_nanos) { wall_nanos_.store(wall_nanos); }

 private:
  std::atomic<int64_t> wall_nanos_;
  // Not zero, so that "never" stored as zero is not mistaken for "just now".
  std::atomic<int64_t> monotonic_nanos_{1000 * kNanosPerSecond};
};

// SplitMix64 (Steele, Lea, Flood 2014): every seed, zero included, gives a full-period sequence.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  uint64_t Next() override {
    uint64_t z = state_.fetch_add(kIncrement) + kIncrement;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, bound); bound > 0. The bias of the remainder is of no matter to tests.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  static constexpr uint64_t kIncrement = 0x9e3779b97f4a7c15u;

  std::atomic<uint64_t> state_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_FAKE_CLOCK_H_
