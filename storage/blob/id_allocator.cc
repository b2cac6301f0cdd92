#include "storage/blob/id_allocator.h"

#include <limits>
#include <optional>
#include <string>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kNextId[] = "next_id";

}  // namespace

absl::StatusOr<uint64_t> IdAllocator::Next() {
  MutexLock lock(mutex_);
  if (next_ == reserved_end_) RETURN_IF_ERROR(ReserveBlock());
  CheckInvariant(next_ != 0 && next_ < reserved_end_, "an id is reserved before it is given out");
  return next_++;
}

absl::StatusOr<uint64_t> IdAllocator::UpperBound() {
  MutexLock lock(mutex_);
  if (reserved_end_ == 0) RETURN_IF_ERROR(ReserveBlock());
  return next_;
}

absl::StatusOr<uint64_t> IdAllocator::Reserved() {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, index_.Get(MetaKey(kNextId)));
  if (!value.has_value()) return uint64_t{1};
  return DecodeNumber(*value);
}

absl::Status IdAllocator::RaiseTo(uint64_t id) {
  MutexLock lock(mutex_);
  next_ = reserved_end_ = 0;  // what was reserved lies below, perhaps
  const std::string key = MetaKey(kNextId);
  return index_.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    if (value.has_value()) {
      ASSIGN_OR_RETURN(const uint64_t next, DecodeNumber(*value));
      if (next >= id) return absl::OkStatus();
    }
    return txn.Put(key, EncodeNumber(id));
  });
}

absl::Status IdAllocator::ReserveBlock() {
  const std::string key = MetaKey(kNextId);
  const uint64_t given_out = next_;
  uint64_t begin = 0;
  RETURN_IF_ERROR(index_.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(key, Guard::kExclusive));
    begin = 1;
    if (value.has_value()) {
      ASSIGN_OR_RETURN(begin, DecodeNumber(*value));
    }
    if (begin == 0 || begin < given_out ||
        begin > std::numeric_limits<uint64_t>::max() - kIdBlock) {
      return absl::DataLossError(
          "the row of the next id in the index is damaged; restore the index from a copy");
    }
    return txn.Put(key, EncodeNumber(begin + kIdBlock));
  }));
  next_ = begin;
  reserved_end_ = begin + kIdBlock;
  return absl::OkStatus();
}

}  // namespace varve
