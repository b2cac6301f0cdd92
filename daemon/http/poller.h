// The one thread that accepts connections and watches the idle ones. A connection that has
// something to read is handed to `ready`, which owns it from then on and may give it back with
// Park.
#ifndef VARVE_DAEMON_HTTP_POLLER_H_
#define VARVE_DAEMON_HTTP_POLLER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include "absl/status/status.h"
#include "daemon/http/connection.h"
#include "daemon/http/server.h"
#include "storage/base/mutex.h"

namespace varve {

class Poller {
 public:
  using Ready = std::function<void(std::unique_ptr<Connection>)>;

  // Owns `listener`. `all` and `options` must outlive the poller.
  Poller(int listener, OpenConnections& all, const HttpServerOptions& options, Ready ready);
  ~Poller();  // as Stop
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  absl::Status Start();
  // Watches an idle connection until it can be read, idles too long, or misses its header deadline.
  // After Stop it is closed. Thread-safe.
  void Park(std::unique_ptr<Connection> connection);
  // Closes the listener and every idle connection; then `ready` is not called any more.
  void Stop();

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    std::chrono::steady_clock::time_point deadline;
  };

  void Run();
  void AcceptSome();
  void PauseListener();
  void ResumeListener();
  void HandOver(int fd);
  void CloseOverdue();
  bool Watch(int operation, int fd, uint32_t events);

  int listener_;
  int epoll_ = -1;
  int wake_ = -1;  // eventfd: Stop wants the thread to end
  OpenConnections& all_;
  const HttpServerOptions& options_;
  const Ready ready_;
  std::thread thread_;
  // Set while there are no descriptors to accept with; poller thread only.
  std::chrono::steady_clock::time_point resume_at_{};
  bool paused_ = false;

  Mutex mutex_;
  std::unordered_map<int, Idle> idle_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_POLLER_H_
