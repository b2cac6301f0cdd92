#include "tests/support/flaky_index.h"

#include <random>
#include <utility>

#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "tests/support/forwarding_index.h"

namespace varve {
namespace {

// Numbers in [0, 1). Thread-safe.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  double Roll() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return static_cast<double>(engine_() >> 11) / static_cast<double>(1ull << 53);
  }

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ ABSL_GUARDED_BY(mutex_);
};

class FlakyTransaction final : public ForwardingTransaction {
 public:
  FlakyTransaction(std::unique_ptr<Transaction> base, const FlakyOptions& options, Dice* dice)
      : ForwardingTransaction(std::move(base)), options_(options), dice_(dice) {}

  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    if (dice_->Roll() < options_.guard_conflict_rate) {
      conflicted_ = true;
      return absl::AbortedError("flaky index: the guard met a conflict");
    }
    return base().GetForUpdate(key, guard);
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    if (dice_->Roll() < options_.guard_conflict_rate) {
      conflicted_ = true;
      return absl::AbortedError("flaky index: a guard of the batch met a conflict");
    }
    return base().GetManyForUpdate(keys, guard);
  }

  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    if (conflicted_) return CommitOutcome::kConflict;
    double roll = dice_->Roll();
    if (roll < options_.commit_conflict_rate) return CommitOutcome::kConflict;
    roll -= options_.commit_conflict_rate;
    if (roll < options_.commit_unknown_lost_rate) return CommitOutcome::kUnknown;
    roll -= options_.commit_unknown_lost_rate;
    ASSIGN_OR_RETURN(const CommitOutcome outcome, base().Commit(durability));
    if (outcome == CommitOutcome::kDone && roll < options_.commit_unknown_applied_rate) {
      return CommitOutcome::kUnknown;
    }
    return outcome;
  }

  bool conflicted() const override { return conflicted_ || ForwardingTransaction::conflicted(); }

 private:
  const FlakyOptions& options_;
  Dice* const dice_;
  bool conflicted_ = false;
};

class FlakyIndex final : public ForwardingIndex {
 public:
  FlakyIndex(std::unique_ptr<Index> base, const FlakyOptions& options)
      : ForwardingIndex(*base), base_(std::move(base)), options_(options), dice_(options.seed) {}

  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<FlakyTransaction>(base_->Begin(), options_, &dice_);
  }
  bool may_lose_outcomes() const override { return true; }

 private:
  const std::unique_ptr<Index> base_;
  const FlakyOptions options_;
  Dice dice_;
};

}  // namespace

std::unique_ptr<Index> NewFlakyIndex(std::unique_ptr<Index> base, const FlakyOptions& options) {
  return std::make_unique<FlakyIndex>(std::move(base), options);
}

}  // namespace varve
