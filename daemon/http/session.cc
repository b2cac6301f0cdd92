#include "daemon/http/session.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/http/handlers.h"
#include "daemon/http/socket.h"
#include "daemon/http/upload_client.h"
#include "daemon/log.h"
#include "daemon/status_mapping.h"
#include "storage/base/clock.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Of a body of known length that comes slowly so much is waited for at once, so that those who send
// a few bytes at a time cost little.
constexpr uint64_t kLowWaterBytes = 16 * 1024;
// After an answer before the end of a body the client must get a chance to read the answer: to
// close with bytes unread would reset the connection.
constexpr milliseconds kLingerTime{1000};
constexpr size_t kLingerBytes = 4 << 20;
// While others wait for a thread a connection that can go on gets so long at a time.
constexpr milliseconds kTurn{10};

bool IsSaneRequestId(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  for (const char c : id) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    if (!plain) return false;
  }
  return true;
}

// Differs from all others, of other starts as well. It lets nobody in, so that it may be guessed.
std::string NewRequestId() {
  thread_local std::mt19937_64 generator(SystemRandom().Next());
  return StrCat(absl::Hex(generator(), absl::kZeroPad16));
}

std::string RequestId(const Request& request) {
  return IsSaneRequestId(request.request_id) ? request.request_id : NewRequestId();
}

struct LogLine {
  LogLevel level;
  std::string_view name;
};

// Pushes, pulls and deletes are what an operator reads the log for.
LogLine LineOf(const Route& route, const Request& request, const Reply& reply) {
  const bool content = route.endpoint == Endpoint::kManifest || route.endpoint == Endpoint::kBlob;
  LogLine line{LogLevel::kDebug, "request"};
  if (content && request.method == "GET") {
    line = {LogLevel::kInfo, "pull"};
  } else if (content && request.method == "DELETE") {
    line = {LogLevel::kInfo, "delete"};
  } else if (request.method == "PUT" || (request.method == "POST" && reply.status == 201)) {
    line = {LogLevel::kInfo, "push"};
  }
  // A host or a page that the configuration does not know, or a full disk: the line says which.
  if (reply.status == 421 || reply.status == 403) line = {LogLevel::kWarning, "refused"};
  if (reply.status >= 500) {
    line.level = IsStoreFault(reply.cause) ? LogLevel::kError : LogLevel::kWarning;
  }
  return line;
}

// One line for one request. `sent`: why the reply did not get out whole.
void LogEnd(const Conversation& talk, const absl::Status& sent,
            const std::vector<std::string>& trusted_proxies) {
  const Route& route = talk.route;
  const Request& request = talk.reader.request();
  const Reply& reply = talk.sender->reply();
  if (talk.refused) {
    Log(LogLevel::kDebug, "refused",
        {{"request", talk.request_id},
         {"status", reply.status},
         {"reason", std::string(ToStd(reply.cause.message()))},
         {"send", std::string(ToStd(sent.message()))}});
    return;
  }
  const LogLine line = LineOf(route, request, reply);
  if (sent.ok() && !LogsAt(line.level)) return;
  const auto spent = std::chrono::duration_cast<milliseconds>(steady_clock::now() - talk.started);
  const LogField id{"request", talk.request_id};
  const LogField method{"method", request.method};
  const LogField repository{"repository", route.repository};
  const LogField reference{"reference", route.reference};
  const LogField digest{"digest", reply.digest};
  const LogField status{"status", reply.status};
  const LogField received{"received", talk.reader.body_bytes()};
  const LogField sent_bytes{"sent", talk.sender->body_bytes_sent()};
  const LogField ms{"ms", spent.count()};
  const std::string from =
      ClientAddress(talk.connection.ends().client, request.forwarded_for, trusted_proxies);
  const LogField client{"client", from};
  const LogField agent{"user_agent", request.user_agent};
  if (sent.ok() && reply.cause.ok()) {
    Log(line.level, line.name,
        {id, method, repository, reference, digest, status, received, sent_bytes, ms, client,
         agent});
    return;
  }
  // The disk failed under an answer that had begun, if it was not the client.
  const bool disk = IsStoreFault(sent);
  const absl::Status& reason = sent.ok() ? reply.cause : sent;
  Log(disk ? LogLevel::kError : line.level, line.name,
      {id,
       method,
       repository,
       reference,
       digest,
       status,
       received,
       sent_bytes,
       ms,
       client,
       agent,
       {"code", std::string(reply.error_code)},
       {"reason", std::string(ToStd(reason.message()))}});
}

}  // namespace

