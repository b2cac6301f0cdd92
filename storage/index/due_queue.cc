#include "storage/index/due_queue.h"

#include <algorithm>
#include <utility>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/status.h"

namespace varve {

std::string DueQueue::KeyAt(int64_t nanos) const {
  std::string key = prefix_;
  AppendU64(&key, static_cast<uint64_t>(nanos));
  return key;
}

absl::Status DueQueue::Visit(Index& index, int64_t now_nanos, size_t page_rows,
                             const Handle& handle) {
  MutexLock lock(mutex_);
  now_nanos = std::max<int64_t>(0, now_nanos);  // times of keys have no sign
  const bool from_front =
      begin_.empty() || now_nanos < last_pass_nanos_ || now_nanos >= front_again_nanos_;
  if (from_front) front_again_nanos_ = now_nanos + kFrontAgainNanos;
  last_pass_nanos_ = now_nanos;
  // Should this pass end early, what it has not met is met by the next.
  const std::string begin = from_front ? prefix_ : begin_;
  begin_ = begin;
  std::string left = KeyAt(std::max<int64_t>(0, now_nanos - kLatestCommitNanos));
  RETURN_IF_ERROR(VisitRange(index, {begin, KeyAt(now_nanos + 1)}, page_rows, handle, &left));
  const KeyRange too_far = {KeyAt(now_nanos + horizon_nanos_ + 1), PrefixRange(prefix_).end};
  RETURN_IF_ERROR(VisitRange(index, too_far, page_rows, handle, &left));
  CheckInvariant(
      left >= begin && left < KeyAt(now_nanos + 1),
      "a pass over a queue begins no earlier than the one before, and not in the future");
  begin_ = left;
  return absl::OkStatus();
}

absl::Status DueQueue::VisitRange(Index& index, KeyRange range, size_t page_rows,
                                  const Handle& handle, std::string* left) {
  return VisitPages(index, std::move(range), page_rows,
                    [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
                      ASSIGN_OR_RETURN(const bool all_gone, handle(rows));
                      if (!all_gone) *left = std::min(*left, rows.front().key);
                      return true;
                    });
}

}  // namespace varve
