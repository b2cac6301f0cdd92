#include "daemon/grpc/check_stream.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/base/status.h"

namespace varve {
namespace {

constexpr CallKind kCheck{"System.Check", Subject::kName, false};

// Messages that wait for a client: 1,024 x ~500 B, shared by all who are told the same.
constexpr size_t kMaxQueued = 1024;
// Between two messages that say no more than how far it is.
constexpr std::chrono::milliseconds kProgressInterval{200};

v1::CheckResponse::Finding::Kind ToMessage(CheckFinding::Kind kind) {
  using Message = v1::CheckResponse::Finding;
  switch (kind) {
    case CheckFinding::Kind::kDamagedRow:
      return Message::DAMAGED_ROW;
    case CheckFinding::Kind::kMissingEdge:
      return Message::MISSING_EDGE;
    case CheckFinding::Kind::kEdgeWithoutSource:
      return Message::EDGE_WITHOUT_SOURCE;
    case CheckFinding::Kind::kMissingContent:
      return Message::MISSING_CONTENT;
    case CheckFinding::Kind::kBadContent:
      return Message::BAD_CONTENT;
    case CheckFinding::Kind::kTagWithoutImage:
      return Message::TAG_WITHOUT_IMAGE;
    case CheckFinding::Kind::kMissingRow:
      return Message::MISSING_ROW;
    case CheckFinding::Kind::kOrphanRow:
      return Message::ORPHAN_ROW;
    case CheckFinding::Kind::kNeverEnds:
      return Message::NEVER_ENDS;
    case CheckFinding::Kind::kLiveRemoval:
      return Message::LIVE_REMOVAL;
    case CheckFinding::Kind::kNeverReclaimed:
      return Message::NEVER_RECLAIMED;
    case CheckFinding::Kind::kStrayFile:
      return Message::STRAY_FILE;
    case CheckFinding::Kind::kWrongStatistics:
      return Message::WRONG_STATISTICS;
  }
  return Message::KIND_UNSPECIFIED;
}

void ToMessage(const CheckFinding& finding, v1::CheckResponse::Finding* message) {
  message->set_kind(ToMessage(finding.kind));
  if (finding.digest.has_value()) message->set_digest(finding.digest->ToString());
  message->set_repository(finding.repository);
  message->set_text(finding.text);
}

void ToMessage(const CheckReport& report, v1::CheckResponse::Report* message) {
  message->set_rows(report.rows);
  message->set_manifests(report.manifests);
  message->set_files(report.files);
  message->set_findings(report.findings);
  message->set_hashed_blobs(report.hashed_blobs);
  message->set_hashed_bytes(report.hashed_bytes);
}

}  // namespace

// What one caller is told. It lives until its call is over and the check has let go of it.
class CheckStream final : public grpc::ServerWriteReactor<v1::CheckResponse>, public WatchedStream {
 public:
  using Message = std::shared_ptr<const v1::CheckResponse>;

  CheckStream(GrpcDoor& door, grpc::CallbackServerContext& context)
      : door_(door), context_(context), record_(BeginCall(kCheck, context)) {}

  static CheckStream* Start(const std::shared_ptr<CheckStream>& stream, SharedChecks& checks) {
    CheckStream* const started = stream.get();
    started->self_ = stream;
    started->door_.watch.Add(started);
    std::shared_ptr<CheckStream> caller = stream;
    const absl::Status joined = checks.Join(caller);
    if (!joined.ok()) started->End(joined);
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

  bool listens() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return !cancelled_ && !ended_;
  }

  // A finding. A client that takes them too slowly is waited for when it is `alone`; otherwise the
  // others are not kept waiting, and its call ends.
  void Tell(const Message& message, bool alone) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    while (alone && queue_.size() >= kMaxQueued && !cancelled_) changed_.Wait(mutex_);
    if (cancelled_ || ended_) return;
    if (queue_.size() >= kMaxQueued) {
      EndOnceSent(absl::ResourceExhaustedError(
          "the client takes findings too slowly for a check that others wait for; check again"));
      return;
    }
    queue_.push_back(message);
    SendNext();
  }

  // How far the check is: of use only to a client that has taken all before.
  void TellProgress(const Message& message) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (cancelled_ || ended_ || worked_ || !queue_.empty()) return;
    queue_.push_back(message);
    SendNext();
  }

  // The end, after what was told; `last`, if it is not null, goes before it.
  void Close(const absl::Status& status, const Message& last) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (worked_ || ended_) return;
    if (last != nullptr && !cancelled_) queue_.push_back(last);
    EndOnceSent(status);
  }

 private:
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    EndOnceSent(status);
  }

  bool ClientStalled(std::chrono::steady_clock::time_point now) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return sending_ && now - sending_since_ >= door_.stall_timeout;
  }

  void EndOnceSent(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    worked_ = true;
    outcome_ = status;
    SendNext();
  }

  // One message is with gRPC at a time; after the last one the call ends. A caller that has gone
  // does not wait for the check.
  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (sending_ || ended_) return;
    if (cancelled_) Drop();
    if (!queue_.empty()) {
      sending_ = true;
      sending_since_ = std::chrono::steady_clock::now();
      StartWrite(queue_.front().get());
      return;
    }
    if (!worked_ && !cancelled_) return;
    ended_ = true;
    const absl::Status status =
        cancelled_ ? absl::CancelledError("the client went away") : outcome_;
    Finish(EndCall(record_, status, {}, 0));
  }

  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    cancelled_ = true;
    queue_.clear();
  }

  std::shared_ptr<CheckStream> self_;  // until the call is over
  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being sent
  bool sending_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point sending_since_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool worked_ ABSL_GUARDED_BY(mutex_) = false;  // nothing is told any more
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
};

namespace {

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
                                                   ? door_.store.CheckContent(observer)
                                                   : door_.store.Check(observer);
    CheckStream::Message last;
    if (report.ok()) {
      auto message = std::make_shared<v1::CheckResponse>();
      ToMessage(*report, message->mutable_report());
      last = std::move(message);
    }
    for (const auto& caller : callers_) caller->Close(report.status(), last);
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

}  // namespace

std::shared_ptr<SharedChecks> NewSharedChecks(GrpcDoor& door, CheckKind kind) {
  return std::make_shared<SharedChecks>(door.workers, [&door, kind](Callers callers) {
    CheckForAll(door, kind, std::move(callers)).Run();
  });
}

grpc::ServerWriteReactor<v1::CheckResponse>* NewCheckStream(GrpcDoor& door, SharedChecks& checks,
                                                            grpc::CallbackServerContext* context) {
  return CheckStream::Start(std::make_shared<CheckStream>(door, *context), checks);
}

}  // namespace varve
