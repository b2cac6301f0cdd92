// How long a transfer may keep us waiting for its peer. Value types; no threads.
#ifndef VARVE_DAEMON_HTTP_PACE_H_
#define VARVE_DAEMON_HTTP_PACE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace varve {

// What one transfer is allowed: at most `stall` without any byte, and on the whole `stall` plus the
// time that its bytes take at `min_bytes_per_second`, so that a peer that sends a byte now and then
// is cut off too. Only time spent waiting for the peer counts, not that spent on the disk or in
// a queue.
class Pace {
 public:
  Pace(std::chrono::milliseconds stall, uint64_t min_bytes_per_second)
      : stall_(stall), min_bytes_per_second_(min_bytes_per_second) {}

  void Progress(size_t bytes) { bytes_ += bytes; }
  void Waited(std::chrono::nanoseconds time) { waited_ += time; }
  // How long the peer may take for its next bytes; nothing when it was too slow.
  std::chrono::nanoseconds Allowed() const;

 private:
  std::chrono::nanoseconds stall_;
  uint64_t min_bytes_per_second_;
  uint64_t bytes_ = 0;
  std::chrono::nanoseconds waited_{0};
};

// Whether a worker waits a moment for its peer instead of parking the connection, which costs two
// hand-overs between threads: for a peer that was prompt so far, and while no other connection
// needs the thread. One a turn.
class Patience {
 public:
  // `others_wait` must outlive it.
  Patience(bool prompt, const std::function<bool()>& others_wait)
      : prompt_(prompt), others_wait_(others_wait) {}

  // The peer has just spoken, or had its answer: it is prompt until it shows otherwise.
  void Renew() { prompt_ = true; }
  void Moved(size_t bytes);
  // True when one of `events` (poll(2)) was there at once, or nearly so. Counts for `pace`, if any.
  bool Wait(int fd, short events, Pace* pace);

 private:
  bool prompt_;
  size_t moved_bytes_ = 0;  // since the last wait that was in vain
  const std::function<bool()>& others_wait_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_PACE_H_
