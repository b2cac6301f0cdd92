// Where running transactions leave a mark, so that a commit of unknown outcome can be looked up: a
// slot is a row of the index that one transaction at a time overwrites. There are as many slots as
// transactions ever ran at once. Thread-safe.
#ifndef VARVE_STORAGE_INDEX_COMMIT_SLOTS_H_
#define VARVE_STORAGE_INDEX_COMMIT_SLOTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/index/keys.h"

namespace varve {

class CommitSlots {
 public:
  // A mark that no other commit leaves: `key` is the row, `value` what this commit writes there.
  struct Token {
    std::string key;
    std::string value;
  };

  // Holds a slot for as long as it lives.
  class Slot {
   public:
    explicit Slot(CommitSlots& slots) : slots_(slots), number_(slots.Take()) {}
    ~Slot() { slots_.GiveBack(number_); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    // Another one with each call.
    Token NewToken() { return {CommitTokenKey(number_), slots_.NewValue()}; }

   private:
    CommitSlots& slots_;
    const uint32_t number_;
  };

 private:
  uint32_t Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (free_.empty()) return count_++;
    const uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }
  void GiveBack(uint32_t number) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    CheckInvariant(number < count_ && free_.size() < count_, "a commit slot is given back once");
    free_.push_back(number);
  }
  std::string NewValue() ABSL_LOCKS_EXCLUDED(mutex_);

  const uint64_t process_ = SystemRandom().Next();  // what an earlier process left differs
  Mutex mutex_;
  uint32_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mutex_);
  uint64_t tokens_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_COMMIT_SLOTS_H_
