#include "daemon/grpc/event_stream.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <iterator>
#include <string>
#include <vector>

#include "daemon/grpc/event_feed.h"
#include "proto/convert/system.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "varve/v1/system.pb.h"

namespace varve {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr CallKind kEvents{"System.Events", About::kName, false};

// Events taken from the log at a time: 16 x ~600 B = 10 kB for a stream whose client is slow.
constexpr size_t kPageEvents = 16;
// After so many events that the client did not ask for it gets their token all the same, so that
// the one it has does not grow too old to go on from.
constexpr size_t kSkippedEvents = 4096;

// At any moment a stream belongs to one of three: to the worker in Run, to gRPC, which sends a
// message, or to the feed, where it waits for an event. Each gives it on when it is done with it,
// and touches nothing of it afterwards.
class EventStream final : public grpc::ServerWriteReactor<v1::EventsResponse>,
                          public WatchedStream,
                          public EventFeed::Watcher {
 public:
  EventStream(GrpcDoor& door, grpc::CallbackServerContext& context,
              const v1::EventsRequest& request)
      : door_(door), context_(context), record_(BeginCall(kEvents, context)), request_(request) {
    door_.watch.Add(this);
    door_.workers.Submit([this] { Begin(); });
  }

  void OnWriteDone(bool ok) override {
    writing_since_ = 0;
    door_.workers.Submit([this, ok] {
      ok ? Run() : EndWith(absl::CancelledError("the client went away or takes no events"));
    });
  }

  void OnCancel() override { door_.feed.Wake(this); }

  void OnDone() override {
    door_.watch.Remove(this);
    delete this;
  }

  // A stream that waits for an event is not stalled, however long it waits. A status would wait
  // behind the message that the client does not take, so the call is cancelled.
  void EndIfStalled(SteadyClock::time_point now) override {
    const SteadyClock::rep since = writing_since_;
    const SteadyClock::duration writing = now.time_since_epoch() - SteadyClock::duration(since);
    if (since != 0 && writing >= door_.stall_timeout) context_.TryCancel();
  }

  void Resume() override { Run(); }

 private:
  void Begin() {
    const absl::Status checked = FindPosition();
    if (!checked.ok()) return EndWith(checked);
    response_.set_token(position_);
    Send();
  }

  absl::Status FindPosition() {
    if (request_.types_size() > v1::Event::Type_ARRAYSIZE) {
      return absl::InvalidArgumentError("types: name each type once");
    }
    for (const int type : request_.types()) {
      if (!v1::Event::Type_IsValid(type) || type == v1::Event::TYPE_UNSPECIFIED) {
        return absl::InvalidArgumentError(StrCat("types: there is no type ", type));
      }
    }
    // What the store calls it, whatever the watcher does.
    const absl::StatusOr<StoreInfo> info = door_.store.system.Info();
    canonical_ = info.ok() ? info->names.CanonicalOf(request_.repository()) : request_.repository();
    position_ = request_.token();
    if (position_.empty()) position_ = request_.from_oldest() ? Log().Oldest() : Log().Latest();
    return Log().After(position_, 0).status();
  }

  void Run() {
    for (;;) {
      const uint64_t generation = door_.feed.generation();
      if (context_.IsCancelled()) return EndWith(absl::CancelledError("the client cancelled"));
      if (door_.feed.stopping()) return EndAsStopping();
      const absl::StatusOr<bool> filled = FillResponse();
      if (!filled.ok()) return EndWith(filled.status());
      if (*filled) return Send();
      if (request_.no_follow()) return EndWith(absl::OkStatus());
      if (door_.feed.Wait(this, generation)) return;
    }
  }

  // Puts the next event that the client asked for into the message; false when there is none yet.
  absl::StatusOr<bool> FillResponse() {
    response_.Clear();
    for (;;) {
      if (page_.empty()) {
        ASSIGN_OR_RETURN(std::vector<Event> events, Log().After(position_, kPageEvents));
        if (events.empty()) return false;
        page_.assign(std::make_move_iterator(events.begin()),
                     std::make_move_iterator(events.end()));
      }
      const Event event = std::move(page_.front());
      page_.pop_front();
      const bool wanted = Wants(event);
      if (!wanted && ++skipped_ < kSkippedEvents && !page_.empty()) continue;
      position_ = Log().TokenOf(event);
      if (!wanted && skipped_ < kSkippedEvents) continue;
      skipped_ = 0;
      if (wanted) ToMessage(event, response_.mutable_event());
      response_.set_token(position_);
      return true;
    }
  }

  bool Wants(const Event& event) const {
    const std::string& name = request_.repository();
    if (!name.empty() && event.repository != name && event.repository != canonical_) return false;
    const auto& types = request_.types();
    return types.empty() ||
           std::find(types.begin(), types.end(), ToMessage(event.type)) != types.end();
  }

  void Send() {
    writing_since_ = SteadyClock::now().time_since_epoch().count();
    StartWrite(&response_);
  }

  void EndWith(const absl::Status& status) {
    Finish(EndCall(record_, status, request_.repository(), 0));
  }

  void EndAsStopping() {
    static_cast<void>(EndCall(record_, absl::OkStatus(), request_.repository(), 0));
    Finish({grpc::StatusCode::UNAVAILABLE, "the daemon is stopping; watch again later"});
  }

  EventLog& Log() const { return door_.feed.log(); }

  GrpcDoor& door_;
  grpc::CallbackServerContext& context_;
  CallRecord record_;
  const v1::EventsRequest request_;
  std::string canonical_;   // name of the repository asked for
  std::string position_;    // the token of the last event looked at
  std::deque<Event> page_;  // taken from the log after it
  size_t skipped_ = 0;
  v1::EventsResponse response_;
  std::atomic<SteadyClock::rep> writing_since_{0};  // 0: no message is being sent
};

}  // namespace

CallHandler NewEventsHandler(GrpcDoor& door) {
  return NewServerStreamHandler<v1::EventsRequest, v1::EventsResponse>(
      kEvents, [&door](grpc::CallbackServerContext& context, const v1::EventsRequest& request) {
        return new EventStream(door, context, request);
      });
}

}  // namespace varve
