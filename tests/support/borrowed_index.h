// Lets an index outlive the store that was opened over it. Thread-safe as what it borrows.
#ifndef VARVE_TESTS_SUPPORT_BORROWED_INDEX_H_
#define VARVE_TESTS_SUPPORT_BORROWED_INDEX_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/index/index.h"

namespace varve {

class BorrowedIndex final : public Index {
 public:
  // `index` must outlive this object.
  explicit BorrowedIndex(Index& index) : index_(index) {}
  std::unique_ptr<Transaction> Begin() override { return index_.Begin(); }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return index_.Get(key);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return index_.GetMany(keys);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return index_.Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return index_.FirstOfEach(ranges);
  }

 private:
  Index& index_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_BORROWED_INDEX_H_
