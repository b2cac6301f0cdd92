#include "daemon/http/connection.h"

#include <sys/socket.h>
#include <unistd.h>

namespace varve {

Connection::Connection(OpenConnections& all, int fd) : all_(all), fd_(fd), ends_(DescribeEnds(fd)) {
  MutexLock lock(all_.mutex_);
  all_.descriptors_.insert(fd_);
}

Connection::~Connection() {
  // Closed under the lock: ShutdownAll must not meet a number that the kernel has given away again.
  MutexLock lock(all_.mutex_);
  all_.descriptors_.erase(fd_);
  close(fd_);
}

size_t OpenConnections::size() const {
  MutexLock lock(mutex_);
  return descriptors_.size();
}

void OpenConnections::ShutdownAll() {
  MutexLock lock(mutex_);
  for (const int fd : descriptors_) shutdown(fd, SHUT_RDWR);
}

}  // namespace varve
