// Bytes on their way from one thread to another: a pipe in memory. One thread pushes, one takes;
// either may give up. Thread-safe.
#ifndef VARVE_CLIENT_ARCHIVE_BYTE_QUEUE_H_
#define VARVE_CLIENT_ARCHIVE_BYTE_QUEUE_H_

#include <deque>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/base/mutex.h"

namespace varve {

class ByteQueue {
 public:
  // Copies the bytes; waits while some MiB are waiting. False when the taker gave up.
  bool Push(std::string_view bytes);
  // There are no more bytes; `status` is why, when the rest could not be had.
  void End(const absl::Status& status);

  // The next bytes, which stay until the next call; none after the end, or the error of it.
  absl::StatusOr<std::string_view> Take();
  // Nothing more is wanted: Push no longer waits, and Take gives Cancelled.
  void Abandon();

 private:
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);

  std::string taken_;  // of the thread that takes
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_BYTE_QUEUE_H_
