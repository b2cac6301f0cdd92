// Ends streams whose client has stopped taking part: one thread looks at every open stream once an
// interval. A dead peer, a half-open connection or a stalled program so cannot hold an upload, an
// open file or memory for ever. Thread-safe. Owned by the server.
#ifndef VARVE_DAEMON_GRPC_STREAM_WATCH_H_
#define VARVE_DAEMON_GRPC_STREAM_WATCH_H_

#include <chrono>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "storage/base/mutex.h"

namespace varve {

class WatchedStream {
 public:
  // Called from the watch's thread between Add and Remove. Must not block, nor call the watch.
  virtual void EndIfStalled(std::chrono::steady_clock::time_point now) = 0;

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
