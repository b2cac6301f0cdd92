// The two ways in which one rule looks at rows: in passing, without guards, or inside a
// transaction, where what it guards stays as it was read until it has decided. One code for both,
// so that what was found in passing is found again, or not, by the same rule. Owned by one look;
// one thread.
#ifndef VARVE_STORAGE_INDEX_ROW_READS_H_
#define VARVE_STORAGE_INDEX_ROW_READS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/index/index.h"

namespace varve {

class RowReads {
 public:
  explicit RowReads(Index& index) : index_(&index) {}
  explicit RowReads(Transaction& txn) : txn_(&txn) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) {
    return txn_ == nullptr ? index_->Get(key) : txn_->Get(key);
  }
  // As Get, and in a transaction nobody changes the row until it ends.
  absl::StatusOr<std::optional<std::string>> Guarded(std::string_view key) {
    return txn_ == nullptr ? index_->Get(key) : txn_->GetForUpdate(key, Guard::kShared);
  }
  // In a transaction nobody changes the row until it ends; in passing this reads nothing.
  absl::Status Protect(std::string_view key) {
    return txn_ == nullptr ? absl::OkStatus() : txn_->GetForUpdate(key, Guard::kShared).status();
  }
  absl::StatusOr<bool> Has(std::string_view key) {
    const absl::StatusOr<std::optional<std::string>> value = Get(key);
    return value.ok() ? absl::StatusOr<bool>(value->has_value()) : value.status();
  }
  absl::StatusOr<bool> HasGuarded(std::string_view key) {
    const absl::StatusOr<std::optional<std::string>> value = Guarded(key);
    return value.ok() ? absl::StatusOr<bool>(value->has_value()) : value.status();
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) {
    return txn_ == nullptr ? index_->Scan(range, limit) : txn_->Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) {
    return txn_ == nullptr ? index_->FirstOfEach(ranges) : txn_->FirstOfEach(ranges);
  }

 private:
  Index* index_ = nullptr;
  Transaction* txn_ = nullptr;
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROW_READS_H_