void HttpSession::Serve(std::unique_ptr<Connection> connection, IoBuffer& buffer) const {
  const auto start = steady_clock::now();
  // What comes a byte at a time is not waited for.
  const bool begins = connection->conversation == nullptr;
  Patience patience(begins && connection->unread.empty(), exits_.has_waiting);
  if (std::exchange(connection->low_water_bytes, 1) != 1) SetLowWater(connection->fd(), 1);
  if (begins) connection->conversation = std::make_unique<Conversation>(*connection, options_);
  Conversation& talk = *connection->conversation;
  talk.reader.BeginTurn(buffer);
  Next next = begins ? Next::kStep : Resume(talk);
  while (next == Next::kStep) {
    next = Step(talk, patience);
    if (next == Next::kStep && exits_.has_waiting() && steady_clock::now() - start >= kTurn) {
      next = Next::kOthers;
    }
  }
  if (next == Next::kClose) return;
  talk.reader.EndTurn();
  if (talk.phase == Conversation::Phase::kLinger) std::string().swap(connection->unread);
  if (talk.phase == Conversation::Phase::kHead) connection->conversation.reset();
  if (next == Next::kOthers) {
    connection->waited = std::chrono::nanoseconds(0);
    exits_.requeue(std::move(connection));
  } else {
    Park(std::move(connection), next == Next::kRoom ? Wait::For::kRoom : Wait::For::kBytes);
  }
}

void HttpSession::Park(std::unique_ptr<Connection> connection, Wait::For what) const {
  using Phase = Conversation::Phase;
  const auto now = steady_clock::now();
  Wait& wait = connection->wait;
  wait = {what, now, now};
  if (connection->conversation == nullptr) {
    wait.deadline = connection->header_deadline.value_or(now + options_.idle_timeout);
  } else if (connection->conversation->phase == Phase::kLinger) {
    wait.deadline = connection->conversation->linger_until;
  } else {
    Conversation& talk = *connection->conversation;
    wait.deadline += talk.pace().Allowed();
    const uint64_t left = talk.reader.body_bytes_left();
    if (talk.phase == Phase::kBody && what == Wait::For::kBytes && left > 1) {
      connection->low_water_bytes = static_cast<int>(std::min(left, kLowWaterBytes));
      SetLowWater(connection->fd(), connection->low_water_bytes);
    }
  }
  exits_.park(std::move(connection));
}

// After a wait in the middle of a request.
HttpSession::Next HttpSession::Resume(Conversation& talk) const {
  using Phase = Conversation::Phase;
  Connection& connection = talk.connection;
  const Woken woken = std::exchange(connection.woken, Woken::kReady);
  talk.pace().Waited(connection.waited);
  if (woken == Woken::kReady) return Next::kStep;
  if (woken == Woken::kTooSlow && talk.phase == Phase::kBody) {
    // What has come may be less than the poller looked for.
    const size_t bytes = BytesAtHand(connection.fd());
    Pace pace = talk.pace();
    pace.Progress(bytes);
    if (bytes > 0 && pace.Allowed().count() > 0) return Next::kStep;
  }
  const absl::Status reason =
      woken == Woken::kTooSlow
          ? absl::DeadlineExceededError(
                "the client was too slow: send or read faster, then try again")
          : absl::UnavailableError("too many connections are open, and this one waited longest");
  if (talk.phase == Phase::kBody) return StartReply(talk, talk.sink->Fail(reason));
  if (talk.phase == Phase::kReply) LogEnd(talk, reason, options_.trusted_proxies);
  return Next::kClose;
}

HttpSession::Next HttpSession::Step(Conversation& talk, Patience& patience) const {
  switch (talk.phase) {
    case Conversation::Phase::kHead:
      return ReadHead(talk, patience);
    case Conversation::Phase::kBody:
      return ReadBody(talk, patience);
    case Conversation::Phase::kReply:
      return Send(talk, patience);
    case Conversation::Phase::kDrain:
      return Drain(talk, patience);
    case Conversation::Phase::kLinger:
      return Linger(talk);
  }
  return Next::kClose;
}

HttpSession::Next HttpSession::ReadHead(Conversation& talk, Patience& patience) const {
  switch (talk.reader.ReadHead(patience)) {
    case RequestReader::Head::kClosed:
      return Next::kClose;
    case RequestReader::Head::kIncomplete:
      return Next::kBytes;
    case RequestReader::Head::kRefused:
      return Refuse(talk);
    case RequestReader::Head::kComplete:
      break;
  }
  patience.Renew();
  const Request& request = talk.reader.request();
  talk.started = steady_clock::now();
  talk.refused = false;
  talk.request_id = RequestId(request);
  talk.route = Route();
  absl::StatusOr<Route> route = ParseTarget(request.target);
  if (!route.ok()) return StartReply(talk, RouteError(route.status()));
  talk.route = *std::move(route);
  talk.exchange.emplace(Exchange{store_, listings_, options_, talk.connection.ends(), request,
                                 talk.route, talk.request_id});
  Answer answer = Dispatch(*talk.exchange);
  if (answer.sink == nullptr) return StartReply(talk, std::move(answer.reply));
  talk.sink = std::move(answer.sink);
  talk.phase = Conversation::Phase::kBody;
  return Next::kStep;
}

