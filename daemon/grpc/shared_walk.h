// A walk over the whole store for all who ask: one runs at a time, on one worker, whoever and how
// many wait. Who asks while it runs gets the next one, together with all others who did, so that
// what was done before a call shows in its answer. Thread-safe; shared with the task of a worker,
// which may still be letting go of it when all calls are over.
#ifndef VARVE_DAEMON_GRPC_SHARED_WALK_H_
#define VARVE_DAEMON_GRPC_SHARED_WALK_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "daemon/grpc/call_workers.h"
#include "storage/base/mutex.h"

namespace varve {

template <typename Caller>
class SharedWalk : public std::enable_shared_from_this<SharedWalk<Caller>> {
 public:
  // Walks once and answers all of `callers`.
  using Walk = std::function<void(std::vector<Caller> callers)>;

  SharedWalk(CallWorkers& workers, Walk walk) : workers_(workers), walk_(std::move(walk)) {}

  // ResourceExhausted when too many wait already; then `caller` is untouched.
  absl::Status Join(Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (waiting_.size() >= kMaxWaiting) {
      return absl::ResourceExhaustedError("too many calls wait for this; try again");
    }
    waiting_.push_back(std::move(caller));
    if (!std::exchange(running_, true)) {
      workers_.Submit([self = this->shared_from_this()] { self->Run(); });
    }
    return absl::OkStatus();
  }

 private:
  // Callers of one walk: 4,096 x ~2 kB of a call = 8 MB.
  static constexpr size_t kMaxWaiting = 4096;

  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (;;) {
      std::vector<Caller> callers;
      {
        MutexLock lock(mutex_);
        running_ = !waiting_.empty();
        if (!running_) return;
        callers.swap(waiting_);
      }
      walk_(std::move(callers));
    }
  }

  CallWorkers& workers_;
  const Walk walk_;
  Mutex mutex_;
  std::vector<Caller> waiting_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_SHARED_WALK_H_
