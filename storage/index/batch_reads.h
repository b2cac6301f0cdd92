// Batch reads of any number of keys or ranges, kMaxBatchReads at a time.
#ifndef VARVE_STORAGE_INDEX_BATCH_READS_H_
#define VARVE_STORAGE_INDEX_BATCH_READS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/index/index.h"

namespace varve {

// As Index::GetMany; each batch is read as the state is then.
absl::StatusOr<OptionalValues> GetAll(Index& index, absl::Span<const std::string> keys);
// As Transaction::GetMany.
absl::StatusOr<OptionalValues> GetAll(Transaction& txn, absl::Span<const std::string> keys);
// As Index::FirstOfEach, likewise.
absl::StatusOr<FirstRows> FirstOfAll(Index& index, absl::Span<const KeyRange> ranges);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_BATCH_READS_H_
