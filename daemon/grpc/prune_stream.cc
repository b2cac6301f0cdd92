#include "daemon/grpc/prune_stream.h"

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "daemon/grpc/messages.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"

namespace varve {
namespace {

constexpr CallKind kPrune{"Images.Prune", Subject::kManifest, true};
constexpr CallKind kAttachPrune{"Images.AttachPrune", Subject::kManifest, true};

// Messages that wait for the client before the prune does: 256 x ~500 B = 128 kB.
constexpr size_t kMaxQueued = 256;
// Each holds a worker as long as its client takes to read: they must not take all of them.
constexpr int kMaxPrunes = 4;

class PruneStream final : public grpc::ServerWriteReactor<v1::PruneResponse>, public WatchedStream {
 public:
  // Runs a prune, or attaches to one, until it ends or the observer says no.
  using Work = std::function<absl::StatusOr<PruneReport>(const PruneObserver& observer)>;

  PruneStream(GrpcDoor& door, grpc::CallbackServerContext& context, const CallKind& kind,
              bool detach, Work work)
      : door_(door),
        context_(context),
        record_(BeginCall(kind, context)),
        detach_(detach),
        work_(std::move(work)) {}

  static PruneStream* Start(const std::shared_ptr<PruneStream>& stream) {
    PruneStream* const started = stream.get();
    started->self_ = stream;
    started->door_.watch.Add(started);
    // The call may be over while the worker is still letting go of the lock: it shares the stream.
    const bool room = started->door_.prunes.fetch_add(1) < kMaxPrunes;
    if (!room || !started->door_.workers.TrySubmit([stream] { stream->Run(); })) {
      started->door_.prunes.fetch_sub(1);
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
    const absl::StatusOr<PruneReport> report =
        work_([this](const PruneStep& step) { return Tell(step); });
    door_.prunes.fetch_sub(1);
    MutexLock lock(mutex_);
    if (report.ok() && !detached_) {
      ToMessage(*report, queue_.emplace_back().mutable_report());
    }
    pruned_ = true;
    outcome_ = report.status();
    SendNext();
  }

  // False when the prune may end.
  bool Tell(const PruneStep& step) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      // Its call is over; the daemon is not.
      if (detached_) return !door_.feed.stopping();
      if (step.kind == PruneStep::Kind::kQueued) return !cancelled_;
    }
    bool taken = true;
    for (v1::PruneResponse& message : ToMessages(step)) taken = taken && Send(std::move(message));
    MutexLock lock(mutex_);
    if (!taken || !detach_) return taken;
    detached_ = true;
    SendNext();
    return true;
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
      if (pruned_ || detached_)
        End(cancelled_ ? absl::CancelledError("the client went away") : outcome_);
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
    Finish(EndCall(record_, status, {}, 0));
  }

  std::shared_ptr<PruneStream> self_;  // until the call is over
  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  const bool detach_;
  const Work work_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<v1::PruneResponse> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being sent
  bool sending_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point sending_since_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool pruned_ ABSL_GUARDED_BY(mutex_) = false;
  bool detached_ ABSL_GUARDED_BY(mutex_) = false;  // the prune goes on without the call
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<v1::PruneResponse>* NewPruneStream(GrpcDoor& door,
                                                            grpc::CallbackServerContext* context,
                                                            const v1::PruneRequest* request) {
  return PruneStream::Start(std::make_shared<PruneStream>(
      door, *context, kPrune, request->detach() && !request->dry_run(),
      [&store = door.store, prune = FromMessage(*request)](const PruneObserver& observer) {
        return store.Prune(prune, observer);
      }));
}

grpc::ServerWriteReactor<v1::PruneResponse>* NewPruneStream(GrpcDoor& door,
                                                            grpc::CallbackServerContext* context,
                                                            const v1::AttachPruneRequest* request) {
  return PruneStream::Start(std::make_shared<PruneStream>(
      door, *context, kAttachPrune, /*detach=*/false,
      [&store = door.store, job = request->job()](const PruneObserver& observer) {
        return store.AttachPrune(job, observer);
      }));
}

}  // namespace varve
