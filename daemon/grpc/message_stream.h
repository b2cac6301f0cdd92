// The sending half of a streaming call: messages wait in a queue, one at a time is with gRPC, and
// the call ends after the last. Thread-safe; a stream lives until its call is over and nobody else
// shares it. What fills it is in work_stream.h and check_stream.cc.
#ifndef VARVE_DAEMON_GRPC_MESSAGE_STREAM_H_
#define VARVE_DAEMON_GRPC_MESSAGE_STREAM_H_

#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "daemon/grpc/call.h"
#include "storage/base/mutex.h"

namespace varve {

template <typename Response>
class MessageStream : public grpc::ServerWriteReactor<Response>, public WatchedStream {
 public:
  using Message = std::shared_ptr<const Response>;

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
    SendNext();
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
  // What becomes of the call when its client goes away.
  enum class WhenCancelled {
    kEnd,            // it is over at once
    kEndWhenClosed,  // it is over when nothing more is to be done for it
  };

  MessageStream(GrpcDoor& door, grpc::CallbackServerContext& context, const CallKind& kind,
                WhenCancelled when_cancelled)
      : door_(door),
        context_(context),
        record_(BeginCall(kind, context)),
        when_cancelled_(when_cancelled) {}

  // The stream holds itself from here on, until its call is over.
  void Begin(std::shared_ptr<MessageStream> self) {
    self_ = std::move(self);
    door_.watch.Add(this);
  }

  // Appends. Not after Close.
  void Push(Message message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    queue_.push_back(std::move(message));
    SendNext();
  }
  // Waits until fewer than `limit` messages wait for the client, or it has gone.
  void AwaitRoom(size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (queue_.size() >= limit && !cancelled_) changed_.Wait(mutex_);
  }
  // Ends the call once what was pushed is sent. Until then another one may give another status.
  void Close(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    closed_ = true;
    outcome_ = status;
    SendNext();
  }

  size_t queued() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return queue_.size(); }
  bool cancelled() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return cancelled_; }
  bool closed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_; }

  GrpcDoor& door() { return door_; }

  Mutex mutex_;

 private:
  bool ClientStalled(std::chrono::steady_clock::time_point now) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return sending_ && now - sending_since_ >= door_.stall_timeout;
  }

  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (sending_ || ended_) return;
    if (cancelled_) Drop();
    if (!queue_.empty()) {
      sending_ = true;
      sending_since_ = std::chrono::steady_clock::now();
      this->StartWrite(queue_.front().get());
      return;
    }
    if (!closed_ && !(cancelled_ && when_cancelled_ == WhenCancelled::kEnd)) return;
    ended_ = true;
    this->Finish(EndCall(
        record_, cancelled_ ? absl::CancelledError("the client went away") : outcome_, {}, 0));
  }

  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    cancelled_ = true;
    queue_.clear();
  }

  std::shared_ptr<MessageStream> self_;  // until the call is over
  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  const WhenCancelled when_cancelled_;
  ConditionVariable changed_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being sent
  bool sending_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point sending_since_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_MESSAGE_STREAM_H_
