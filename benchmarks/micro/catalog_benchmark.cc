// The parts of the catalogue that every push and HEAD goes through: promises and manifests.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "benchmarks/fill/store_plan.h"
#include "storage/base/clock.h"
#include "storage/image/hasher.h"
#include "storage/image/manifest.h"
#include "storage/promises/promises.h"

namespace varve {
namespace {

void BM_PromiseGrant(benchmark::State& state) {
  static Promises promises(SystemClock(), 600 * kNanosPerSecond);
  std::vector<Digest> digests;
  for (int64_t i = 0; i < state.range(0); ++i) {
    digests.push_back(HashBytes(DigestAlgorithm::kSha256, std::to_string(i)));
  }
  size_t next = static_cast<size_t>(state.thread_index()) * 31;
  for (auto _ : state) {
    benchmark::DoNotOptimize(promises.Grant(1, digests[++next % digests.size()]));
  }
}
BENCHMARK(BM_PromiseGrant)->Arg(1000)->Arg(100'000)->Threads(1)->Threads(4)->UseRealTime();

void BM_ParseManifest(benchmark::State& state) {
  const std::string manifest = StorePlan(kMinPlannedBlobs).Describe(0).manifest;
  for (auto _ : state) {
    const auto parsed = ParseManifest(manifest, "");
    if (!parsed.ok()) state.SkipWithError("the manifest does not parse");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(manifest.size()));
}
BENCHMARK(BM_ParseManifest);

}  // namespace
}  // namespace varve
