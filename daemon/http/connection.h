// One client connection, who owns it when, and the set of all open ones.
//
// A connection belongs to one thread at a time. A worker owns it while it has bytes to take or room
// to send into; as soon as it would have to wait for its peer it is parked with the poller,
// whatever the peer owes, and a thread is taken again when the peer has moved or its time is up.
//
//   phase (conversation.h)  waits for                     its time is up
//   kHead                   the next request              closed
//   kBody                   bytes of the body             the upload keeps what came; 408
//   kReply                  room to send into             logged, closed
//   kDrain                  a short body nobody wants     closed
//   kLinger                 the client to close           closed
#ifndef VARVE_DAEMON_HTTP_CONNECTION_H_
#define VARVE_DAEMON_HTTP_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "daemon/http/socket.h"
#include "storage/base/mutex.h"

namespace varve {

class OpenConnections;
struct Conversation;

// What a parked connection waits for, and how long.
struct Wait {
  enum class For { kBytes, kRoom } what = For::kBytes;
  std::chrono::steady_clock::time_point since;
  std::chrono::steady_clock::time_point deadline;
};

// Why a parked connection was taken up again.
enum class Woken {
  kReady,    // its peer has moved
  kTooSlow,  // the deadline has passed
  kGiveWay,  // others need what it holds
};

class Connection {
 public:
  Connection(OpenConnections& all, int fd);
  ~Connection();  // closes
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  const ConnectionEnds& ends() const { return ends_; }
  const std::string& peer() const { return ends_.network; }  // whom it counts for

  // No request of it is under way: closing it costs its client no more than connecting again.
  bool expendable() const;
  // What it keeps in memory while it waits, beyond itself and the files it has open.
  size_t held_bytes() const;

  // Bytes received and not yet understood: the beginning of a request, or of a chunk.
  std::string unread;
  // Set from the first byte of a request until its header is complete.
  std::optional<std::chrono::steady_clock::time_point> header_deadline;
  std::unique_ptr<Conversation> conversation;  // null between requests
  Wait wait;
  Woken woken = Woken::kReady;
  std::chrono::nanoseconds waited{0};  // the last time, for its peer
  bool in_poller = false;              // epoll knows the descriptor already
  int low_water_bytes = 1;             // with fewer the poller sees nothing to read

 private:
  OpenConnections& all_;
  const int fd_;
  const ConnectionEnds ends_;
};

// Thread-safe.
class OpenConnections {
 public:
  size_t size() const;
  size_t of_peer(const std::string& peer) const;
  // Whoever has the most; "" when there is none. Time in proportion to the number of peers.
  std::string largest_peer() const;
  // Makes every pending and future read and write of every connection end.
  void ShutdownAll();
  // True when there is none by `deadline`.
  bool WaitEmpty(std::chrono::steady_clock::time_point deadline);

 private:
  friend class Connection;
  mutable Mutex mutex_;
  ConditionVariable closed_;
  std::unordered_set<int> descriptors_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, size_t> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_CONNECTION_H_
