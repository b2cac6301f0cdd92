// The limits of one index transaction, counted the same way by every engine, so that no code grows
// habits that only one engine forgives. Owned by its Transaction; not thread-safe.
#ifndef VARVE_STORAGE_INDEX_TRANSACTION_LIMITS_H_
#define VARVE_STORAGE_INDEX_TRANSACTION_LIMITS_H_

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace varve {

// InvalidArgument when `key` is longer than kMaxIndexKeyBytes.
absl::Status CheckIndexKey(std::string_view key);
// InvalidArgument when a batch read has more than kMaxBatchReads keys or ranges.
absl::Status CheckBatchSize(size_t reads);

class TransactionLimits {
 public:
  // Counts one Put, Delete or Add; `value` is empty for a Delete and 8 bytes for an Add.
  // InvalidArgument when a limit of storage/limits.h is passed: the caller must not keep the write,
  // and the transaction can no longer commit.
  absl::Status CountWrite(std::string_view key, std::string_view value);

  // What the first write over a limit was told, else OK. Commit must return it when it is an error.
  const absl::Status& status() const { return status_; }
  size_t operations() const { return operations_; }

 private:
  absl::Status status_;
  size_t operations_ = 0;
  size_t bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_TRANSACTION_LIMITS_H_
