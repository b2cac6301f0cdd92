#include "storage/event_log.h"

namespace varve {

std::string_view EventTypeName(Event::Type type) {
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
  }
  return "unknown";
}

}  // namespace varve
