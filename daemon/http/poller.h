// The one thread that accepts connections and watches those that wait for their peers. A connection
// that can go on, or whose time is up, is handed to `ready`, which owns it from then on and may
// give it back with Park. Idle ones are closed here: when their time is up, when others need their
// place, and when the door closes.
#ifndef VARVE_DAEMON_HTTP_POLLER_H_
#define VARVE_DAEMON_HTTP_POLLER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "daemon/http/connection.h"
#include "daemon/http/parked.h"
#include "daemon/http/server.h"
#include "storage/base/mutex.h"

namespace varve {

// What waiting connections may keep in memory together: halves of headers, manifests, and answers
// that are not read. 16 manifests of the largest size, or 1,000 headers. Beyond it those who hold
// most give way.
inline constexpr uint64_t kMaxParkedBytes = 64 << 20;

class Poller {
 public:
  using Ready = std::function<void(std::unique_ptr<Connection>)>;

  // Owns `listener`. `all` and `options` must outlive the poller.
  Poller(int listener, OpenConnections& all, const HttpServerOptions& options, Ready ready);
  ~Poller();  // as Stop
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  absl::Status Start();
  // Watches a connection until what it waits for is there, or its deadline has passed. Thread-safe.
  void Park(std::unique_ptr<Connection> connection);
  // Closes the listener and every idle connection, now and from now on. Who is in the middle of a
  // request and brings nothing for a few seconds gets no longer. Thread-safe.
  void StopAccepting();
  // After StopAccepting, and when there are no connections any more.
  void Stop();

 private:
  enum class Mode { kServing, kDraining, kStopped };

  void Run();
  void ChangeMode(Mode mode);
  bool Obey();
  void AcceptSome();
  bool MakeRoomFor(const Connection& newcomer);
  bool CloseIdlest();
  void PauseListener();
  void ResumeListener();
  void Wake(int fd);
  void WakeOverdue();
  void CloseOrHandOver(std::unique_ptr<Connection> connection, Woken why);
  bool Watch(int operation, int fd, uint32_t events);

  int listener_;
  int epoll_ = -1;
  int wake_ = -1;  // eventfd: mode_ has changed
  OpenConnections& all_;
  const HttpServerOptions& options_;
  const Ready ready_;
  std::thread thread_;
  // Set while there are no descriptors to accept with; poller thread only.
  std::chrono::steady_clock::time_point resume_at_{};
  bool paused_ = false;

  Mutex mutex_;
  ParkedConnections parked_ ABSL_GUARDED_BY(mutex_);
  Mode mode_ ABSL_GUARDED_BY(mutex_) = Mode::kServing;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_POLLER_H_
