// What happened to images, newest last, for those who watch: a bounded ring in memory. Thread-safe.
//
// A position in the log is a token: it names the run of the daemon and the last event seen. A
// watcher that comes back with its token misses nothing, or is told that it did (OutOfRange): after
// a restart, and when more than kMaxEvents happened meanwhile.
#ifndef VARVE_STORAGE_API_EVENT_LOG_H_
#define VARVE_STORAGE_API_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "storage/api/event.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace varve {

class EventLog {
 public:
  // `run` tells this run of the daemon from every other.
  EventLog(Clock& clock, uint64_t run) : clock_(clock), run_(run) {}

  // Sequence and time are set here. Never blocks on a watcher. Only what has been committed.
  void Add(Event event) ABSL_LOCKS_EXCLUDED(mutex_);

  // The token of the newest event: what comes later is new.
  std::string Latest() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The token before the oldest event kept.
  std::string Oldest() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string TokenOf(const Event& event) const;

  // Up to `limit` events after `token`, oldest first; "" is the oldest event kept. InvalidArgument
  // for what is no token; OutOfRange when events after it are not kept any more.
  absl::StatusOr<std::vector<Event>> After(std::string_view token, size_t limit) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `wake` after each Add, from the thread of that Add, until Unsubscribe returns. `wake`
  // must not block, nor call the log: it runs while the log is locked.
  using WatcherId = uint64_t;
  WatcherId Subscribe(std::function<void()> wake) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unsubscribe(WatcherId watcher) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Clock& clock_;
  const uint64_t run_;
  mutable Mutex mutex_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  WatcherId last_watcher_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<WatcherId, std::function<void()>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_EVENT_LOG_H_
