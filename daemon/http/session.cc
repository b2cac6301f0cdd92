#include "daemon/http/session.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/http/handlers.h"
#include "daemon/http/socket.h"
#include "daemon/log.h"
#include "storage/base/clock.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A header comes in one packet, or nearly. What comes slower waits in the poller, for ten thousand
// clients that send a byte now and then must not keep the threads.
constexpr milliseconds kHeaderPatience{10};
// A client that pulls or pushes sends its next request at once. Waiting here saves two hand-overs
// between threads.
constexpr milliseconds kNextRequestWait{2};
// After an answer before the end of a body the client must get a chance to read the answer: to
// close with bytes unread would reset the connection.
constexpr milliseconds kLingerTime{1000};
constexpr milliseconds kLingerTimeWhenBusy{50};
constexpr size_t kLingerBytes = 4 << 20;

bool IsSaneRequestId(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  for (const char c : id) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    if (!plain) return false;
  }
  return true;
}

std::string RequestId(const Request& request) {
  if (IsSaneRequestId(request.request_id)) return request.request_id;
  return absl::StrFormat("%016x", SystemRandom().Next());
}

struct Event {
  LogLevel level;
  std::string_view name;
};

// Pushes, pulls and deletes are what an operator reads the log for.
Event EventOf(const Route& route, const Request& request, const Reply& reply) {
  const bool content = route.endpoint == Endpoint::kManifest || route.endpoint == Endpoint::kBlob;
  Event event{LogLevel::kDebug, "request"};
  if (content && request.method == "GET") {
    event = {LogLevel::kInfo, "pull"};
  } else if (content && request.method == "DELETE") {
    event = {LogLevel::kInfo, "delete"};
  } else if (request.method == "PUT" || (request.method == "POST" && reply.status == 201)) {
    event = {LogLevel::kInfo, "push"};
  }
  // A host or a page that the configuration does not know: the line names the key.
  if (reply.status == 421 || reply.status == 403) event = {LogLevel::kWarning, "refused"};
  if (reply.status >= 500) event.level = LogLevel::kWarning;
  return event;
}

struct Outcome {
  std::string_view request_id;
  std::string client;
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;  // of the body
  steady_clock::time_point started;
  absl::Status sent;  // why the reply did not get out whole
};

void LogRequest(const Route& route, const Request& request, const Reply& reply,
                const Outcome& outcome) {
  const Event event = EventOf(route, request, reply);
  if (outcome.sent.ok() && !LogsAt(event.level)) return;
  const auto spent =
      std::chrono::duration_cast<milliseconds>(steady_clock::now() - outcome.started);
  const LogField id{"request", std::string(outcome.request_id)};
  const LogField method{"method", request.method};
  const LogField repository{"repository", route.repository};
  const LogField reference{"reference", route.reference};
  const LogField digest{"digest", reply.digest};
  const LogField status{"status", reply.status};
  const LogField received{"received", outcome.received_bytes};
  const LogField sent{"sent", outcome.sent_bytes};
  const LogField ms{"ms", spent.count()};
  const LogField client{"client", outcome.client};
  const LogField agent{"user_agent", request.user_agent};
  if (outcome.sent.ok() && reply.cause.ok()) {
    Log(event.level, event.name,
        {id, method, repository, reference, digest, status, received, sent, ms, client, agent});
    return;
  }
  // The disk failed under an answer that had begun, if it was not the client.
  const bool disk = !outcome.sent.ok() && !absl::IsCancelled(outcome.sent) &&
                    !absl::IsDeadlineExceeded(outcome.sent);
  const absl::Status& reason = outcome.sent.ok() ? reply.cause : outcome.sent;
  Log(disk ? LogLevel::kWarning : event.level, event.name,
      {id,
       method,
       repository,
       reference,
       digest,
       status,
       received,
       sent,
       ms,
       client,
       agent,
       {"code", std::string(reply.error_code)},
       {"reason", std::string(ToStd(reason.message()))}});
}

}  // namespace

