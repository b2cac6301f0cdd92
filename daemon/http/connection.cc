#include "daemon/http/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/http/conversation.h"

namespace varve {

Connection::Connection(OpenConnections& all, int fd) : all_(all), fd_(fd), ends_(DescribeEnds(fd)) {
  MutexLock lock(all_.mutex_);
  all_.descriptors_.insert(fd_);
  ++all_.peers_[peer()];
}

Connection::~Connection() {
  conversation.reset();
  // Closed under the lock: ShutdownAll must not meet a number that the kernel has given away again.
  MutexLock lock(all_.mutex_);
  all_.descriptors_.erase(fd_);
  const auto count = all_.peers_.find(peer());
  if (--count->second == 0) all_.peers_.erase(count);
  close(fd_);
  if (all_.descriptors_.empty()) all_.closed_.NotifyAll();
}

bool Connection::expendable() const {
  return conversation == nullptr || conversation->phase == Conversation::Phase::kLinger;
}

size_t Connection::held_bytes() const {
  return unread.size() + (conversation == nullptr ? 0 : conversation->held_bytes());
}

size_t OpenConnections::size() const {
  MutexLock lock(mutex_);
  return descriptors_.size();
}

size_t OpenConnections::of_peer(const std::string& peer) const {
  MutexLock lock(mutex_);
  const auto found = peers_.find(peer);
  return found == peers_.end() ? 0 : found->second;
}

std::string OpenConnections::largest_peer() const {
  MutexLock lock(mutex_);
  std::string largest;
  size_t most = 0;
  for (const auto& [peer, count] : peers_) {
    if (count <= most) continue;
    most = count;
    largest = peer;
  }
  return largest;
}

void OpenConnections::ShutdownAll() {
  MutexLock lock(mutex_);
  for (const int fd : descriptors_) shutdown(fd, SHUT_RDWR);
}

bool OpenConnections::WaitEmpty(std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (!descriptors_.empty()) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left.count() <= 0) return false;
    closed_.WaitFor(mutex_, left);
  }
  return true;
}

}  // namespace varve
