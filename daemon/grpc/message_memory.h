// The memory that Blobs.Read fills and gRPC sends from, over all streams. What was sent is used
// again: the kernel zeroes each page that is new to a process, and on a virtual machine often has
// to get it from its host first, which costs more than the copy into it. What is given out counts
// until the last reference to it is gone, for the library's own quota does not see it. Owned by the
// server; thread-safe.
#ifndef VARVE_DAEMON_GRPC_MESSAGE_MEMORY_H_
#define VARVE_DAEMON_GRPC_MESSAGE_MEMORY_H_

#include <grpc/slice.h>

#include <cstddef>
#include <memory>

namespace varve {

class MessageMemory {
 public:
  struct Limits {
    size_t block_bytes;  // what is given out and kept in one piece
    size_t idle_blocks;  // kept of those that are not in use; the rest go back to the system
    size_t max_bytes;    // in use, over all streams
  };
  explicit MessageMemory(const Limits& limits);
  ~MessageMemory();
  MessageMemory(const MessageMemory&) = delete;
  MessageMemory& operator=(const MessageMemory&) = delete;

  // A slice of that many bytes, to be written by its first owner: what it holds is undefined. Its
  // memory returns when the last reference is gone, on whichever thread, even after this object.
  // Slices of less than half a block or more than one are the library's own, so that a small
  // message never holds a block.
  grpc_slice New(size_t bytes);

  // While there is plenty, messages may be whole blocks, and one made ahead of each that is sent.
  bool plenty() const { return used_bytes() < limits_.max_bytes / 2; }
  // Somebody who takes nothing has to give way when another stream begins.
  bool crowded() const { return used_bytes() >= limits_.max_bytes / 4 * 3; }
  bool exhausted() const { return used_bytes() >= limits_.max_bytes; }

  size_t used_bytes() const;
  size_t idle_blocks() const;

 private:
  class Blocks;
  struct Loan;
  const Limits limits_;
  const std::shared_ptr<Blocks> blocks_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_MESSAGE_MEMORY_H_
