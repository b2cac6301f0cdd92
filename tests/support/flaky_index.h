// An index that answers with what a shared engine may answer at any time: conflicts, and commits of
// which nobody knows whether they happened. Logic that passes on it repeats its transactions
// correctly and is idempotent. Thread-safe; one seed gives one sequence of answers.
#ifndef VARVE_TESTS_SUPPORT_FLAKY_INDEX_H_
#define VARVE_TESTS_SUPPORT_FLAKY_INDEX_H_

#include <cstdint>
#include <memory>

#include "storage/index/index.h"

namespace varve {

// Each rate is a probability, 0 to 1; the three of Commit exclude each other, so their sum must
// not pass 1. Index::Run gives up after some 50 tries: keep the sum under one half.
struct FlakyOptions {
  uint64_t seed = 1;
  double commit_conflict_rate = 0.1;         // kConflict, nothing written
  double commit_unknown_applied_rate = 0.1;  // kUnknown, everything written
  double commit_unknown_lost_rate = 0.1;     // kUnknown, nothing written
  double guard_conflict_rate = 0.02;         // GetForUpdate meets a conflict
};

std::unique_ptr<Index> NewFlakyIndex(std::unique_ptr<Index> base, const FlakyOptions& options);

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_FLAKY_INDEX_H_
