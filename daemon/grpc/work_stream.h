// A streaming call that is one long piece of work: it runs on one of the door's workers, tells what
// it does, and waits when the client is a few hundred messages behind. Thread-safe; a stream lives
// until its call is over.
#ifndef VARVE_DAEMON_GRPC_WORK_STREAM_H_
#define VARVE_DAEMON_GRPC_WORK_STREAM_H_

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "daemon/grpc/call.h"
#include "storage/base/mutex.h"

namespace varve {

template <typename Response>
class WorkStream : public grpc::ServerWriteReactor<Response>, public WatchedStream {
 public:
  // `running` counts the streams of its kind, which are at most `max_running` at a time: each holds
  // a worker as long as its client takes to read, and they must not take all of them.
  WorkStream(GrpcDoor& door, grpc::CallbackServerContext& context, const CallKind& kind,
             std::atomic<int>& running)
      : door_(door), context_(context), record_(BeginCall(kind, context)), running_(running) {}

  template <typename Stream>
  static Stream* Start(const std::shared_ptr<Stream>& stream, int max_running) {
    WorkStream* const started = stream.get();
    started->self_ = stream;
    started->door_.watch.Add(started);
    // The call may be over while the worker is still letting go of the lock: it shares the stream.
    const bool room = started->running_.fetch_add(1) < max_running;
    if (!room || !started->door_.workers.TrySubmit([stream] { stream->Run(); })) {
      started->running_.fetch_sub(1);
      MutexLock lock(started->mutex_);
      started->End(absl::ResourceExhaustedError("other calls are running; try again"));
    }
    return stream.get();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    sending_ = false;
    queue_.pop_front();
    if (!ok) Drop();
    changed_.NotifyAll();
    SendNext();
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    cancelled_ = true;
    changed_.NotifyAll();
  }

  void OnDone() override {
    door_.watch.Remove(this);
    self_ = nullptr;
  }

  void EndIfStalled(std::chrono::steady_clock::time_point now) override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    if (ClientStalled(now)) context_.TryCancel();
  }

 protected:
  // On a worker. When it is OK, `last` is the last message.
  virtual absl::Status Work(Response* last) = 0;

  // Waits for room. False when nobody takes messages any more.
  bool Send(Response message) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    while (queue_.size() >= kMaxQueued && !cancelled_) changed_.Wait(mutex_);
    if (cancelled_) return false;
    queue_.push_back(std::move(message));
    SendNext();
    return true;
  }

  bool cancelled() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return cancelled_;
  }

  // Ends the call once what was sent is there; the work goes on.
  void Detach() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    detached_ = true;
    SendNext();
  }
  bool detached() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return detached_;
  }

  GrpcDoor& door() { return door_; }

 private:
  // Messages that wait for the client before the work does: 256 x ~500 B = 128 kB.
  static constexpr size_t kMaxQueued = 256;

  bool ClientStalled(std::chrono::steady_clock::time_point now) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return sending_ && now - sending_since_ >= door_.stall_timeout;
  }

  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    Response last;
    const absl::Status outcome = Work(&last);
    running_.fetch_sub(1);
    MutexLock lock(mutex_);
    if (outcome.ok() && !detached_) queue_.push_back(std::move(last));
    worked_ = true;
    outcome_ = outcome;
    SendNext();
  }

  // One message is with gRPC at a time; after the last one the call ends.
  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (sending_ || ended_) return;
    if (cancelled_) Drop();
    if (queue_.empty()) {
      if (worked_ || detached_)
        End(cancelled_ ? absl::CancelledError("the client went away") : outcome_);
      return;
    }
    sending_ = true;
    sending_since_ = std::chrono::steady_clock::now();
    this->StartWrite(&queue_.front());
  }

  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    cancelled_ = true;
    queue_.clear();
  }

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ended_ = true;
    this->Finish(EndCall(record_, status, {}, 0));
  }

  std::shared_ptr<WorkStream> self_;  // until the call is over
  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  std::atomic<int>& running_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<Response> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being sent
  bool sending_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point sending_since_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool worked_ ABSL_GUARDED_BY(mutex_) = false;
  bool detached_ ABSL_GUARDED_BY(mutex_) = false;  // the work goes on without the call
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_WORK_STREAM_H_
