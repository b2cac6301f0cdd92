// The memory that Blobs.Read fills and gRPC sends from. What was sent is used again: the kernel
// zeroes each page that is new to a process, and on a virtual machine often has to get it from its
// host first, which costs more than the copy into it. Owned by the server; thread-safe.
#ifndef VARVE_DAEMON_GRPC_MESSAGE_MEMORY_H_
#define VARVE_DAEMON_GRPC_MESSAGE_MEMORY_H_

#include <grpc/slice.h>

#include <cstddef>
#include <memory>

namespace varve {

class MessageMemory {
 public:
  // Gives out memory in blocks of `block_bytes` and keeps up to `max_idle` of those that are not
  // in use, which only after some use exist.
  MessageMemory(size_t block_bytes, size_t max_idle);
  ~MessageMemory();
  MessageMemory(const MessageMemory&) = delete;
  MessageMemory& operator=(const MessageMemory&) = delete;

  // A slice of that many bytes, to be written by its first owner: what it holds is undefined. Its
  // memory returns when the last reference is gone, on whichever thread, even after this object.
  // Slices of less than half a block or more than one are the library's own, so that a small
  // message never holds a block.
  grpc_slice New(size_t bytes);

  size_t idle_blocks() const;

 private:
  class Blocks;
  struct Loan;
  const std::shared_ptr<Blocks> blocks_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_MESSAGE_MEMORY_H_