HttpSession::Next HttpSession::ReadBody(Conversation& talk, Patience& patience) const {
  using Kind = RequestReader::BodyPart::Kind;
  const RequestReader::BodyPart part = talk.reader.NextBody(patience);
  switch (part.kind) {
    case Kind::kNothingYet:
      return Next::kBytes;
    case Kind::kNoRoom:
      return Next::kRoom;
    case Kind::kFailed:
      return StartReply(talk, talk.sink->Fail(part.status));
    case Kind::kEnd:
      return StartReply(talk, talk.sink->Finish());
    case Kind::kBytes:
      break;
  }
  std::optional<Reply> refusal = talk.sink->Take(part.bytes);
  return refusal.has_value() ? StartReply(talk, *std::move(refusal)) : Next::kStep;
}

HttpSession::Next HttpSession::Refuse(Conversation& talk) const {
  const RequestReader::Refusal& refusal = talk.reader.refusal();
  talk.started = steady_clock::now();
  talk.refused = true;
  talk.request_id = RequestId(talk.reader.request());
  talk.route = Route();
  Reply reply = ErrorReply(refusal.http_status, "UNSUPPORTED", refusal.message);
  reply.close = true;
  return StartReply(talk, std::move(reply));
}

// What took the body goes before the answer leaves: with it in hand, the client may continue the
// upload on another connection.
HttpSession::Next HttpSession::StartReply(Conversation& talk, Reply reply) const {
  talk.sink.reset();
  const Request& request = talk.reader.request();
  SendOptions send;
  send.request_id = talk.request_id;
  send.head_only = request.method == "HEAD" && !talk.refused;
  send.http_1_0 = request.http_1_0;
  talk.whole_body = !talk.refused && talk.reader.worth_draining();
  talk.keep_alive = request.keep_alive && talk.whole_body && !reply.close &&
                    !stopping_.load(std::memory_order_relaxed);
  send.keep_alive = talk.keep_alive;
  const bool abandoned = reply.abandoned;
  talk.sender.emplace(std::move(reply), send,
                      Pace(options_.stall_timeout, options_.min_bytes_per_second));
  talk.phase = Conversation::Phase::kReply;
  if (!abandoned) return Next::kStep;
  LogEnd(talk, absl::OkStatus(), options_.trusted_proxies);
  return Next::kClose;
}

HttpSession::Next HttpSession::Send(Conversation& talk, Patience& patience) const {
  const auto progress = talk.sender->Send(talk.connection.fd(), patience);
  if (!progress.ok()) {
    LogEnd(talk, progress.status(), options_.trusted_proxies);
    return Next::kClose;
  }
  if (*progress == ReplySender::Progress::kNoRoom) return Next::kRoom;
  if (*progress == ReplySender::Progress::kPart) return Next::kStep;
  LogEnd(talk, absl::OkStatus(), options_.trusted_proxies);
  talk.sender.reset();
  talk.exchange.reset();
  patience.Renew();
  return AfterReply(talk, patience);
}

HttpSession::Next HttpSession::AfterReply(Conversation& talk, Patience& patience) const {
  if (talk.keep_alive) {
    if (talk.reader.body_done()) {
      talk.phase = Conversation::Phase::kHead;
      // A client that pulls or pushes sends its next request at once.
      const bool more =
          talk.reader.has_leftover() || patience.Wait(talk.connection.fd(), POLLIN, nullptr);
      return more ? Next::kStep : Next::kBytes;
    }
    talk.phase = Conversation::Phase::kDrain;
    talk.reader.HurryBody();
    return Next::kStep;
  }
  if (talk.whole_body && talk.reader.body_done()) return Next::kClose;
  // Says that no more will be sent, then lets the client finish sending for a moment.
  if (shutdown(talk.connection.fd(), SHUT_WR) != 0) return Next::kClose;
  talk.phase = Conversation::Phase::kLinger;
  talk.linger_until = steady_clock::now() + kLingerTime;
  talk.linger_bytes = kLingerBytes;
  return Next::kStep;
}

HttpSession::Next HttpSession::Drain(Conversation& talk, Patience& patience) const {
  using Kind = RequestReader::BodyPart::Kind;
  switch (talk.reader.NextBody(patience).kind) {
    case Kind::kBytes:
      return Next::kStep;
    case Kind::kNothingYet:
      return Next::kBytes;
    case Kind::kEnd:
      talk.phase = Conversation::Phase::kHead;
      return Next::kStep;
    case Kind::kNoRoom:
    case Kind::kFailed:
      break;
  }
  return Next::kClose;
}

HttpSession::Next HttpSession::Linger(Conversation& talk) const {
  std::array<char, 16 * 1024> ignored;
  const Received received = ReceiveNow(talk.connection.fd(), absl::MakeSpan(ignored));
  if (received.kind == Received::Kind::kClosed) return Next::kClose;
  if (received.kind == Received::Kind::kNothingYet) return Next::kBytes;
  if (received.bytes >= talk.linger_bytes || steady_clock::now() >= talk.linger_until) {
    return Next::kClose;
  }
  talk.linger_bytes -= received.bytes;
  return Next::kStep;
}

}  // namespace varve
