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

namespace varve {

// Runs `action` once, just before the next commit that writes a key that starts with `prefix`.
struct Schedule {
  std::string prefix;
  std::function<void()> action;
};

class ScheduledTransaction final : public Transaction {
 public:
  ScheduledTransaction(std::unique_ptr<Transaction> base, Schedule* schedule)
      : base_(std::move(base)), schedule_(schedule) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return base_->Get(key);
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    return base_->GetForUpdate(key, guard);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return base_->GetMany(keys);
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    return base_->GetManyForUpdate(keys, guard);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return base_->Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return base_->FirstOfEach(ranges);
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    Note(key);
    return base_->Put(key, value);
  }
  absl::Status Delete(std::string_view key) override {
    Note(key);
    return base_->Delete(key);
  }
  absl::Status Add(std::string_view key, int64_t delta) override { return base_->Add(key, delta); }
  bool has_writes() const override { return base_->has_writes(); }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    if (due_ && schedule_->action != nullptr) std::exchange(schedule_->action, nullptr)();
    return base_->Commit(durability);
  }
  bool conflicted() const override { return base_->conflicted(); }

 private:
  void Note(std::string_view key) {
    due_ = due_ || key.substr(0, schedule_->prefix.size()) == schedule_->prefix;
  }

  const std::unique_ptr<Transaction> base_;
  Schedule* const schedule_;
  bool due_ = false;
};

class ScheduledIndex final : public Index {
 public:
  ScheduledIndex(Index& base, Schedule* schedule) : base_(base), schedule_(schedule) {}
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<ScheduledTransaction>(base_.Begin(), schedule_);
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return base_.Get(key);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return base_.GetMany(keys);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return base_.Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return base_.FirstOfEach(ranges);
  }

 private:
  Index& base_;
  Schedule* const schedule_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_SCHEDULED_INDEX_H_
