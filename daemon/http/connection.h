// One client connection and the set of all open ones. A Connection belongs to one thread at a time:
// to the poller while it is idle, to a worker while it is served. OpenConnections is thread-safe.
#ifndef VARVE_DAEMON_HTTP_CONNECTION_H_
#define VARVE_DAEMON_HTTP_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "daemon/http/socket.h"
#include "storage/base/mutex.h"

namespace varve {

class OpenConnections;

class Connection {
 public:
  Connection(OpenConnections& all, int fd);
  ~Connection();  // closes
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  const ConnectionEnds& ends() const { return ends_; }

  // Bytes received and not yet understood: the beginning of a request, at most kMaxUnreadBytes
  // (request_reader.h). Empty for an idle connection.
  std::string unread;
  // Set from the first byte of a request until its header is complete.
  std::optional<std::chrono::steady_clock::time_point> header_deadline;
  bool in_poller = false;  // epoll knows the descriptor already

 private:
  OpenConnections& all_;
  const int fd_;
  const ConnectionEnds ends_;
};

class OpenConnections {
 public:
  size_t size() const;
  // Makes every pending and future read and write of every connection end.
  void ShutdownAll();

 private:
  friend class Connection;
  mutable Mutex mutex_;
  std::unordered_set<int> descriptors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_CONNECTION_H_
