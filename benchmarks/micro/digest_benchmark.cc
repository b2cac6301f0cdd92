// Hashing by size, and digests between text and bytes.
#include <benchmark/benchmark.h>

#include <string>

#include "storage/image/digest.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

void BM_Hash(benchmark::State& state, DigestAlgorithm algorithm) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'v');
  for (auto _ : state) benchmark::DoNotOptimize(HashBytes(algorithm, bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(BM_Hash, sha256, DigestAlgorithm::kSha256)
    ->RangeMultiplier(16)
    ->Range(64, 1 << 20);
BENCHMARK_CAPTURE(BM_Hash, sha512, DigestAlgorithm::kSha512)
    ->RangeMultiplier(16)
    ->Range(64, 1 << 20);

void BM_HasherSaveAndRestore(benchmark::State& state) {
  Hasher hasher(DigestAlgorithm::kSha256);
  hasher.Update(std::string(1000, 'v'));
  for (auto _ : state) {
    const std::string saved = hasher.SaveState();
    benchmark::DoNotOptimize(Hasher::Restore(saved).ok());
  }
}
BENCHMARK(BM_HasherSaveAndRestore);

void BM_DigestParse(benchmark::State& state) {
  const std::string text = HashBytes(DigestAlgorithm::kSha256, "varve").ToString();
  for (auto _ : state) benchmark::DoNotOptimize(Digest::Parse(text).ok());
}
BENCHMARK(BM_DigestParse);

void BM_DigestFormat(benchmark::State& state) {
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, "varve");
  for (auto _ : state) benchmark::DoNotOptimize(digest.ToString());
}
BENCHMARK(BM_DigestFormat);

}  // namespace
}  // namespace varve
