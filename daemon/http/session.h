// Serves the requests of one connection, one after the other, on a worker thread: read, dispatch,
// reply, log. Thread-safe; between calls it holds nothing but a cache of listings.
#ifndef VARVE_DAEMON_HTTP_SESSION_H_
#define VARVE_DAEMON_HTTP_SESSION_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "daemon/http/connection.h"
#include "daemon/http/listing_cache.h"
#include "daemon/http/reply.h"
#include "daemon/http/request_reader.h"
#include "daemon/http/route.h"
#include "daemon/http/server.h"
#include "storage/store.h"

namespace varve {

// 100 repositories with 10,000 tags of 7 letters each.
inline constexpr size_t kMaxListingCacheBytes = 12 << 20;

class HttpSession {
 public:
  // Where a connection goes that this thread should not go on with.
  struct Exits {
    std::function<void(std::unique_ptr<Connection>)> park;     // has no request now
    std::function<void(std::unique_ptr<Connection>)> requeue;  // has one; others wait longer
    std::function<bool()> has_waiting;  // other connections wait for a thread
  };

  // All references must outlive the session.
  HttpSession(Store& store, const HttpServerOptions& options, const std::atomic<bool>& stopping,
              Exits exits)
      : store_(store),
        options_(options),
        stopping_(stopping),
        exits_(std::move(exits)),
        listings_(kMaxListingCacheBytes) {}

  // Serves what the connection has, then parks or closes it.
  void Serve(std::unique_ptr<Connection> connection, IoBuffer& buffer) const;

 private:
  enum class Next { kKeep, kClose, kLinger };
  Next AnswerOne(const Connection& connection, RequestReader& reader) const;
  void LingeringClose(int fd, IoBuffer& scratch) const;
  void AnswerRefusal(const Connection& connection, const RequestReader& reader) const;
  Reply MakeReply(const Connection& connection, RequestReader& reader,
                  const std::string& request_id, Route* route) const;

  Store& store_;
  const HttpServerOptions& options_;
  const std::atomic<bool>& stopping_;
  const Exits exits_;
  mutable ListingCache listings_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_SESSION_H_
