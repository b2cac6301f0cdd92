// Ends streams whose client has stopped taking part: one thread looks at every open stream once an
// interval. A dead peer, a half-open connection or a stalled program so cannot hold an upload, an
// open file or memory for ever. Thread-safe. Owned by the server.
#ifndef VARVE_DAEMON_GRPC_STREAM_WATCH_H_
#define VARVE_DAEMON_GRPC_STREAM_WATCH_H_

#include <chrono>
#include <optional>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "storage/base/mutex.h"

namespace varve {

class WatchedStream {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // All are called between Add and Remove, and must not block, nor call the watch.
  // Ends the stream if its client has done nothing for too long, and lets go of what can be made
  // again if it has done nothing for a while. From the watch's thread.
  virtual void EndIfStalled(Time now) = 0;
  // Since when it holds memory that its client does not take; nullopt: it holds none, or it works.
  virtual std::optional<Time> HoldsMemorySince() { return std::nullopt; }
  // Ends it to give that memory to others.
  virtual void GiveWay() {}

 protected:
  ~WatchedStream() = default;
};

class StreamWatch {
 public:
  explicit StreamWatch(std::chrono::milliseconds interval);
  ~StreamWatch();  // every stream must have been removed
  StreamWatch(const StreamWatch&) = delete;
  StreamWatch& operator=(const StreamWatch&) = delete;

  void Add(WatchedStream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // After return the stream is not called any more.
  void Remove(WatchedStream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream that has held memory for longest while its client takes nothing, if it has for
  // `at_least`. Looks at all streams.
  void EndLongestWaiting(std::chrono::milliseconds at_least) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::chrono::milliseconds interval_;
  Mutex mutex_;
  ConditionVariable stop_;
  absl::flat_hash_set<WatchedStream*> streams_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_STREAM_WATCH_H_
