// What can happen to an image. A plain value.
#ifndef VARVE_STORAGE_API_EVENT_H_
#define VARVE_STORAGE_API_EVENT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/image/digest.h"

namespace varve {

struct Event {
  enum class Type { kPush, kPull, kTag, kUntag, kDelete, kPrune };
  Type type = Type::kPush;
  std::string repository;
  std::string tag;           // empty when the event is not about a tag
  Digest digest;             // of the manifest; of kPrune none
  uint64_t freed_bytes = 0;  // of kPrune: disk space given back
  int64_t time_nanos = 0;
  uint64_t sequence = 0;  // counts from 1 in each run
};

inline std::string_view EventTypeName(Event::Type type) {
  switch (type) {
    case Event::Type::kPush:
      return "push";
    case Event::Type::kPull:
      return "pull";
    case Event::Type::kTag:
      return "tag";
    case Event::Type::kUntag:
      return "untag";
    case Event::Type::kDelete:
      return "delete";
    case Event::Type::kPrune:
      return "prune";
  }
  return "unknown";
}

}  // namespace varve

#endif  // VARVE_STORAGE_API_EVENT_H_
