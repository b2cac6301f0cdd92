#include "tests/support/flaky_index.h"

#include <random>
#include <utility>

#include "storage/base/mutex.h"
#include "storage/base/status.h"

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

class FlakyTransaction : public Transaction {
 public:
  FlakyTransaction(std::unique_ptr<Transaction> base, const FlakyOptions& options, Dice* dice)
      : base_(std::move(base)), options_(options), dice_(dice) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return base_->Get(key);
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    if (dice_->Roll() < options_.guard_conflict_rate) {
      conflicted_ = true;
      return absl::AbortedError("flaky index: the guard met a conflict");
    }
    return base_->GetForUpdate(key, guard);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return base_->GetMany(keys);
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    if (dice_->Roll() < options_.guard_conflict_rate) {
      conflicted_ = true;
      return absl::AbortedError("flaky index: a guard of the batch met a conflict");
    }
    return base_->GetManyForUpdate(keys, guard);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return base_->Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return base_->FirstOfEach(ranges);
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    return base_->Put(key, value);
  }
  absl::Status Delete(std::string_view key) override { return base_->Delete(key); }
  absl::Status Add(std::string_view key, int64_t delta) override { return base_->Add(key, delta); }

  bool has_writes() const override { return base_->has_writes(); }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    if (conflicted_) return CommitOutcome::kConflict;
    double roll = dice_->Roll();
    if (roll < options_.commit_conflict_rate) return CommitOutcome::kConflict;
    roll -= options_.commit_conflict_rate;
    if (roll < options_.commit_unknown_lost_rate) return CommitOutcome::kUnknown;
    roll -= options_.commit_unknown_lost_rate;
    ASSIGN_OR_RETURN(const CommitOutcome outcome, base_->Commit(durability));
    if (outcome == CommitOutcome::kDone && roll < options_.commit_unknown_applied_rate) {
      return CommitOutcome::kUnknown;
    }
    return outcome;
  }

  bool conflicted() const override { return conflicted_ || base_->conflicted(); }

 private:
  const std::unique_ptr<Transaction> base_;
  const FlakyOptions& options_;
  Dice* const dice_;
  bool conflicted_ = false;
};

class FlakyIndex : public Index {
 public:
  FlakyIndex(std::unique_ptr<Index> base, const FlakyOptions& options)
      : base_(std::move(base)), options_(options), dice_(options.seed) {}

  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<FlakyTransaction>(base_->Begin(), options_, &dice_);
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return base_->Get(key);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return base_->GetMany(keys);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return base_->Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return base_->FirstOfEach(ranges);
  }

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
