// What a connection and the server have under way: the request that is being received or answered.
// It outlives the turn of one worker, goes with the connection from thread to thread, and is
// dropped when there is nothing under way.
#ifndef VARVE_DAEMON_HTTP_CONVERSATION_H_
#define VARVE_DAEMON_HTTP_CONVERSATION_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "daemon/http/connection.h"
#include "daemon/http/handlers.h"
#include "daemon/http/reply.h"
#include "daemon/http/request_reader.h"
#include "daemon/http/route.h"

namespace varve {

struct Conversation {
  // Each phase leads to the next one, or back to kHead when the connection is kept.
  enum class Phase {
    kHead,    // reads the head of a request, then dispatches it
    kBody,    // gives its body to `sink`, piece by piece
    kReply,   // sends
    kDrain,   // reads the rest of a body that was refused, to keep the connection
    kLinger,  // has said that no more will be sent; the client may still be sending
  };

  Conversation(Connection& of, const HttpServerOptions& options)
      : connection(of), reader(of, options) {}

  size_t held_bytes() const {
    return reader.held_bytes() + (sink == nullptr ? 0 : sink->held_bytes()) +
           (sender.has_value() ? sender->held_bytes() : 0);
  }

  // Of the transfer in the present phase.
  Pace& pace() { return sender.has_value() ? sender->pace() : reader.pace(); }

  Connection& connection;  // owns it
  Phase phase = Phase::kHead;
  RequestReader reader;

  // Of one request; set when its head is complete.
  std::chrono::steady_clock::time_point started;
  std::string request_id;
  Route route;
  std::optional<Exchange> exchange;  // refers to the members above
  std::unique_ptr<BodySink> sink;    // during kBody
  std::optional<ReplySender> sender;
  bool refused = false;    // what came was no request
  bool whole_body = true;  // nothing, or little, of the body is outstanding
  bool keep_alive = true;  // after the reply

  // During kLinger.
  std::chrono::steady_clock::time_point linger_until;
  size_t linger_bytes = 0;  // that are still read
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_CONVERSATION_H_
