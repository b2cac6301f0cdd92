// An index that makes every interleaving of two requests with it reachable: a second request runs
// just before, or just after, the call of the first with a chosen number, reads and commits alike.
// Owned by the test; the action runs in the thread of that call.
#ifndef VARVE_TESTS_SUPPORT_STEPPED_INDEX_H_
#define VARVE_TESTS_SUPPORT_STEPPED_INDEX_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/index/index.h"

namespace varve {

// Runs `action` once. Calls count while it waits, so those of the action itself do not.
struct Step {
  std::function<void()> action;
  size_t call = 0;     // from now on
  bool after = false;  // the call; else before it

  template <typename Call>
  auto Around(const Call& make) {
    const bool due = action != nullptr && call == 0;
    if (action != nullptr && call > 0) --call;
    if (due && !after) std::exchange(action, nullptr)();
    auto outcome = make();
    if (due && after) std::exchange(action, nullptr)();
    return outcome;
  }
};

class SteppedTransaction final : public Transaction {
 public:
  SteppedTransaction(std::unique_ptr<Transaction> base, Step* step)
      : base_(std::move(base)), step_(step) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return step_->Around([&] { return base_->Get(key); });
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    return step_->Around([&] { return base_->GetForUpdate(key, guard); });
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return step_->Around([&] { return base_->GetMany(keys); });
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    return step_->Around([&] { return base_->GetManyForUpdate(keys, guard); });
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return step_->Around([&] { return base_->Scan(range, limit); });
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return step_->Around([&] { return base_->FirstOfEach(ranges); });
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    return base_->Put(key, value);
  }
  absl::Status Delete(std::string_view key) override { return base_->Delete(key); }
  absl::Status Add(std::string_view key, int64_t delta) override { return base_->Add(key, delta); }
  bool has_writes() const override { return base_->has_writes(); }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    return step_->Around([&] { return base_->Commit(durability); });
  }
  bool conflicted() const override { return base_->conflicted(); }

 private:
  const std::unique_ptr<Transaction> base_;
  Step* const step_;
};

class SteppedIndex final : public Index {
 public:
  SteppedIndex(Index& base, Step* step) : base_(base), step_(step) {}
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<SteppedTransaction>(base_.Begin(), step_);
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return step_->Around([&] { return base_.Get(key); });
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return step_->Around([&] { return base_.GetMany(keys); });
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return step_->Around([&] { return base_.Scan(range, limit); });
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return step_->Around([&] { return base_.FirstOfEach(ranges); });
  }

 private:
  Index& base_;
  Step* const step_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_STEPPED_INDEX_H_
