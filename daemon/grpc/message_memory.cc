#include "daemon/grpc/message_memory.h"

#include <utility>
#include <vector>

#include "storage/base/mutex.h"

namespace varve {

using Block = std::unique_ptr<char[]>;

class MessageMemory::Blocks {
 public:
  Blocks(size_t block_bytes, size_t max_idle) : block_bytes_(block_bytes), max_idle_(max_idle) {
    idle_.reserve(max_idle);
  }

  Block Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        Block block = std::move(idle_.back());  // the last one back is the likeliest in a cache
        idle_.pop_back();
        return block;
      }
    }
    return std::make_unique_for_overwrite<char[]>(block_bytes_);
  }

  void Return(Block block) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (idle_.size() < max_idle_) idle_.push_back(std::move(block));
  }

  size_t block_bytes() const { return block_bytes_; }

  size_t idle() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return idle_.size();
  }

 private:
  const size_t block_bytes_;
  const size_t max_idle_;
  mutable Mutex mutex_;
  std::vector<Block> idle_ ABSL_GUARDED_BY(mutex_);
};

// What a slice of a block holds until its last reference is gone.
struct MessageMemory::Loan {
  std::shared_ptr<Blocks> blocks;
  Block block;

  static void End(void* loan) {
    const std::unique_ptr<Loan> ended(static_cast<Loan*>(loan));
    ended->blocks->Return(std::move(ended->block));
  }
};

MessageMemory::MessageMemory(size_t block_bytes, size_t max_idle)
    : blocks_(std::make_shared<Blocks>(block_bytes, max_idle)) {}

MessageMemory::~MessageMemory() = default;

grpc_slice MessageMemory::New(size_t bytes) {
  // "Large": never kept within the handle itself, so that all handles mean the same bytes.
  if (bytes < blocks_->block_bytes() / 2 || bytes > blocks_->block_bytes()) {
    return grpc_slice_malloc_large(bytes);
  }
  auto* const loan = new Loan{blocks_, blocks_->Take()};  // until End
  return grpc_slice_new_with_user_data(loan->block.get(), bytes, &Loan::End, loan);
}

size_t MessageMemory::idle_blocks() const { return blocks_->idle(); }

}  // namespace varve
