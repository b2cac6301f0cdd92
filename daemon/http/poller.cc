#include "daemon/http/poller.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "daemon/http/socket.h"
#include "daemon/log.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How often deadlines are looked at: they are met to within this.
constexpr milliseconds kTick{250};
// Accepting rests for this long when the process has no descriptor left. The connections wait in
// the kernel's queue.
constexpr milliseconds kAcceptPause{200};
// Then the idle connections get their turn.
constexpr int kAcceptsAtOnce = 128;
constexpr uint32_t kBytesOnce = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
constexpr uint32_t kRoomOnce = EPOLLOUT | EPOLLONESHOT;
// While the door closes a peer may keep it waiting for so long.
constexpr milliseconds kDrainPatience{2000};

// A peer that has closed needs no worker.
bool HasSomethingToSay(int fd) {
  char byte = 0;
  const ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace

Poller::Poller(int listener, OpenConnections& all, const HttpServerOptions& options, Ready ready)
    : listener_(listener), all_(all), options_(options), ready_(std::move(ready)) {}

Poller::~Poller() {
  Stop();
  if (epoll_ >= 0) close(epoll_);
  if (wake_ >= 0) close(wake_);
}

bool Poller::Watch(int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll_, operation, fd, &event) == 0;
}

absl::Status Poller::Start() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return ErrnoToStatus(errno, "epoll_create1");
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return ErrnoToStatus(errno, "eventfd");
  if (!Watch(EPOLL_CTL_ADD, listener_, EPOLLIN) || !Watch(EPOLL_CTL_ADD, wake_, EPOLLIN)) {
    return ErrnoToStatus(errno, "epoll_ctl");
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Poller::Park(std::unique_ptr<Connection> connection) {
  std::unique_ptr<Connection> gives_way;  // after the lock is released
  {
    MutexLock lock(mutex_);
    Wait& wait = connection->wait;
    if (mode_ != Mode::kServing) {
      if (connection->expendable()) return;
      wait.deadline = std::min(wait.deadline, wait.since + kDrainPatience);
    }
    const int fd = connection->fd();
    const int operation = connection->in_poller ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    connection->in_poller = true;
    const uint32_t events = wait.what == Wait::For::kRoom ? kRoomOnce : kBytesOnce;
    parked_.Add(std::move(connection));
    if (!Watch(operation, fd, events)) {
      Log(LogLevel::kWarning, "cannot_watch_connection", {{"reason", strerror(errno)}});
      gives_way = parked_.Take(fd);
    } else if (parked_.held_bytes() > kMaxParkedBytes) {
      gives_way = parked_.TakeMemoryHolder();
    }
  }
  CloseOrHandOver(std::move(gives_way), Woken::kGiveWay);
}

// In the middle of a request it is for a worker to say why it ends, and to keep what came.
void Poller::CloseOrHandOver(std::unique_ptr<Connection> connection, Woken why) {
  if (connection == nullptr || connection->expendable()) return;  // closes it
  connection->woken = why;
  connection->waited = steady_clock::now() - connection->wait.since;
  ready_(std::move(connection));
}

void Poller::Run() {
  std::array<epoll_event, 256> events;
  auto next_tick = steady_clock::now() + kTick;
  while (true) {
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                             static_cast<int>(kTick.count()));
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == wake_) {
        if (!Obey()) return;
      } else if (fd == listener_) {
        AcceptSome();
      } else {
        Wake(fd);
      }
    }
    const auto now = steady_clock::now();
    if (paused_ && now >= resume_at_) ResumeListener();
    if (now >= next_tick) {
      WakeOverdue();
      next_tick = now + kTick;
    }
  }
}

