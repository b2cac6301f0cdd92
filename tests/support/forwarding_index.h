// An index and a transaction that pass every call on to another one. Tests that change one thing of
// an index begin from them, and name only the calls that they change.
#ifndef VARVE_TESTS_SUPPORT_FORWARDING_INDEX_H_
#define VARVE_TESTS_SUPPORT_FORWARDING_INDEX_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/index/index.h"

namespace varve {

class ForwardingTransaction : public Transaction {
 public:
  explicit ForwardingTransaction(std::unique_ptr<Transaction> base) : base_(std::move(base)) {}

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
    return base_->Put(key, value);
  }
  absl::Status Delete(std::string_view key) override { return base_->Delete(key); }
  absl::Status Add(std::string_view key, int64_t delta) override { return base_->Add(key, delta); }
  bool has_writes() const override { return base_->has_writes(); }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    return base_->Commit(durability);
  }
  bool conflicted() const override { return base_->conflicted(); }

 protected:
  Transaction& base() { return *base_; }

 private:
  const std::unique_ptr<Transaction> base_;
};

class ForwardingIndex : public Index {
 public:
  // `base` must outlive this object.
  explicit ForwardingIndex(Index& base) : base_(base) {}

  std::unique_ptr<Transaction> Begin() override { return base_.Begin(); }
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

 protected:
  Index& base() { return base_; }

 private:
  Index& base_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_FORWARDING_INDEX_H_
