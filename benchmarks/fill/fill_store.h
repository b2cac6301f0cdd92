// Makes a store as large as wanted without pushing it: the rows that the engine would have written
// go to the index in large unsynced transactions, and loose blobs become sparse files of their true
// size, which hold zeros and take no disk. What results opens, lists and serves like any other
// store; only the bytes of its loose blobs are not those of their digests.
#ifndef VARVE_BENCHMARKS_FILL_FILL_STORE_H_
#define VARVE_BENCHMARKS_FILL_FILL_STORE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmarks/fill/store_plan.h"

namespace varve {

struct FilledStore {
  uint64_t blobs = 0;
  uint64_t blob_bytes = 0;  // logical, of all of them
  uint64_t loose_blobs = 0;
  uint64_t repositories = 0;
  uint64_t images = 0;  // manifests, and tags
};

// Makes a store with `plan` in `directory`, which must be empty or absent. Leaves it as the
// reclaimer would: nothing is queued for it. Nothing is synced: an OK is no promise for a power
// cut.
absl::StatusOr<FilledStore> FillStore(const std::string& directory, const StorePlan& plan);

// Adds links whose time has passed, of blobs that are gone, to a store that nobody has open.
absl::Status AddExpiredLinks(const std::string& directory, uint64_t links);
// How many links wait for their time in a store that nobody has open.
absl::StatusOr<uint64_t> CountExpiringLinks(const std::string& directory);

}  // namespace varve

#endif  // VARVE_BENCHMARKS_FILL_FILL_STORE_H_