void Poller::AcceptSome() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      // A descriptor is asked for before it is known whether anybody waits for it.
      if (errno == EMFILE) {
        if (!PollOne(listener_, POLLIN, milliseconds(0))) return;
        if (CloseIdlest()) continue;
        errno = EMFILE;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        PauseListener();
      }
      return;
    }
    auto connection = std::make_unique<Connection>(all_, fd);
    if (!MakeRoomFor(*connection)) continue;  // closes it
    TuneConnection(fd);
    connection->wait = {Wait::For::kBytes, steady_clock::now(),
                        steady_clock::now() + options_.idle_timeout};
    Park(std::move(connection));
  }
}

// Keeps the limits: the peer that has too many connections, or else the most, loses its idlest one.
// Who has fewer connections may even end a request of it. False when nobody gives way.
bool Poller::MakeRoomFor(const Connection& newcomer) {
  std::unique_ptr<Connection> gives_way;  // after the lock is released
  {
    MutexLock lock(mutex_);
    if (all_.of_peer(newcomer.peer()) > options_.max_connections_per_peer) {
      gives_way = parked_.TakeLongestIdle(newcomer.peer());
      if (gives_way == nullptr) return false;
    } else if (all_.size() > options_.max_connections) {
      const std::string largest = all_.largest_peer();
      gives_way = parked_.TakeLongestIdle(largest);
      if (gives_way == nullptr) gives_way = parked_.TakeLongestIdle();
      if (gives_way == nullptr && all_.of_peer(newcomer.peer()) < all_.of_peer(largest)) {
        gives_way = parked_.TakeLongestAtWork(largest);
      }
      if (gives_way == nullptr) return false;
    }
  }
  CloseOrHandOver(std::move(gives_way), Woken::kGiveWay);
  return true;
}

// Of whoever has most connections.
bool Poller::CloseIdlest() {
  MutexLock lock(mutex_);
  return parked_.TakeLongestIdle(all_.largest_peer()) != nullptr;
}

void Poller::PauseListener() {
  Log(LogLevel::kWarning, "accept_paused",
      {{"reason", strerror(errno)}, {"connections", all_.size()}});
  paused_ = true;
  resume_at_ = steady_clock::now() + kAcceptPause;
  Watch(EPOLL_CTL_MOD, listener_, 0);
}

void Poller::ResumeListener() {
  paused_ = false;
  Watch(EPOLL_CTL_MOD, listener_, EPOLLIN);
}

void Poller::Wake(int fd) {
  std::unique_ptr<Connection> connection;
  {
    MutexLock lock(mutex_);
    connection = parked_.Take(fd);
  }
  if (connection == nullptr) return;
  if (connection->conversation == nullptr && !HasSomethingToSay(fd)) return;
  connection->woken = Woken::kReady;
  connection->waited = steady_clock::now() - connection->wait.since;
  ready_(std::move(connection));
}

void Poller::WakeOverdue() {
  std::vector<std::unique_ptr<Connection>> overdue;
  {
    MutexLock lock(mutex_);
    overdue = parked_.TakeOverdue(steady_clock::now());
  }
  for (auto& connection : overdue) CloseOrHandOver(std::move(connection), Woken::kTooSlow);
}

void Poller::ChangeMode(Mode mode) {
  MutexLock lock(mutex_);
  if (mode_ >= mode) return;
  mode_ = mode;
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

// Does what the mode says, on the poller's thread. False: ends it.
bool Poller::Obey() {
  uint64_t ignored = 0;
  (void)!read(wake_, &ignored, sizeof(ignored));
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
  paused_ = false;
  std::vector<std::unique_ptr<Connection>> idle;  // closed outside the lock
  MutexLock lock(mutex_);
  idle = parked_.TakeExpendable();
  parked_.LimitDeadlines(steady_clock::now() + kDrainPatience);
  return mode_ != Mode::kStopped;
}

void Poller::StopAccepting() { ChangeMode(Mode::kDraining); }

void Poller::Stop() {
  ChangeMode(Mode::kStopped);
  if (thread_.joinable()) thread_.join();
  if (listener_ >= 0) close(listener_);  // it was never started
  listener_ = -1;
}

}  // namespace varve
