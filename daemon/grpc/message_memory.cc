#include "daemon/grpc/message_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"

namespace varve {
namespace {

// From this size on a message has pages of its own: 8 of 4 KiB, of which the last is half empty in
// the mean.
constexpr size_t kOwnPagesBytes = 32 * 1024;

// Memory that goes back to the system when it ends: what an allocator frees it may keep,
// and blocks of thousands of streams are gigabytes.
class Block {
 public:
  explicit Block(size_t bytes)
      : start_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
        bytes_(bytes) {
    if (start_ == MAP_FAILED) throw std::bad_alloc();  // as every allocation does
  }
  ~Block() {
    if (start_ != nullptr) munmap(start_, bytes_);
  }
  Block(Block&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), bytes_(other.bytes_) {}
  Block& operator=(Block&&) = delete;

  void* start() const { return start_; }

 private:
  void* start_;
  size_t bytes_;
};

}  // namespace

class MessageMemory::Blocks {
 public:
  explicit Blocks(const Limits& limits) : limits_(limits) { idle_.reserve(limits.idle_blocks); }

  Block Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        Block block = std::move(idle_.back());  // the last one back is the likeliest in a cache
        idle_.pop_back();
        return block;
      }
    }
    return Block(limits_.block_bytes);
  }

  void Return(Block block) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (idle_.size() < limits_.idle_blocks) idle_.push_back(std::move(block));
  }

  void Count(size_t bytes) { used_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void Uncount(size_t bytes) { used_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

  size_t idle() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return idle_.size();
  }

 private:
  const Limits limits_;
  std::atomic<size_t> used_bytes_ = 0;
  mutable Mutex mutex_;
  std::vector<Block> idle_ ABSL_GUARDED_BY(mutex_);
};

// What a slice holds until its last reference is gone.
struct MessageMemory::Loan {
  std::shared_ptr<Blocks> blocks;
  size_t counted_bytes = 0;
  std::optional<Block> block;      // to be returned
  std::optional<Block> own_pages;  // of a size that is not kept
  std::unique_ptr<char[]> small;   // when it has neither

  static void End(void* loan) {
    const std::unique_ptr<Loan> ended(static_cast<Loan*>(loan));
    ended->blocks->Uncount(ended->counted_bytes);
    if (ended->block) ended->blocks->Return(*std::move(ended->block));
  }
};

MessageMemory::MessageMemory(const Limits& limits)
    : limits_(limits), blocks_(std::make_shared<Blocks>(limits)) {}

MessageMemory::~MessageMemory() = default;

grpc_slice MessageMemory::New(size_t bytes) {
  auto loan = std::make_unique<Loan>();
  loan->blocks = blocks_;
  loan->counted_bytes = bytes;
  void* start = nullptr;
  if (bytes >= limits_.block_bytes / 2 && bytes <= limits_.block_bytes) {
    loan->counted_bytes = limits_.block_bytes;
    start = loan->block.emplace(blocks_->Take()).start();
  } else if (bytes >= kOwnPagesBytes) {
    start = loan->own_pages.emplace(bytes).start();
  } else {
    loan->small = std::make_unique_for_overwrite<char[]>(bytes);
    start = loan->small.get();
  }
  blocks_->Count(loan->counted_bytes);
  return grpc_slice_new_with_user_data(start, bytes, &Loan::End, loan.release());  // until End
}

size_t MessageMemory::used_bytes() const { return blocks_->used_bytes(); }

size_t MessageMemory::idle_blocks() const { return blocks_->idle(); }

}  // namespace varve
