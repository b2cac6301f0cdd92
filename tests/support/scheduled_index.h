// An index that makes races deterministic: a second request runs at a chosen commit of the first.
// Owned by the test; the action runs in the thread of that commit.
#ifndef VARVE_TESTS_SUPPORT_SCHEDULED_INDEX_H_
#define VARVE_TESTS_SUPPORT_SCHEDULED_INDEX_H_

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

// Runs `action` once, just before the next commit that writes a key that starts with `prefix`.
struct Schedule {
  std::string prefix;
  std::function<void()> action;
};

class ScheduledTransaction final : public ForwardingTransaction {
 public:
  ScheduledTransaction(std::unique_ptr<Transaction> base, Schedule* schedule)
      : ForwardingTransaction(std::move(base)), schedule_(schedule) {}

  absl::Status Put(std::string_view key, std::string_view value) override {
    Note(key);
    return base().Put(key, value);
  }
  absl::Status Delete(std::string_view key) override {
    Note(key);
    return base().Delete(key);
  }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    if (due_ && schedule_->action != nullptr) std::exchange(schedule_->action, nullptr)();
    return base().Commit(durability);
  }

 private:
  void Note(std::string_view key) {
    due_ = due_ || key.substr(0, schedule_->prefix.size()) == schedule_->prefix;
  }

  Schedule* const schedule_;
  bool due_ = false;
};

class ScheduledIndex final : public ForwardingIndex {
 public:
  ScheduledIndex(Index& base, Schedule* schedule) : ForwardingIndex(base), schedule_(schedule) {}
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<ScheduledTransaction>(base().Begin(), schedule_);
  }

 private:
  Schedule* const schedule_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_SCHEDULED_INDEX_H_
