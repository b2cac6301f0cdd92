#include "storage/index/batch_reads.h"

#include <iterator>
#include <utility>

#include "storage/base/status.h"
#include "storage/limits.h"

namespace varve {
namespace {

// What `read` gives of each batch of `all`, in one list.
template <typename Found, typename Asked, typename Read>
absl::StatusOr<Found> ReadInBatches(absl::Span<const Asked> all, const Read& read) {
  Found found;
  found.reserve(all.size());
  for (size_t begin = 0; begin < all.size(); begin += kMaxBatchReads) {
    ASSIGN_OR_RETURN(Found batch, read(all.subspan(begin, kMaxBatchReads)));
    std::move(batch.begin(), batch.end(), std::back_inserter(found));
  }
  return found;
}

}  // namespace

absl::StatusOr<OptionalValues> GetAll(Index& index, absl::Span<const std::string> keys) {
  return ReadInBatches<OptionalValues>(
      keys, [&](absl::Span<const std::string> batch) { return index.GetMany(batch); });
}

absl::StatusOr<OptionalValues> GetAll(Transaction& txn, absl::Span<const std::string> keys) {
  return ReadInBatches<OptionalValues>(
      keys, [&](absl::Span<const std::string> batch) { return txn.GetMany(batch); });
}

absl::StatusOr<FirstRows> FirstOfAll(Index& index, absl::Span<const KeyRange> ranges) {
  return ReadInBatches<FirstRows>(
      ranges, [&](absl::Span<const KeyRange> batch) { return index.FirstOfEach(batch); });
}

}  // namespace varve
