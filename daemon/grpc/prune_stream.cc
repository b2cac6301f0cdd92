#include "daemon/grpc/prune_stream.h"

#include <deque>
#include <memory>
#include <utility>

#include "daemon/grpc/messages.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"

namespace varve {
namespace {

constexpr CallKind kPrune{"Images.Prune", Subject::kManifest, true};

// Messages that wait for the client before the prune does: 256 x ~500 B = 128 kB.
constexpr size_t kMaxQueued = 256;
// Each holds a worker as long as its client takes to read: they must not take all of them.
constexpr int kMaxPrunes = 4;

class PruneStream final : public grpc::ServerWriteReactor<v1::PruneResponse>, public WatchedStream {
 public:
  PruneStream(GrpcDoor& door, grpc::CallbackServerContext& context, const v1::PruneRequest& request)
      : door_(door), context_(context), record_(BeginCall(kPrune, context)), request_(request) {}

  static PruneStream* Start(const std::shared_ptr<PruneStream>& stream) {
    PruneStream* const started = stream.get();
    started->self_ = stream;
    started->door_.watch.Add(started);
    // The call may be over while the worker is still letting go of the lock: it shares the stream.
    const bool room = started->door_.prunes.fetch_add(1) < kMaxPrunes;
    if (!room || !started->door_.workers.TrySubmit([stream] { stream->Run(); })) {
      MutexLock lock(started->mutex_);
      started->End(absl::ResourceExhaustedError("other calls are running; try again"));
    }
    return started;
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

 private:
  bool ClientStalled(std::chrono::steady_clock::time_point now) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return sending_ && now - sending_since_ >= door_.stall_timeout;
  }

  // On a worker, from the first image to the report.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    PruneRequest prune;
    prune.filters.assign(request_.filters().begin(), request_.filters().end());
    prune.dry_run = request_.dry_run();
    const absl::StatusOr<PruneReport> report = door_.store.Prune(prune, [this](const auto& image) {
      v1::PruneResponse message;
      ToMessage(image, message.mutable_image());
      return Send(std::move(message));
    });
    MutexLock lock(mutex_);
    if (report.ok()) {
      ToMessage(*report, queue_.emplace_back().mutable_report());
    }
    pruned_ = true;
    outcome_ = report.status();
    SendNext();
  }

  // False when nobody takes messages any more.
  bool Send(v1::PruneResponse message) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    while (queue_.size() >= kMaxQueued && !cancelled_) changed_.Wait(mutex_);
    if (cancelled_) return false;
    queue_.push_back(std::move(message));
    SendNext();
    return true;
  }

  // One message is with gRPC at a time; after the last one the call ends.
  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (sending_ || ended_) return;
    if (cancelled_) Drop();
    if (queue_.empty()) {
      if (pruned_) End(cancelled_ ? absl::CancelledError("the client went away") : outcome_);
      return;
    }
    sending_ = true;
    sending_since_ = std::chrono::steady_clock::now();
    StartWrite(&queue_.front());
  }

  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    cancelled_ = true;
    queue_.clear();
  }

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ended_ = true;
    door_.prunes.fetch_sub(1);
    Finish(EndCall(record_, status, {}, 0));
  }

  std::shared_ptr<PruneStream> self_;  // until the call is over
  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  const v1::PruneRequest& request_;  // lives as long as the call
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<v1::PruneResponse> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being sent
  bool sending_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point sending_since_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool pruned_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<v1::PruneResponse>* NewPruneStream(GrpcDoor& door,
                                                            grpc::CallbackServerContext* context,
                                                            const v1::PruneRequest* request) {
  return PruneStream::Start(std::make_shared<PruneStream>(door, *context, *request));
}

}  // namespace varve
