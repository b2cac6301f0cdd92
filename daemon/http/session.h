// Serves the requests of a connection, one after the other, in turns: a worker goes on with it,
// from wherever it stands, until it would have to wait for the client. Thread-safe; between turns
// it holds nothing but a cache of listings, for the connection has its own state (conversation.h).
#ifndef VARVE_DAEMON_HTTP_SESSION_H_
#define VARVE_DAEMON_HTTP_SESSION_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "daemon/http/connection.h"
#include "daemon/http/conversation.h"
#include "daemon/http/listing_cache.h"
#include "daemon/http/reply.h"
#include "daemon/http/request_reader.h"
#include "daemon/http/route.h"
#include "daemon/http/server.h"
#include "storage/api/store.h"

namespace varve {

// 100 repositories with 10,000 tags of 7 letters each.
inline constexpr size_t kMaxListingCacheBytes = 12 << 20;

class HttpSession {
 public:
  // Where a connection goes that this thread should not go on with.
  struct Exits {
    std::function<void(std::unique_ptr<Connection>)> park;     // waits for its client
    std::function<void(std::unique_ptr<Connection>)> requeue;  // can go on; others wait longer
    std::function<bool()> has_waiting;  // other connections wait for a thread
  };

  // All references must outlive the session.
  HttpSession(const Store& store, const HttpServerOptions& options,
              const std::atomic<bool>& stopping, Exits exits)
      : store_(store),
        options_(options),
        stopping_(stopping),
        exits_(std::move(exits)),
        listings_(kMaxListingCacheBytes) {}

  // One turn: then the connection is parked, requeued or closed.
  void Serve(std::unique_ptr<Connection> connection, IoBuffer& buffer) const;

 private:
  // What follows a step: the next one, or the end of the turn.
  enum class Next { kStep, kBytes, kRoom, kOthers, kClose };

  Next Resume(Conversation& talk) const;
  Next Step(Conversation& talk, Patience& patience) const;
  Next ReadHead(Conversation& talk, Patience& patience) const;
  Next ReadBody(Conversation& talk, Patience& patience) const;
  Next Send(Conversation& talk, Patience& patience) const;
  Next AfterReply(Conversation& talk, Patience& patience) const;
  Next Drain(Conversation& talk, Patience& patience) const;
  Next Linger(Conversation& talk) const;

  Next Refuse(Conversation& talk) const;
  Next StartReply(Conversation& talk, Reply reply) const;
  void Park(std::unique_ptr<Connection> connection, Wait::For what) const;

  const Store store_;
  const HttpServerOptions& options_;
  const std::atomic<bool>& stopping_;
  const Exits exits_;
  mutable ListingCache listings_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_SESSION_H_
