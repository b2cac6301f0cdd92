// An index that counts what a log-structured engine walks over: besides the rows that a scan
// returns, the marks of the rows that were deleted in its range and that no compaction has taken
// away; here none ever does; and how often it is asked. So a test of cost needs no clock. Owned by
// the test; one thread.
#ifndef VARVE_TESTS_SUPPORT_TOMBSTONE_INDEX_H_
#define VARVE_TESTS_SUPPORT_TOMBSTONE_INDEX_H_

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/index/index.h"
#include "tests/support/forwarding_index.h"

namespace varve {

class TombstoneIndex final : public Index {
 public:
  explicit TombstoneIndex(std::unique_ptr<Index> base) : base_(std::move(base)) {}

  // Rows and marks that were read since the start, or since Reset.
  size_t steps() const { return steps_; }
  // Times that a caller waited for an engine behind a network: reads, batches of them, commits.
  size_t round_trips() const { return round_trips_; }
  // The most transactions that were open at once: with one thread, more than one are nested.
  size_t most_open() const { return most_open_; }
  void Reset() { steps_ = round_trips_ = most_open_ = 0; }

  bool may_lose_outcomes() const override { return base_->may_lose_outcomes(); }
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<Counted>(base_->Begin(), *this);
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    CountReads(1);
    return base_->Get(key);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    CountReads(keys.size());
    return base_->GetMany(keys);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return CountScan(range, limit, base_->Scan(range, limit));
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return CountFirst(ranges, base_->FirstOfEach(ranges));
  }

 private:
  class Counted final : public ForwardingTransaction {
   public:
    Counted(std::unique_ptr<Transaction> base, TombstoneIndex& index)
        : ForwardingTransaction(std::move(base)), index_(index) {
      index_.most_open_ = std::max(index_.most_open_, ++index_.open_);
    }
    ~Counted() override { --index_.open_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
      index_.CountReads(1);
      return base().Get(key);
    }
    absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                            Guard guard) override {
      index_.CountReads(1);
      return base().GetForUpdate(key, guard);
    }
    absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
      index_.CountReads(keys.size());
      return base().GetMany(keys);
    }
    absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                    Guard guard) override {
      index_.CountReads(keys.size());
      return base().GetManyForUpdate(keys, guard);
    }
    absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
      return index_.CountScan(range, limit, base().Scan(range, limit));
    }
    absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
      return index_.CountFirst(ranges, base().FirstOfEach(ranges));
    }
    absl::Status Put(std::string_view key, std::string_view value) override {
      written_.emplace_back(key, true);
      return base().Put(key, value);
    }
    absl::Status Delete(std::string_view key) override {
      written_.emplace_back(key, false);
      return base().Delete(key);
    }
    absl::Status Add(std::string_view key, int64_t delta) override {
      written_.emplace_back(key, true);
      return base().Add(key, delta);
    }
    absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
      ++index_.round_trips_;
      absl::StatusOr<CommitOutcome> outcome = base().Commit(durability);
      if (!outcome.ok() || *outcome != CommitOutcome::kDone) return outcome;
      for (const auto& [key, there] : written_) {
        if (there) {
          index_.deleted_.erase(key);
        } else {
          index_.deleted_.insert(key);
        }
      }
      return outcome;
    }

   private:
    TombstoneIndex& index_;
    std::vector<std::pair<std::string, bool>> written_;  // there afterwards
  };

  // One answer with so many reads; a batch of none is not asked.
  void CountReads(size_t reads) {
    steps_ += reads;
    if (reads > 0) ++round_trips_;
  }
  // `last` is the row at which a scan of the range ended; null when it went to the range's end.
  void CountWalk(const KeyRange& range, size_t rows, const std::string* last) {
    const auto begin = deleted_.lower_bound(range.begin);
    const std::string& stop = last != nullptr ? *last : range.end;
    const auto end = stop.empty() ? deleted_.end() : deleted_.lower_bound(stop);
    const bool forward = stop.empty() || stop > range.begin;
    steps_ += 1 + rows + (forward ? static_cast<size_t>(std::distance(begin, end)) : 0);
  }
  absl::StatusOr<std::vector<KeyValue>> CountScan(const KeyRange& range, size_t limit,
                                                  absl::StatusOr<std::vector<KeyValue>> rows) {
    ++round_trips_;
    if (rows.ok()) {
      const bool full = !rows->empty() && rows->size() == limit;
      CountWalk(range, rows->size(), full ? &rows->back().key : nullptr);
    }
    return rows;
  }
  absl::StatusOr<FirstRows> CountFirst(absl::Span<const KeyRange> ranges,
                                       absl::StatusOr<FirstRows> rows) {
    if (!ranges.empty()) ++round_trips_;
    for (size_t i = 0; rows.ok() && i < ranges.size(); ++i) {
      const std::optional<KeyValue>& row = (*rows)[i];
      CountWalk(ranges[i], row.has_value() ? 1 : 0, row.has_value() ? &row->key : nullptr);
    }
    return rows;
  }

  const std::unique_ptr<Index> base_;
  std::set<std::string> deleted_;
  size_t steps_ = 0;
  size_t round_trips_ = 0;
  size_t open_ = 0;
  size_t most_open_ = 0;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_TOMBSTONE_INDEX_H_
