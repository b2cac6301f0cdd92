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
#include "tests/support/forwarding_index.h"

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

// Steps around the reads of an index, or of a transaction: `Forwarding` passes them on.
template <typename Forwarding>
class SteppedReads : public Forwarding {
 public:
  template <typename Base>
  SteppedReads(Base&& base, Step* step) : Forwarding(std::forward<Base>(base)), step_(step) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return step_->Around([&] { return this->base().Get(key); });
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return step_->Around([&] { return this->base().GetMany(keys); });
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return step_->Around([&] { return this->base().Scan(range, limit); });
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return step_->Around([&] { return this->base().FirstOfEach(ranges); });
  }

 protected:
  Step* step() { return step_; }

 private:
  Step* const step_;
};

class SteppedTransaction final : public SteppedReads<ForwardingTransaction> {
 public:
  SteppedTransaction(std::unique_ptr<Transaction> base, Step* step)
      : SteppedReads(std::move(base), step) {}

  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    return step()->Around([&] { return base().GetForUpdate(key, guard); });
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    return step()->Around([&] { return base().GetManyForUpdate(keys, guard); });
  }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    return step()->Around([&] { return base().Commit(durability); });
  }
};

class SteppedIndex final : public SteppedReads<ForwardingIndex> {
 public:
  // `base`, and what it is made of, must outlive this object.
  SteppedIndex(Index& base, Step* step) : SteppedReads(base, step) {}

  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<SteppedTransaction>(base().Begin(), step());
  }
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_STEPPED_INDEX_H_
