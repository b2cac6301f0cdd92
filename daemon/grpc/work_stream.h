// A streaming call that is one long piece of work: it runs on one of the door's workers, tells what
// it does, and waits when the client is a few hundred messages behind. Thread-safe; a stream lives
// until its call is over.
#ifndef VARVE_DAEMON_GRPC_WORK_STREAM_H_
#define VARVE_DAEMON_GRPC_WORK_STREAM_H_

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "daemon/grpc/call.h"
#include "daemon/grpc/message_stream.h"
#include "storage/base/mutex.h"

namespace varve {

template <typename Response>
class WorkStream : public MessageStream<Response> {
 public:
  // `running` counts the streams of its kind, which are at most `max_running` at a time: each holds
  // a worker as long as its client takes to read, and they must not take all of them.
  WorkStream(GrpcDoor& door, grpc::CallbackServerContext& context, const CallKind& kind,
             std::atomic<int>& running)
      : Base(door, context, kind, Base::WhenCancelled::kEndWhenClosed), running_(running) {}

  template <typename Stream>
  static Stream* Start(const std::shared_ptr<Stream>& stream, int max_running) {
    WorkStream* const started = stream.get();
    started->Begin(stream);
    // The call may be over while the worker is still letting go of the lock: it shares the stream.
    const bool room = started->running_.fetch_add(1) < max_running;
    if (!room || !started->door().workers.TrySubmit([stream] { stream->Run(); })) {
      started->running_.fetch_sub(1);
      MutexLock lock(started->mutex_);
      started->Close(Busy("other calls are running; try again"));
    }
    return stream.get();
  }

 protected:
  // On a worker. When it is OK, `last` is the last message.
  virtual absl::Status Work(Response* last) = 0;

  // Waits for room. False when nobody takes messages any more.
  bool Send(Response message) ABSL_LOCKS_EXCLUDED(Base::mutex_) {
    MutexLock lock(Base::mutex_);
    Base::AwaitRoom(kMaxQueued);
    if (Base::cancelled()) return false;
    Base::Push(std::make_shared<Response>(std::move(message)));
    return true;
  }

  bool cancelled() ABSL_LOCKS_EXCLUDED(Base::mutex_) {
    MutexLock lock(Base::mutex_);
    return Base::cancelled();
  }

  // Ends the call once what was sent is there; the work goes on.
  void Detach() ABSL_LOCKS_EXCLUDED(Base::mutex_) {
    MutexLock lock(Base::mutex_);
    Base::Close(absl::OkStatus());
  }
  bool detached() ABSL_LOCKS_EXCLUDED(Base::mutex_) {
    MutexLock lock(Base::mutex_);
    return Base::closed();
  }

 private:
  using Base = MessageStream<Response>;

  // Messages that wait for the client before the work does: 256 x ~500 B = 128 kB.
  static constexpr size_t kMaxQueued = 256;

  void Run() ABSL_LOCKS_EXCLUDED(Base::mutex_) {
    auto last = std::make_shared<Response>();
    const absl::Status outcome = Work(last.get());
    running_.fetch_sub(1);
    MutexLock lock(Base::mutex_);
    if (outcome.ok() && !Base::closed()) Base::Push(std::move(last));
    Base::Close(outcome);
  }

  std::atomic<int>& running_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_WORK_STREAM_H_
