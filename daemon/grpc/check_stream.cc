#include "daemon/grpc/check_stream.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/grpc/message_stream.h"
#include "daemon/grpc/shared_walk.h"
#include "proto/convert/system.h"
#include "storage/api/system.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "varve/v1/system.pb.h"

namespace varve {
namespace {

constexpr CallKind kCheck{"System.Check", About::kName, false};

// Messages that wait for a client: 1,024 x ~500 B, shared by all who are told the same.
constexpr size_t kMaxQueued = 1024;
// Between two messages that say no more than how far it is.
constexpr std::chrono::milliseconds kProgressInterval{200};

class CheckStream;
using SharedChecks = SharedWalk<std::shared_ptr<CheckStream>>;

enum class CheckKind {
  kReferences,  // System::Check
  kContent,     // System::CheckContent
};

// What one caller is told. It lives until its call is over and the check has let go of it.
class CheckStream final : public MessageStream<v1::CheckResponse> {
 public:
  // A caller that has gone does not wait for the check.
  CheckStream(GrpcDoor& door, grpc::CallbackServerContext& context)
      : MessageStream(door, context, kCheck, WhenCancelled::kEnd) {}

  static CheckStream* Start(const std::shared_ptr<CheckStream>& stream, SharedChecks& checks) {
    CheckStream* const started = stream.get();
    started->Begin(stream);
    std::shared_ptr<CheckStream> caller = stream;
    const absl::Status joined = checks.Join(caller);
    if (!joined.ok()) started->End(joined, nullptr);
    return started;
  }

  bool listens() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return !cancelled() && !closed();
  }

  // A finding. A client that takes them too slowly is waited for when it is `alone`; otherwise the
  // others are not kept waiting, and its call ends.
  void Tell(const Message& message, bool alone) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (alone) AwaitRoom(kMaxQueued);
    if (cancelled() || closed()) return;
    if (queued() < kMaxQueued) return Push(message);
    Close(absl::ResourceExhaustedError(
        "the client takes findings too slowly for a check that others wait for; check again"));
  }

  // How far the check is: of use only to a client that has taken all before.
  void TellProgress(const Message& message) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!cancelled() && !closed() && queued() == 0) Push(message);
  }

  // The end, after what was told; `last`, if it is not null, goes before it.
  void End(const absl::Status& status, const Message& last) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (closed()) return;
    if (last != nullptr && !cancelled()) Push(last);
    Close(status);
  }
};

using Callers = std::vector<std::shared_ptr<CheckStream>>;

// One check for all who wait for it.
class CheckForAll {
 public:
  CheckForAll(GrpcDoor& door, CheckKind kind, Callers callers)
      : door_(door), kind_(kind), callers_(std::move(callers)) {}

  void Run() {
    Forget();
    if (callers_.empty()) return;
    const CheckObserver observer = [this](const CheckStep& step) { return Tell(step); };
    const absl::StatusOr<CheckReport> report = kind_ == CheckKind::kContent
                                                   ? door_.store.system.CheckContent(observer)
                                                   : door_.store.system.Check(observer);
    CheckStream::Message last;
    if (report.ok()) {
      auto message = std::make_shared<v1::CheckResponse>();
      ToMessage(*report, message->mutable_report());
      last = std::move(message);
    }
    for (const auto& caller : callers_) caller->End(report.status(), last);
  }

 private:
  // False when nobody listens any more.
  bool Tell(const CheckStep& step) {
    if (door_.feed.stopping()) return false;
    auto message = std::make_shared<v1::CheckResponse>();
    if (step.finding.has_value()) {
      Forget();
      ToMessage(*step.finding, message->mutable_finding());
      for (const auto& caller : callers_) caller->Tell(message, callers_.size() == 1);
      return !callers_.empty();
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kProgressInterval) return true;
    told_ = now;
    Forget();
    ToMessage(step.so_far, message->mutable_so_far());
    for (const auto& caller : callers_) caller->TellProgress(message);
    return !callers_.empty();
  }

  // Those who went away.
  void Forget() {
    callers_.erase(std::remove_if(callers_.begin(), callers_.end(),
                                  [](const auto& caller) { return !caller->listens(); }),
                   callers_.end());
  }

  GrpcDoor& door_;
  const CheckKind kind_;
  Callers callers_;
  std::chrono::steady_clock::time_point told_;  // how far it was
};

std::shared_ptr<SharedChecks> NewSharedChecks(GrpcDoor& door, CheckKind kind) {
  return std::make_shared<SharedChecks>(door.workers, [&door, kind](Callers callers) {
    CheckForAll(door, kind, std::move(callers)).Run();
  });
}

}  // namespace

CallHandler NewCheckHandler(GrpcDoor& door) {
  return NewServerStreamHandler<v1::CheckRequest, v1::CheckResponse>(
      kCheck, [&door, references = NewSharedChecks(door, CheckKind::kReferences),
               content = NewSharedChecks(door, CheckKind::kContent)](
                  grpc::CallbackServerContext& context, const v1::CheckRequest& request) {
        return CheckStream::Start(std::make_shared<CheckStream>(door, context),
                                  request.content() ? *content : *references);
      });
}

}  // namespace varve
