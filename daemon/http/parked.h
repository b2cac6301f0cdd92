// The connections that wait for their peers, by descriptor, deadline, peer and what they cost. Not
// thread-safe; the poller guards it.
#ifndef VARVE_DAEMON_HTTP_PARKED_H_
#define VARVE_DAEMON_HTTP_PARKED_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/http/connection.h"

namespace varve {

// Who waits with at least so much in memory counts as holding it.
inline constexpr size_t kHoldsMemoryBytes = 4096;

class ParkedConnections {
 public:
  void Add(std::unique_ptr<Connection> connection);
  size_t size() const { return by_descriptor_.size(); }
  uint64_t held_bytes() const { return held_bytes_; }

  // Each takes connections out; null, or none, when there is no such one.
  std::unique_ptr<Connection> Take(int fd);
  // Those whose deadline is not after `now`. Time in proportion to all.
  std::vector<std::unique_ptr<Connection>> TakeOverdue(std::chrono::steady_clock::time_point now);
  std::vector<std::unique_ptr<Connection>> TakeExpendable();
  // The expendable one that has waited longest: of a peer, or of everybody, which takes time in
  // proportion to the number of peers.
  std::unique_ptr<Connection> TakeLongestIdle(const std::string& peer);
  std::unique_ptr<Connection> TakeLongestIdle();
  // The one in the middle of a request, of this peer, that has waited longest.
  std::unique_ptr<Connection> TakeLongestAtWork(const std::string& peer);
  // Of the peer that holds most memory, the one that has waited longest and holds some.
  std::unique_ptr<Connection> TakeMemoryHolder();

  // No deadline is later than this one.
  void LimitDeadlines(std::chrono::steady_clock::time_point latest);

 private:
  enum Kind : size_t { kIdle, kAtWork, kHolding, kKinds };
  struct Peer {
    std::array<std::list<int>, kKinds> waiting;  // descriptors, the longest wait first
    uint64_t held_bytes = 0;
    bool empty() const;
  };
  struct Entry {
    std::unique_ptr<Connection> connection;
    Kind kind;
    size_t held_bytes;
    std::list<int>::iterator place;
  };
  using Entries = std::unordered_map<int, Entry>;

  std::unique_ptr<Connection> Remove(Entries::iterator entry);
  std::unique_ptr<Connection> TakeFirst(const std::list<int>& waiting);

  Entries by_descriptor_;
  std::map<std::string, Peer> peers_;
  uint64_t held_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_PARKED_H_
