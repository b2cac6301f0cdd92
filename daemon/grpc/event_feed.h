// Wakes the event streams that wait for something new. Adding an event costs one step here, however
// many streams wait: a worker of the door goes over them. Knows nothing of gRPC. Thread-safe. Owned
// by the server.
#ifndef VARVE_DAEMON_GRPC_EVENT_FEED_H_
#define VARVE_DAEMON_GRPC_EVENT_FEED_H_

#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "daemon/grpc/call_workers.h"
#include "storage/api/event_log.h"
#include "storage/base/mutex.h"

namespace varve {

class EventFeed {
 public:
  class Watcher {
   public:
    // Called once for each Wait that said true, from a worker.
    virtual void Resume() = 0;

   protected:
    ~Watcher() = default;
  };

  // Both must outlive the feed.
  EventFeed(EventLog& log, CallWorkers& workers);
  ~EventFeed();  // who waits by then is not resumed any more
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  EventLog& log() { return log_; }

  // To be taken before a look for a reason not to wait.
  uint64_t generation() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The watcher waits from now on, and may be resumed before this returns. False when there was an
  // event, a Wake or a Stop since `generation`: look again.
  bool Wait(Watcher* watcher, uint64_t generation) ABSL_LOCKS_EXCLUDED(mutex_);
  // Resumes the watcher if it waits; otherwise its next Wait says false.
  void Wake(Watcher* watcher) ABSL_LOCKS_EXCLUDED(mutex_);

  // Resumes all who wait, so that they find `stopping`.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnEvent() ABSL_LOCKS_EXCLUDED(mutex_);
  void ResumeAllSoon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ResumeAll() ABSL_LOCKS_EXCLUDED(mutex_);
  void TaskDone() ABSL_LOCKS_EXCLUDED(mutex_);

  EventLog& log_;
  CallWorkers& workers_;
  mutable Mutex mutex_;
  ConditionVariable task_done_;
  absl::flat_hash_set<Watcher*> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  bool resuming_all_ ABSL_GUARDED_BY(mutex_) = false;  // a task for it waits for a worker
  size_t tasks_ ABSL_GUARDED_BY(mutex_) = 0;           // of this feed with the workers
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  EventLog::WatcherId subscription_ = 0;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_EVENT_FEED_H_