// Says that no more will be sent, then lets the client finish sending for a moment.
void HttpSession::LingeringClose(int fd, IoBuffer& scratch) const {
  if (shutdown(fd, SHUT_WR) != 0) return;
  const auto start = steady_clock::now();
  size_t left = kLingerBytes;
  while (left > 0) {
    const auto limit = exits_.has_waiting() ? kLingerTimeWhenBusy : kLingerTime;
    if (steady_clock::now() - start >= limit) return;
    if (!PollOne(fd, POLLIN, kLingerTimeWhenBusy)) continue;
    const Received received =
        ReceiveNow(fd, absl::MakeSpan(scratch.data(), std::min(left, IoBuffer::kBytes)));
    if (received.kind == Received::Kind::kClosed) return;
    left -= received.bytes;
  }
}

void HttpSession::Serve(std::unique_ptr<Connection> connection, IoBuffer& buffer) const {
  RequestReader reader(*connection, buffer, options_);
  while (true) {
    switch (reader.ReadHead(kHeaderPatience)) {
      case RequestReader::Head::kClosed:
        return;
      case RequestReader::Head::kIncomplete:
        exits_.park(std::move(connection));
        return;
      case RequestReader::Head::kRefused:
        AnswerRefusal(*connection, reader);
        LingeringClose(connection->fd(), buffer);
        return;
      case RequestReader::Head::kComplete:
        break;
    }
    const Next next = AnswerOne(*connection, reader);
    if (next == Next::kLinger) LingeringClose(connection->fd(), buffer);
    if (next != Next::kKeep) return;

    if (reader.has_leftover()) {
      if (!exits_.has_waiting() || reader.leftover_bytes() > kMaxUnreadBytes) continue;
      reader.SaveLeftover();
      exits_.requeue(std::move(connection));
      return;
    }
    if (exits_.has_waiting() || !PollOne(connection->fd(), POLLIN, kNextRequestWait)) {
      exits_.park(std::move(connection));
      return;
    }
  }
}

void HttpSession::AnswerRefusal(const Connection& connection, const RequestReader& reader) const {
  const RequestReader::Refusal& refusal = reader.refusal();
  const Reply reply = ErrorReply(refusal.http_status, "UNSUPPORTED", refusal.message);
  const std::string request_id = RequestId(reader.request());
  SendOptions send;
  send.request_id = request_id;
  send.keep_alive = false;
  Pace pace(options_.stall_timeout, options_.min_bytes_per_second);
  const absl::Status sent = SendReply(connection.fd(), reply, send, &pace);
  Log(LogLevel::kDebug, "refused",
      {{"request", request_id},
       {"status", reply.status},
       {"client", connection.ends().client},
       {"reason", refusal.message},
       {"send", std::string(ToStd(sent.message()))}});
}

Reply HttpSession::MakeReply(const Connection& connection, RequestReader& reader,
                             const std::string& request_id, Route* route) const {
  const Request& request = reader.request();
  absl::StatusOr<Route> parsed = ParseTarget(request.target);
  if (!parsed.ok()) return RouteError(parsed.status());
  *route = *std::move(parsed);
  return Dispatch(Exchange{store_, listings_, options_, connection.ends(), request, *route, reader,
                           request_id});
}

HttpSession::Next HttpSession::AnswerOne(const Connection& connection,
                                         RequestReader& reader) const {
  Outcome outcome;
  outcome.started = steady_clock::now();
  const Request& request = reader.request();
  const std::string request_id = RequestId(request);
  outcome.request_id = request_id;
  outcome.client = connection.ends().client;
  Route route;
  const Reply reply = MakeReply(connection, reader, request_id, &route);

  const bool whole_body = reader.worth_draining();
  SendOptions send;
  send.request_id = request_id;
  send.head_only = request.method == "HEAD";
  send.http_1_0 = request.http_1_0;
  send.keep_alive = request.keep_alive && whole_body && !reply.close &&
                    !stopping_.load(std::memory_order_relaxed);
  if (!reply.abandoned) {
    Pace pace(options_.stall_timeout, options_.min_bytes_per_second);
    outcome.sent = SendReply(connection.fd(), reply, send, &pace);
    if (outcome.sent.ok() && !send.head_only) outcome.sent_bytes = reply.length_bytes();
  }
  outcome.received_bytes = reader.body_bytes();
  LogRequest(route, request, reply, outcome);
  if (reply.abandoned || !outcome.sent.ok()) return Next::kClose;
  if (!whole_body) return Next::kLinger;
  if (!send.keep_alive) return reader.body_done() ? Next::kClose : Next::kLinger;
  return reader.DrainBody() ? Next::kKeep : Next::kClose;
}

}  // namespace varve
