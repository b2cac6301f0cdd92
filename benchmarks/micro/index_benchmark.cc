// The index over RocksDB: commits of writers that share the guard of one base layer, as manifests
// of many repositories do (an edge each), point reads and short scans.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/rocksdb_index.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

constexpr int64_t kBlobs = 100'000;
constexpr int64_t kEdgesOfBase = 1000;
constexpr int64_t kRowsPerFill = 500;

Digest DigestOf(int64_t number) {
  return HashBytes(DigestAlgorithm::kSha256, std::to_string(number));
}

// One index for all benchmarks, with kBlobs blob rows and kEdgesOfBase edges of the base layer.
class SharedIndex {
 public:
  static Index& Get() {
    static SharedIndex shared;
    return *shared.index_;
  }

 private:
  SharedIndex() {
    std::string pattern = "varve-micro-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    auto opened = OpenRocksdbIndex(directory_ + "/index", RocksdbIndexOptions());
    if (!opened.ok()) std::abort();
    index_ = *std::move(opened);
    BlobRow row;
    row.tier = BlobRow::Tier::kLoose;
    row.size_bytes = 1;
    row.file = 1;
    const std::string value = row.Encode();
    for (int64_t begin = 0; begin < kBlobs; begin += kRowsPerFill) {
      Fill([&](Transaction& txn, int64_t i) { return txn.Put(BlobKey(DigestOf(i)), value); },
           begin);
    }
    for (int64_t begin = 0; begin < kEdgesOfBase; begin += kRowsPerFill) {
      Fill(
          [&](Transaction& txn, int64_t i) {
            return txn.Put(ReferenceEdgeKey(DigestOf(0), EdgeKind::kReference, 1, DigestOf(i)), "");
          },
          begin);
    }
  }
  ~SharedIndex() {
    index_.reset();
    std::filesystem::remove_all(directory_);
  }

  template <typename Put>
  void Fill(const Put& put, int64_t begin) {
    const absl::Status filled = index_->Run(
        [&](Transaction& txn) -> absl::Status {
          for (int64_t i = begin; i < begin + kRowsPerFill; ++i) {
            const absl::Status status = put(txn, i);
            if (!status.ok()) return status;
          }
          return absl::OkStatus();
        },
        Durability::kBuffered);
    if (!filled.ok()) std::abort();
  }

  std::string directory_;
  std::unique_ptr<Index> index_;
};

// What a manifest put does to a base layer that everybody uses: a shared guard of its row, and an
// edge. `durability` says whether each commit waits for the disk.
void BM_CommitSharingBaseLayer(benchmark::State& state, Durability durability) {
  Index& index = SharedIndex::Get();
  const std::string base = BlobKey(DigestOf(0));
  const RepositoryId repository = 1000 + static_cast<RepositoryId>(state.thread_index());
  int64_t number = 0;
  while (state.KeepRunning()) {
    const Digest manifest = DigestOf(++number);
    const absl::Status status = index.Run(
        [&](Transaction& txn) -> absl::Status {
          const auto row = txn.GetForUpdate(base, Guard::kShared);
          if (!row.ok()) return row.status();
          return txn.Put(ReferenceEdgeKey(DigestOf(0), EdgeKind::kReference, repository, manifest),
                         "");
        },
        durability);
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(BM_CommitSharingBaseLayer, synced, Durability::kSynced)
    ->Threads(1)
    ->Threads(4)
    ->Threads(16)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_CommitSharingBaseLayer, buffered, Durability::kBuffered)
    ->Threads(1)
    ->Threads(4)
    ->Threads(16)
    ->UseRealTime();

void BM_Get(benchmark::State& state, int64_t first) {
  Index& index = SharedIndex::Get();
  std::vector<std::string> keys;
  for (int64_t i = 0; i < 10'000; ++i) keys.push_back(BlobKey(DigestOf(first + i * 7)));
  size_t next = 0;
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(index.Get(keys[next]).ok());
    if (++next == keys.size()) next = 0;
  }
}
BENCHMARK_CAPTURE(BM_Get, present, 0);
BENCHMARK_CAPTURE(BM_Get, absent, kBlobs);

// Of so many keys, every second of which is absent: what a FindMissing asks for.
std::vector<std::string> MixedKeys(int64_t count) {
  std::vector<std::string> keys;
  for (int64_t i = 0; i < count; ++i) {
    keys.push_back(BlobKey(DigestOf(i * 37 + (i % 2 == 0 ? 0 : kBlobs))));
  }
  return keys;
}

void BM_GetEach(benchmark::State& state) {
  Index& index = SharedIndex::Get();
  const std::vector<std::string> keys = MixedKeys(state.range(0));
  while (state.KeepRunning()) {
    for (const std::string& key : keys) benchmark::DoNotOptimize(index.Get(key).ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_GetEach)->Arg(10)->Arg(900);

void BM_GetMany(benchmark::State& state) {
  Index& index = SharedIndex::Get();
  const std::vector<std::string> keys = MixedKeys(state.range(0));
  while (state.KeepRunning()) benchmark::DoNotOptimize(index.GetMany(keys).ok());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_GetMany)->Arg(10)->Arg(900);

// The guards of a manifest with so many references, one by one and together.
void BM_GuardEach(benchmark::State& state) {
  Index& index = SharedIndex::Get();
  const std::vector<std::string> keys = MixedKeys(state.range(0));
  while (state.KeepRunning()) {
    const std::unique_ptr<Transaction> txn = index.Begin();
    for (const std::string& key : keys) {
      benchmark::DoNotOptimize(txn->GetForUpdate(key, Guard::kShared).ok());
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_GuardEach)->Arg(10)->Arg(900);

void BM_GuardMany(benchmark::State& state) {
  Index& index = SharedIndex::Get();
  const std::vector<std::string> keys = MixedKeys(state.range(0));
  while (state.KeepRunning()) {
    const std::unique_ptr<Transaction> txn = index.Begin();
    benchmark::DoNotOptimize(txn->GetManyForUpdate(keys, Guard::kShared).ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_GuardMany)->Arg(10)->Arg(900);

void BM_Scan(benchmark::State& state) {
  Index& index = SharedIndex::Get();
  const KeyRange range = PrefixRange(EdgePrefix(DigestOf(0), EdgeKind::kReference, 1));
  const size_t limit = static_cast<size_t>(state.range(0));
  while (state.KeepRunning()) {
    const auto rows = index.Scan(range, limit);
    if (!rows.ok() || rows->size() != limit) state.SkipWithError("the scan is short");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Scan)->Arg(1)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace varve
