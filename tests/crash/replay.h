// Replays a scenario up to a power cut, starts again, and compares with the model. The checker of
// the crash suite: the same one judges the engine and its mutants.
#ifndef VARVE_TESTS_CRASH_REPLAY_H_
#define VARVE_TESTS_CRASH_REPLAY_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/crash/crashing_store.h"
#include "tests/crash/scenario.h"

namespace varve {

// Everything that a failing case needs to be replayed.
struct Cut {
  uint64_t calls = 0;  // mutating calls that are done before the power goes
  Survival survival = Survival::kOnlySynced;
  uint64_t seed = 0;  // of what survives, and of further cuts
  Tear tear = Tear::kNone;
  // Cuts the power once more while the store recovers, or soon after it has.
  bool again = false;
};

std::string Describe(const Scenario& scenario, const Cut& cut);

// Mutating calls that the scenario makes from an empty disk to its end. RocksDB's threads make it
// vary by a few.
uint64_t CallsOf(const Scenario& scenario);

// What is wrong after that cut, each a sentence; empty when nothing is. Checks, in this order: the
// store opens; it shows what was acknowledged and nothing else; it takes an image; that survives a
// power cut; and after everything was deleted and reclaimed no file, no row and no count is left.
std::vector<std::string> Replay(const Scenario& scenario, const Cut& cut,
                                const Sabotage& sabotage = {});

struct Sampling {
  std::vector<Survival> modes = {Survival::kOnlySynced, Survival::kEverything, Survival::kRandom};
  size_t cuts = 20;  // of each mode, spread over the scenario
  uint64_t seed = 1;
};

// The cuts that a run tries: a sample of all cut points with the seed's offset, or with
// VARVE_LONG=1 in the environment every one of them.
std::vector<Cut> CutsOf(const Scenario& scenario, const Sampling& sampling);
bool LongRun();

}  // namespace varve

#endif  // VARVE_TESTS_CRASH_REPLAY_H_
