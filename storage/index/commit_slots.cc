#include "storage/index/commit_slots.h"

#include "storage/base/bytes.h"

namespace varve {

std::string CommitSlots::NewValue() {
  std::string value;
  AppendU64(&value, process_);
  MutexLock lock(mutex_);
  AppendU64(&value, ++tokens_);
  return value;
}

}  // namespace varve
