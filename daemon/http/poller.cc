#include "daemon/http/poller.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

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
constexpr uint32_t kOnce = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;

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
  MutexLock lock(mutex_);
  if (stopping_) return;
  const int fd = connection->fd();
  const int operation = connection->in_poller ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  connection->in_poller = true;
  const auto deadline =
      connection->header_deadline.value_or(steady_clock::now() + options_.idle_timeout);
  idle_[fd] = Idle{std::move(connection), deadline};
  if (!Watch(operation, fd, kOnce)) {
    Log(LogLevel::kWarning, "cannot_watch_connection", {{"reason", strerror(errno)}});
    idle_.erase(fd);
  }
}

void Poller::Run() {
  std::array<epoll_event, 256> events;
  auto next_tick = steady_clock::now() + kTick;
  while (true) {
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                             static_cast<int>(kTick.count()));
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == wake_) return;
      if (fd == listener_) {
        AcceptSome();
      } else {
        HandOver(fd);
      }
    }
    const auto now = steady_clock::now();
    if (paused_ && now >= resume_at_) ResumeListener();
    if (now >= next_tick) {
      CloseOverdue();
      next_tick = now + kTick;
    }
  }
}

void Poller::AcceptSome() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        PauseListener();
      }
      return;
    }
    auto connection = std::make_unique<Connection>(all_, fd);
    if (all_.size() > options_.max_connections) continue;  // closes it
    TuneConnection(fd);
    Park(std::move(connection));
  }
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

void Poller::HandOver(int fd) {
  std::unique_ptr<Connection> connection;
  {
    MutexLock lock(mutex_);
    const auto found = idle_.find(fd);
    if (found == idle_.end()) return;
    connection = std::move(found->second.connection);
    idle_.erase(found);
  }
  if (HasSomethingToSay(fd)) ready_(std::move(connection));
}

void Poller::CloseOverdue() {
  const auto now = steady_clock::now();
  std::vector<std::unique_ptr<Connection>> overdue;  // closed outside the lock
  MutexLock lock(mutex_);
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (it->second.deadline <= now) {
      overdue.push_back(std::move(it->second.connection));
      it = idle_.erase(it);
    } else {
      ++it;
    }
  }
}

void Poller::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
    thread_.join();
  }
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
  std::unordered_map<int, Idle> closing;
  MutexLock lock(mutex_);
  stopping_ = true;
  closing.swap(idle_);
}

}  // namespace varve
