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

// Passes the reads of `Interface`, an Index or a Transaction, on to another one.
template <typename Interface>
class ForwardingReads : public Interface {
 public:
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
  explicit ForwardingReads(Interface& base) : base_(base) {}
  Interface& base() { return base_; }
  const Interface& base() const { return base_; }

 private:
  Interface& base_;
};

class ForwardingTransaction : public ForwardingReads<Transaction> {
 public:
  explicit ForwardingTransaction(std::unique_ptr<Transaction> base)
      : ForwardingReads(*base), owned_(std::move(base)) {}

  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    return base().GetForUpdate(key, guard);
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    return base().GetManyForUpdate(keys, guard);
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    return base().Put(key, value);
  }
  absl::Status Delete(std::string_view key) override { return base().Delete(key); }
  absl::Status Add(std::string_view key, int64_t delta) override { return base().Add(key, delta); }
  bool has_writes() const override { return base().has_writes(); }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    return base().Commit(durability);
  }
  bool conflicted() const override { return base().conflicted(); }

 private:
  const std::unique_ptr<Transaction> owned_;
};

class ForwardingIndex : public ForwardingReads<Index> {
 public:
  // `base` must outlive this object.
  explicit ForwardingIndex(Index& base) : ForwardingReads(base) {}

  std::unique_ptr<Transaction> Begin() override { return base().Begin(); }
  bool may_lose_outcomes() const override { return base().may_lose_outcomes(); }
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_FORWARDING_INDEX_H_
